"""async_server and clients that are slow on purpose: a slow client costs a connection slot, for a while, and nothing else.

The four modes of slowhttptest take all 50 slots of a server, with the short time limits that an operator of such a server sets,
while well-behaved clients work through the whole attack.
"""

import re
import select
import shutil
import socket
import subprocess
import threading
import time

import pytest

from servers import PATIENCE, AsyncServer, parse_response, read_all, read_response, wait_until

HELLO = b"Hello, Anonymous"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
POST_10 = b"POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture
def start():
    running = []

    def start_one(*arguments, **more):
        server = AsyncServer("--admin", "127.0.0.1:0", *arguments, **more)
        running.append(server)
        server.admin = server.admin_port()
        return server

    yield start_one
    for server in running:
        server.stop()


def metric(server, name):
    text = server.get("/metrics", port=server.admin)[2].decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text).group(1))


class Client(threading.Thread):
    """Asks again and again, as a browser would; `failures` are the requests that were not answered with 200 and the right body."""

    def __init__(self, server, keep_alive):
        super().__init__()
        self.server, self.keep_alive = server, keep_alive
        self.ended = threading.Event()
        self.answered, self.failures = 0, []
        self.peer = None

    def ask(self):
        if self.peer is None:
            self.peer = self.server.connect()
        self.peer.sendall(GET)
        status, _, body = read_response(self.peer)
        assert (status, body) == (200, HELLO)
        if not self.keep_alive:
            self.peer.close()
            self.peer = None

    def run(self):
        while not self.ended.wait(0.02):
            try:
                self.ask()
                self.answered += 1
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
                self.peer = None
        if self.peer is not None:
            self.peer.close()


ATTACKS = {
    "slow headers": (["-H"], "/"),
    "slow body": (["-B", "-s", "8192", "-x", "10"], "/echo"),
    "range": (["-R"], "/"),
    "slow read": (["-X", "-k", "5", "-w", "10", "-y", "20", "-n", "1", "-z", "5"], "/"),
}


@pytest.mark.skipif(shutil.which("slowhttptest") is None, reason="slowhttptest is not installed")
@pytest.mark.parametrize("attack", ATTACKS)
def test_slowhttptest_takes_every_slot_and_no_client_sees_an_error(start, attack):
    """200 attackers, 50 slots. Who is connected already is served at once, who comes anew may have to wait."""
    server = start("--sleep", "0.01", "--max-connections", "50", "--header-timeout", "2", "--body-timeout", "2",
                   "--drain-timeout", "1", "--keep-alive", "2")
    mode, target = ATTACKS[attack]
    clients = [Client(server, keep_alive) for keep_alive in (True, False)]
    for client in clients:
        client.start()
    try:
        wait_until(lambda: all(client.answered > 0 for client in clients), "the first answers")
        done = subprocess.run(
            ["slowhttptest", *mode, "-c", "200", "-r", "200", "-i", "1", "-l", "8", "-u", f"http://127.0.0.1:{server.port}{target}"],
            capture_output=True, text=True, errors="replace", timeout=3 * PATIENCE)
        before = [client.answered for client in clients]
        wait_until(lambda: all(client.answered > count for client, count in zip(clients, before)), "answers afterwards")
    finally:
        for client in clients:
            client.ended.set()
        for client in clients:
            client.join(2 * PATIENCE)
    assert [client.failures for client in clients] == [[], []]
    told = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert attack.upper() in told and re.search(r"Exit status: (?:No open connections left|Hit test time limit)", told), told[-1000:]
    assert metric(server, "loopfork_connections_accepted_total") > 200, "the attack came"
    if attack != "range":  # whose requests are whole, and over at once
        assert "At --max-connections 50" in server.log(), "the attack had every slot"
        assert metric(server, "loopfork_timeouts_total") > 100, "attackers were cut off"
    wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "the end of every connection")
    assert server.stop() == 0


def trickle(peer, piece, until):
    """Sends PIECE every 0.05 s, until UNTIL(what came back) or the server's close says that it is over. Returns what came back."""
    answer = b""
    end = time.monotonic() + PATIENCE
    while not until(answer):
        assert time.monotonic() < end, "the server goes on with it"
        time.sleep(0.05)
        try:
            peer.sendall(piece)
            if select.select([peer], [], [], 0)[0]:
                part = peer.recv(1000)
                if not part:
                    break
                answer += part
        except ConnectionError:
            break
    return answer


class TestTimeLimits:
    """None of them is begun again by a byte now and then."""

    def test_a_body_in_small_pieces_is_ended(self, start):
        server = start("--body-timeout", "0.5")
        with server.connect() as peer:
            peer.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n".replace(b"POST", b"GET"))
            answer = trickle(peer, b"x", lambda answer: b"\r\n\r\n" in answer)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert metric(server, "loopfork_timeouts_total") >= 1

    def test_chunks_of_one_byte_are_ended(self, start):
        server = start("--body-timeout", "0.5")
        with server.connect() as peer:
            peer.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            answer = trickle(peer, b"1\r\nx\r\n", lambda answer: False)
        assert answer.startswith(b"HTTP/1.1 200 ") and not answer.endswith(b"0\r\n\r\n")

    def test_a_body_that_keeps_the_rate_goes_on(self, start):
        """Longer than --body-timeout, and faster than --min-rate."""
        server = start("--body-timeout", "4", "--min-rate", "5")
        body = b"0123456789" * 12
        with server.connect() as peer:
            peer.sendall(POST_10.replace(b"10", b"120"))
            for i in range(0, 120, 20):
                peer.sendall(body[i:i + 20])
                time.sleep(1)
            assert parse_response(read_all(peer))[2] == body

    def test_a_rate_of_0_is_any(self, start):
        server = start("--body-timeout", "4", "--min-rate", "0")
        with server.connect() as peer:
            peer.sendall(POST_10)
            for byte in b"0123456789":
                time.sleep(0.6)
                peer.sendall(bytes([byte]))
            assert parse_response(read_all(peer))[2] == b"0123456789"

    def test_an_answer_taken_in_small_pieces_is_cut_off(self, start):
        server = start("--drain-timeout", "0.5", "--min-rate", "100000000")
        ended = threading.Event()
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.settimeout(PATIENCE)
            peer.connect((server.host, server.port))

            def feed():
                try:
                    peer.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
                    while not ended.is_set():
                        peer.sendall(b"x" * 65536)
                except OSError:
                    pass

            thread = threading.Thread(target=feed)
            thread.start()

            def takes_a_little_and_is_cut_off():
                try:
                    peer.recv(1000)
                except OSError:
                    pass
                return metric(server, "loopfork_timeouts_total") == 1

            try:
                wait_until(takes_a_little_and_is_cut_off, "its end")
            finally:
                ended.set()
                server.stop()
                thread.join()

    @pytest.mark.parametrize("begin", [b"", GET], ids=["at first", "after an answer"])
    @pytest.mark.parametrize("piece", [b"\r\n", b"\r"], ids=["lines", "half a line"])
    def test_empty_lines_do_not_prolong_an_idle_connection(self, start, begin, piece):
        """Two of them are ignored: but they are no request, and no reason to wait longer for one."""
        server = start("--sleep", "0", "--header-timeout", "1", "--keep-alive", "1")
        with server.connect() as peer:
            peer.sendall(begin)
            if begin:
                assert read_response(peer)[0] == 200
            begun = time.monotonic()
            for _ in range(2 if piece == b"\r\n" else 1):
                time.sleep(0.4)
                peer.sendall(piece)
            assert read_all(peer) == b"", "closed in silence: no request had begun"
            assert time.monotonic() - begun >= 0.9
        assert metric(server, "loopfork_timeouts_total") == 1

    def test_empty_lines_without_end_are_refused(self, start):
        server = start("--sleep", "0")
        with server.connect() as peer:
            answer = trickle(peer, b"\r\n", lambda answer: b"\r\n\r\n" in answer)
        assert answer.startswith(b"HTTP/1.1 400 ")

    def test_an_empty_line_in_two_pieces_is_one(self, start):
        server = start("--sleep", "0")
        with server.connect() as peer:
            for _ in range(3):
                for piece in (b"\r", b"\n", GET):
                    peer.sendall(piece)
                    time.sleep(0.05)
                assert read_response(peer)[0] == 200

    def test_a_connection_with_nothing_but_an_empty_line_does_not_hold_up_a_stop(self, start):
        server = start("--sleep", "0", "--keep-alive", "300", "--shutdown-timeout", "300")
        with server.connect() as peer:
            peer.sendall(GET)
            assert read_response(peer)[0] == 200
            received = metric(server, "loopfork_received_bytes_total")
            peer.sendall(b"\r\n")
            wait_until(lambda: metric(server, "loopfork_received_bytes_total") == received + 2, "the empty line")
            server.process.terminate()
            assert server.wait() == 0
            assert read_all(peer) == b""
