"""Deadlines of prefork_server: no header, body, answer or handler takes longer than it may, and the log says whose it was."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import threading
import time

import pytest

from prefork import metric, send, start, workers
from servers import PATIENCE, parse_response, read_all, wait_until


CLASSES = pytest.mark.parametrize("threads", [1, 2], ids=["sync", "gthread"])


@CLASSES
@pytest.mark.parametrize("work", ["sleep=30", "cpu=50000", "cpu=50000&sleep=30"])
def test_a_handler_that_takes_too_long(start, work, threads):
    """Its client is told 504, the log names the request, and the worker goes on."""
    server = start("--threads", threads, "--handler-timeout", 0.3, "--max-cpu", 60000, "--admin", "127.0.0.1:0")
    old = workers(server, 1)
    begun = time.monotonic()
    status, _, body = parse_response(server.exchange(f"GET /slow?{work} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
    assert status == 504 and b"--handler-timeout" in body
    assert 0.3 <= time.monotonic() - begun < 15
    server.wait_log(rf'\[{old[0]}\] \[WARNING\] Handler of "GET /slow\?{work} HTTP/1\.1" from 127\.0\.0\.1 '
                    r"timed out after 0\.3 s \(--handler-timeout\)\n")
    assert server.get("/?sleep=0.01")[0] == 200
    assert workers(server, 1) == old
    assert metric(server, "loopfork_handler_timeouts_total") == 1
    assert metric(server, 'loopfork_responses_total{code="504"}') == 1
    assert metric(server, "loopfork_sleeping") == metric(server, "loopfork_computing") == 0


@CLASSES
def test_a_handler_that_has_time_is_not_cut_short(start, threads):
    server = start("--threads", threads, "--handler-timeout", 20, "--admin", "127.0.0.1:0")
    for seconds in (0, 0.001, 0.05, 0.3):
        begun = time.monotonic()
        assert server.get(f"/?sleep={seconds}&cpu=10")[0] == 200
        assert time.monotonic() - begun >= seconds
    assert metric(server, "loopfork_handler_timeouts_total") == 0
    assert "timed out" not in server.log()


def test_what_a_client_sent_stands_escaped_in_the_log(start):
    server = start("--handler-timeout", 0.05)
    target = '/"[CRITICAL]\\' + "x" * 3000 + "?sleep=5"
    assert parse_response(server.exchange(f"GET {target} HTTP/1.0\r\n\r\n".encode()))[0] == 504
    server.wait_log(r'\[WARNING\] Handler of "GET /\\"\[CRITICAL\]\\\\x{400,500} HTTP/1\.0" from 127\.0\.0\.1 timed out after')


def trickle(peer, piece, pause):
    """Sends PIECE after each PAUSE until an answer comes; returns it whole, and how many pieces it took."""
    for count in range(int(PATIENCE / pause)):
        try:
            peer.settimeout(pause)
            first = peer.recv(65536)
            peer.settimeout(PATIENCE)
            return first + read_all(peer), count
        except TimeoutError:
            with contextlib.suppress(OSError):  # it may have closed by now
                peer.sendall(piece)
    raise AssertionError("no answer")


@pytest.mark.parametrize("framing, piece", [("Content-Length: 100000", b"x"), ("Transfer-Encoding: chunked", b"1\r\nx\r\n")],
                         ids=["length", "chunked"])
@CLASSES
def test_a_body_that_trickles(start, framing, piece, threads):
    """Each piece comes in time, but all are slower than --min-rate: with --timeout 0 too, nobody holds a worker like that."""
    server = start("--threads", threads, "--body-timeout", 0.6, "--min-rate", 1000, "--timeout", 0)
    old = workers(server, 1)
    begun = time.monotonic()
    with send(server, f"GET /drop?sleep=5 HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode()) as peer:
        answer, count = trickle(peer, piece, 0.05)
    assert parse_response(answer)[0] == 408
    assert time.monotonic() - begun >= 0.6 and count > 1
    server.wait_log(rf'\[WARNING\] Body of "GET /drop\?sleep=5 HTTP/1\.1" from 127\.0\.0\.1 timed out after '
                    r"\d+(\.\d+)? s: \d+ bytes came \(--body-timeout, --min-rate, --timeout\)\n")
    assert server.get("/?sleep=0")[0] == 200
    assert workers(server, 1) == old


@CLASSES
def test_an_echo_that_trickles_is_cut_short(start, threads):
    """Its head has left: that fewer bytes come than it promised is all that can be said."""
    server = start("--threads", threads, "--body-timeout", 0.6, "--min-rate", 1000, "--timeout", 0, "--sleep", 0)
    with send(server, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n") as peer:
        echoed = b""
        for _ in range(400):
            peer.sendall(b"x")
            time.sleep(0.05)
            peer.settimeout(PATIENCE)
            part = peer.recv(65536)
            if not part:
                break
            echoed += part
        status, _, body = parse_response(echoed)
        assert status == 200 and 1 < len(body) < 400
    server.wait_log(r'\[WARNING\] Body of "POST /echo HTTP/1\.1" from 127\.0\.0\.1 timed out after')
    assert server.get()[0] == 200


@pytest.mark.parametrize("rate", [20, 0])
def test_a_body_that_is_slow_and_fast_enough(start, rate):
    """It takes longer than --body-timeout in all."""
    server = start("--body-timeout", 3, "--min-rate", rate, "--sleep", 0)
    begun = time.monotonic()
    with send(server, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 80\r\n\r\n") as peer:
        for _ in range(40):
            time.sleep(0.08)
            peer.sendall(b"xy")
        assert parse_response(read_all(peer))[::2] == (200, b"xy" * 40)
    assert time.monotonic() - begun > 3


@CLASSES
def test_an_answer_that_is_taken_too_slowly(start, threads):
    """Some of it is taken each time before --drain-timeout is over, but all of it at less than --min-rate."""
    server = start("--threads", threads, "--drain-timeout", 1, "--min-rate", 1_000_000_000, "--sleep", 0, "--timeout", 0)
    with server.connect() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        sender = threading.Thread(target=flood, args=(peer,))
        sender.start()
        begun = time.monotonic()
        while "does not read its answer" not in server.log():
            assert time.monotonic() - begun < PATIENCE, server.log()
            with contextlib.suppress(OSError):
                peer.recv(65536)
            time.sleep(0.05)
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)
        sender.join()
    server.wait_log(r'127\.0\.0\.1 does not read its answer to "POST /echo HTTP/1\.1": cut off after \d+(\.\d+)? s')
    assert server.get()[0] == 200


def flood(peer):
    with contextlib.suppress(OSError):
        while True:
            peer.sendall(b"x" * 65536)


def test_a_flood_ends_before_its_worker(start):
    """Who sends without a pause and takes all that comes is never waited for, but ends in time for the worker to live."""
    server = start("--timeout", 8, "--sleep", 0)
    old = workers(server, 1)
    with server.connect() as peer:
        peer.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        sender = threading.Thread(target=flood, args=(peer,))
        sender.start()
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            while peer.recv(1 << 20):
                pass
        assert time.monotonic() - begun < PATIENCE
        sender.join()
    server.wait_log(r'Body of "POST /echo HTTP/1\.1" from 127\.0\.0\.1 timed out after 7(\.\d+)? s')
    assert server.get()[0] == 200
    assert workers(server, 1) == old
    assert "WORKER TIMEOUT" not in server.log()


@pytest.mark.parametrize("work", ["sleep=30", "cpu=60000"])
def test_a_worker_that_is_ended_by_timeout_says_so_to_the_log_and_the_client(start, tmp_path, work):
    access = tmp_path / "access.log"
    server = start("--timeout", 3, "--max-cpu", 60000, "--access-logfile", access, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    # What follows the request, unread, must not turn the answer into a reset.
    status, head, body = parse_response(server.exchange(f"GET /slow?{work} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + b"GET " * 1000))
    assert status == 504 and b"\r\nConnection: close" in head and b"--timeout" in body
    assert len(body) == int(re.search(rb"Content-Length: (\d+)", head).group(1))
    server.wait_log(rf'\[{worker}\] \[ERROR\] Worker \(pid:{worker}\) was busy for \d+\.\d s with "GET /slow\?{work} HTTP/1\.1" '
                    r"from 127\.0\.0\.1: ended by --timeout, answered 504\n")
    server.wait_log(rf"\[CRITICAL\] WORKER TIMEOUT \(pid:{worker}\)")
    server.wait_log(rf"\[ERROR\] Worker \(pid:{worker}\) exited with code 1")
    assert "SIGKILL" not in server.log()
    assert re.search(rf'"GET /slow\?{work} HTTP/1\.1" 504 {len(body)} ', access.read_text())
    assert workers(server, 1) != [worker]
    assert server.get("/?sleep=0")[0] == 200
    assert metric(server, "loopfork_worker_timeouts_total") == metric(server, "loopfork_handler_timeouts_total") == 1
    assert metric(server, 'loopfork_responses_total{code="504"}') == 1


def test_abrt_in_the_middle_of_a_body_names_the_request(start):
    """Its client is still sending, so nothing is answered."""
    server = start("--timeout", 0)
    (worker,) = workers(server, 1)
    with send(server, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123") as peer:
        read_response_head(peer)
        os.kill(worker, signal.SIGABRT)
        assert read_all(peer) == b""
    server.wait_log(rf'Worker \(pid:{worker}\) was busy for \d+\.\d s with "POST /echo HTTP/1\.1" from 127\.0\.0\.1: '
                    r"ended by SIGABRT\n")
    server.wait_log(rf"\[ERROR\] Worker \(pid:{worker}\) exited with code 1")


def read_response_head(peer):
    data = b""
    while b"\r\n\r\n123" not in data:
        data += peer.recv(1000)


def test_abrt_in_the_middle_of_a_header(start):
    server = start("--timeout", 0)
    (worker,) = workers(server, 1)
    with send(server, b"GET / HT") as peer:
        wait_until(lambda: has_connection(worker, peer), "a worker with the connection")
        os.kill(worker, signal.SIGABRT)
        assert read_all(peer) == b""
    server.wait_log(rf"Worker \(pid:{worker}\) was busy for \d+\.\d s with an unfinished request from 127\.0\.0\.1: ended by SIGABRT\n")


def has_connection(pid, peer):
    """PID has a descriptor of the connection whose other end is PEER."""
    address = "%08X:%04X" % (socket.htonl(0x7F000001), peer.getsockname()[1])
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[2] == address}
    links = set()
    for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.add(os.readlink(path))
    return inodes & links


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGABRT])
def test_a_worker_with_nothing_to_do_has_nothing_to_say(start, number):
    server = start()
    (worker,) = workers(server, 1)
    assert server.get("/?sleep=0")[0] == 200
    os.kill(worker, number)
    server.wait_log(rf"Worker exiting \(pid: {worker}\)")
    assert "was busy" not in server.log()
