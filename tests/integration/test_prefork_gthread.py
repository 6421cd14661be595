"""prefork_server's gthread worker: threads, connections that stay, and what ends their waits."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from inject import Injector, build_library
from prefork import GET, PROGRAM, asleep, is_alive, metric, queue_length, run, send, start, status_of, workers  # noqa: F401
from servers import PATIENCE, PreforkServer, parse_response, read_all, read_response, wait_until

TSAN = pytest.mark.skipif("tsan" in str(PROGRAM), reason="ThreadSanitizer holds handlers back in a thread that sleeps")
CLOSE = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


def ask(peer, data=GET):
    peer.sendall(data)
    return read_response(peer)


class KeepLoad:
    """COUNT clients with a connection each, which they keep as long as the server does; `lost` got no answer of 200."""

    def __init__(self, server, count, target="/"):
        self.server = server
        self.request = f"GET {target} HTTP/1.1\r\nHost: test\r\n\r\n".encode()
        self.done, self.connections, self.lost, self.stopped = 0, 0, [], False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def on_one_connection(self):
        with self.server.connect() as peer:
            with self.lock:
                self.connections += 1
            while not self.stopped:
                status, head, _ = ask(peer, self.request)
                with self.lock:
                    self.done += status == 200
                    if status != 200:
                        self.lost.append(status)
                if b"Connection: close" in head:
                    return

    def run(self):
        while not self.stopped:
            try:
                self.on_one_connection()
            except (OSError, AssertionError) as error:
                with self.lock:
                    self.lost.append(repr(error))

    def more(self, count=200):
        """Waits for COUNT more answers."""
        goal = self.done + count
        wait_until(lambda: self.done >= goal, f"{count} more answers; lost: {self.lost}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        for thread in self.threads:
            thread.join(PATIENCE)


def gauge(server, name, value):
    wait_until(lambda: metric(server, name) == value, f"{name} {value}")


def test_a_connection_stays(start):
    server = start("--threads", 2, "--sleep", 0, "--admin", "127.0.0.1:0")
    assert "Using worker: gthread" in server.log()
    with server.connect() as peer:
        for _ in range(5):
            status, head, body = ask(peer)
            assert (status, body) == (200, b"Hello, Anonymous")
            assert head.count(b"\r\nConnection: keep-alive") == 1
        status, head, _ = ask(peer, b"GET /nobody/here HTTP/1.1\r\nHost: test\r\n\r\n")
        assert status == 404 and b"\r\nConnection: keep-alive" in head
        peer.sendall(CLOSE)
        status, head, _ = parse_response(read_all(peer))
        assert status == 200 and b"\r\nConnection: close" in head
    assert metric(server, "loopfork_requests_total") == 7
    assert metric(server, "loopfork_connections_accepted_total") == 1
    gauge(server, "loopfork_connections_open", 0)


def test_one_thread_is_enough_to_be_one(start):
    server = start("--worker-class", "gthread", "--sleep", 0)
    with server.connect() as first, server.connect() as second:
        for _ in range(3):
            assert ask(first)[0] == ask(second)[0] == 200


def test_versions_and_methods(start):
    server = start("--threads", 2, "--sleep", 0)
    with server.connect() as peer:
        status, head, _ = ask(peer, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert status == 200 and b"\r\nConnection: keep-alive" in head
        peer.sendall(b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n")
        status, head, _ = read_response(peer, head_only=True)
        assert status == 200 and b"\r\nContent-Length: 16" in head
        peer.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert peer.recv(len(interim), socket.MSG_WAITALL) == interim
        assert ask(peer, b"hello")[2] == b"hello"
        peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
        status, head, _ = parse_response(read_all(peer))
        assert status == 200 and b"\r\nConnection: close" in head


def test_keep_alive_0_is_one_request_a_connection(start):
    server = start("--threads", 2, "--keep-alive", 0, "--sleep", 0)
    for _ in range(3):
        status, head, _ = parse_response(server.exchange(GET))
        assert status == 200 and b"\r\nConnection: close" in head


def test_a_quiet_connection_ends_after_keep_alive(start):
    server = start("--threads", 2, "--keep-alive", 0.5, "--sleep", 0)
    with server.connect() as peer:
        for pause in (0.2, 0.2):
            assert ask(peer)[0] == 200
            time.sleep(pause)
        assert ask(peer)[0] == 200
        begin = time.monotonic()
        assert peer.recv(100) == b""
        assert time.monotonic() - begin >= 0.4  # begun when the answer had come, a little later than the server did
    assert "timed out" not in server.log()


@pytest.mark.parametrize("threads", [1, 4])
def test_what_is_sent_ahead_is_answered_in_order(start, threads):
    server = start("--worker-class", "gthread", "--threads", threads, "--sleep", 0)
    bodies = [b"%d" % i * (i % 50 + 1) for i in range(1000)]
    with server.connect() as peer:
        data = b"".join(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(b), b) for b in bodies)
        feeder = threading.Thread(target=peer.sendall, args=(data,))
        feeder.start()
        assert [read_response(peer)[2] for _ in bodies] == bodies
        feeder.join()


def test_requests_in_pieces(start):
    """Every split of two requests: what has come of a header is put aside, by whatever thread, and taken up again."""
    server = start("--threads", 3, "--sleep", 0)
    data = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" + GET
    for at in range(1, len(data), 3):
        with server.connect() as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(data[:at])
            time.sleep(0.002)
            peer.sendall(data[at:])
            assert read_response(peer)[2] == b"abc"
            assert read_response(peer)[2] == b"Hello, Anonymous"
    with server.connect() as peer:
        for byte in data:
            peer.sendall(bytes([byte]))
            time.sleep(0.0005)
        assert read_response(peer)[2] == b"abc"
        assert read_response(peer)[2] == b"Hello, Anonymous"


def test_as_many_at_once_as_there_are_threads(start):
    server = start("--threads", 4, "--sleep", 1, "--admin", "127.0.0.1:0")
    begin = time.monotonic()
    peers = [send(server, CLOSE) for _ in range(8)]
    asleep(server, 4)
    assert queue_length(server) == 4  # nobody accepts what nobody can serve
    assert [status_of(peer) for peer in peers] == [200] * 8
    assert time.monotonic() - begin >= 2


def test_slow_clients_hold_no_thread(start):
    server = start("--threads", 2, "--sleep", 0, "--header-timeout", 60)
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(send(server, data)) for data in (b"", b"GET / HT", GET[:-1]) for _ in range(7)]
        for _ in range(5):
            assert server.get()[0] == 200
        for i, peer in enumerate(slow):
            peer.sendall((GET, b"TP/1.1\r\nHost: test\r\n\r\n", b"\n")[i // 7])
            assert read_response(peer)[0] == 200
    assert "timed out" not in server.log()


def test_a_header_that_does_not_come(start):
    server = start("--threads", 2, "--sleep", 0, "--header-timeout", 0.5)
    begin = time.monotonic()
    peers = [send(server, data) for data in (b"", b"GET / HT")]
    for peer in peers:
        with peer:
            status, head, _ = parse_response(read_all(peer))
            assert status == 408 and b"\r\nConnection: close" in head
            assert time.monotonic() - begin >= 0.5
    server.wait_log(r"\[WARNING\] Request from 127\.0\.0\.1 timed out after [\d.]+ s: 0 bytes came, \"\"")
    server.wait_log(r"\[WARNING\] Request from 127\.0\.0\.1 timed out after [\d.]+ s: 8 bytes came, \"GET / HT\"")


def test_a_header_behind_an_answer_has_a_deadline_of_its_own(start):
    server = start("--threads", 1, "--worker-class", "gthread", "--sleep", 0, "--header-timeout", 1, "--keep-alive", 60)
    with server.connect() as peer:
        assert ask(peer)[0] == 200
        time.sleep(1.5)  # idle, for which there is --keep-alive
        peer.sendall(b"GET")
        status, _, _ = parse_response(read_all(peer))
        assert status == 408


def test_who_is_refused_lingers_without_a_thread(start):
    server = start("--worker-class", "gthread", "--threads", 1, "--sleep", 0)
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        for _ in range(10):  # each lingers for 2 s
            peer = stack.enter_context(send(server, b"POST /nobody/here HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx"))
            assert read_response(peer)[0] == 404
            assert peer.recv(1) == b""
        assert server.get()[0] == 200
        assert time.monotonic() - begin < 15


def test_an_unread_body_does_not_cost_the_answer(start):
    server = start("--threads", 2, "--sleep", 0)
    body = bytes(3_000_000)
    for _ in range(5):
        status, _, _ = server.get("/", method="GET", body=body)
        assert status == 413


def test_clients_that_leave(start):
    server = start("--threads", 2, "--sleep", 0.1, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    for data in (b"", b"GET", GET, GET + b"GET", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12"):
        for reset in (False, True):
            peer = send(server, data)
            if reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            peer.close()
    with server.connect() as peer:  # idle
        assert ask(peer)[0] == 200
    gauge(server, "loopfork_connections_open", 0)
    gauge(server, "loopfork_sleeping", 0)
    assert server.get()[0] == 200
    assert workers(server, 1) == [worker]


def test_a_client_that_sends_and_ends_its_side(start):
    """What came together with the end of the peer's side is answered, and the connection is closed then, not later."""
    server = start("--threads", 2, "--keep-alive", 1000, "--sleep", 0)
    for _ in range(20):
        with send(server, GET + GET) as peer:
            peer.shutdown(socket.SHUT_WR)
            assert read_all(peer).count(b"Hello, Anonymous") == 2
        with server.connect() as peer:
            assert ask(peer)[0] == 200
            peer.sendall(GET)
            peer.shutdown(socket.SHUT_WR)
            assert read_all(peer).count(b"Hello, Anonymous") == 1


def test_a_request_while_the_one_before_is_served(start):
    """Its event comes to another thread, which must leave it to the one that has the connection."""
    server = start("--threads", 4, "--sleep", 0.2, "--admin", "127.0.0.1:0")
    with server.connect() as peer:
        peer.sendall(GET)
        asleep(server)
        for _ in range(5):
            peer.sendall(GET)
            time.sleep(0.01)
        assert metric(server, "loopfork_sleeping") <= 1
        for _ in range(6):
            assert read_response(peer)[0] == 200


def test_no_more_connections_than_worker_connections(start):
    server = start("--threads", 1, "--worker-class", "gthread", "--worker-connections", 3, "--sleep", 0, "--header-timeout", 60)
    held = [send(server, b"GET /") for _ in range(3)]
    late = [send(server, CLOSE) for _ in range(2)]
    wait_until(lambda: queue_length(server) == 2, "two in the queue")
    time.sleep(0.3)
    assert queue_length(server) == 2
    held.pop().close()
    assert [status_of(peer) for peer in late] == [200] * 2
    for peer in held:
        peer.sendall(b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_response(peer)[0] == 200
        peer.close()


def test_a_slot_a_thread_is_left_for_those_who_come(start):
    server = start("--threads", 2, "--worker-connections", 4, "--keep-alive", 60, "--sleep", 0)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(server.connect()) for _ in range(4)]
        answers = [ask(peer)[1] for peer in peers]
        assert sum(b"Connection: close" in head for head in answers) == 2
        assert server.get()[0] == 200


def test_too_few_connections_to_keep_any(start):
    server = start("--threads", 4, "--worker-connections", 4, "--sleep", 0)
    assert "[WARNING] No keepalived connections can be handled. " in server.log()
    status, head, _ = parse_response(server.exchange(GET))
    assert status == 200 and b"Connection: close" in head


def test_several_addresses(start, tmp_path):
    path = tmp_path / "socket"
    server = start("--bind", "127.0.0.1:0", "--bind", f"unix:{path}", "--threads", 2, "--sleep", 0)
    port = int(re.search(r"Listening at: \S*?:\d+,http://127\.0\.0\.1:(\d+),", server.log()).group(1))
    for address in ((server.host, server.port), (server.host, port), str(path)):
        with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(address)
            assert [ask(peer)[0] for _ in range(3)] == [200] * 3


def test_a_hung_thread_is_named_and_the_others_go_on(start):
    server = start("--threads", 3, "--timeout", 1, "--sleep", 0, "--max-sleep", 60)
    (worker,) = workers(server, 1)
    hung = send(server, b"GET /slow?sleep=4 HTTP/1.1\r\nHost: x\r\n\r\n")
    match = server.wait_log(
        r'\[ERROR\] Thread (\d) has been busy for ([\d.]+) s with "GET /slow\?sleep=4" from 127\.0\.0\.1')
    assert float(match.group(2)) >= 1
    while not read_ready(hung):
        assert server.get()[0] == 200
        time.sleep(0.05)
    with hung:
        assert read_response(hung)[0] == 200
    assert server.log().count("has been busy for") == 1
    assert "WORKER TIMEOUT" not in server.log()
    assert workers(server, 1) == [worker]


def read_ready(peer):
    peer.setblocking(False)
    try:
        return peer.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return False
    finally:
        peer.settimeout(PATIENCE)


@TSAN
def test_a_worker_all_of_whose_threads_hang_is_replaced(start):
    server = start("--threads", 2, "--timeout", 1, "--sleep", 0, "--max-sleep", 60)
    (worker,) = workers(server, 1)
    hung = [send(server, b"GET /%d?sleep=50 HTTP/1.1\r\nHost: x\r\n\r\n" % i) for i in range(2)]
    server.wait_log(rf"\[CRITICAL\] WORKER TIMEOUT \(pid:{worker}\)")
    for i, peer in enumerate(hung):
        assert status_of(peer) == 504
        server.wait_log(rf"\[ERROR\] Worker \(pid:{worker}\) was busy for [\d.]+ s with \"GET /{i}\?sleep=50 HTTP/1.1\" "
                        r"from 127\.0\.0\.1: ended by --timeout, answered 504")
    wait_until(lambda: server.worker_pids() not in ([], [worker]), "another worker")
    assert server.get()[0] == 200


def test_busy_threads_that_make_progress_are_not_overdue(start):
    server = start("--threads", 2, "--timeout", 2, "--sleep", 0.8)
    (worker,) = workers(server, 1)
    with KeepLoad(server, 4) as load:
        time.sleep(5)
    assert load.lost == [] and load.done > 0
    assert workers(server, 1) == [worker]
    assert "busy for" not in server.log()


@pytest.mark.parametrize("sleep", [0, 0.01])
def test_no_request_is_lost_to_hup(start, sleep):
    server = start("--threads", 4, "--workers", 2, "--sleep", sleep)
    workers(server, 2)
    with KeepLoad(server, 6) as load:
        for _ in range(5):
            load.more()
            old = set(server.worker_pids())
            server.signal(signal.SIGHUP)
            wait_until(lambda: len(now := set(server.worker_pids())) == 2 and not now & old, "new workers")
        load.more()
    assert load.lost == []


def test_no_request_is_lost_to_max_requests_and_ttou(start):
    server = start("--threads", 4, "--workers", 2, "--max-requests", 50, "--sleep", 0)
    with KeepLoad(server, 6) as load:
        for number in (signal.SIGTTIN, signal.SIGTTOU) * 3:
            load.more()
            server.signal(number)
    assert load.lost == []
    assert server.log().count("Autorestarting worker after current request.") >= 10


def test_term_answers_once_more_and_says_so(start):
    server = start("--threads", 2, "--sleep", 0.5, "--keep-alive", 5, "--admin", "127.0.0.1:0")
    with server.connect() as busy, server.connect() as idle:
        assert ask(idle, b"GET /?sleep=0 HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200
        busy.sendall(GET)
        asleep(server)
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        status, head, _ = parse_response(read_all(busy))
        assert status == 200 and b"\r\nConnection: close" in head
        idle.sendall(GET)
        status, head, _ = parse_response(read_all(idle))
        assert status == 200 and b"\r\nConnection: close" in head
    assert server.wait() == 0


def test_term_waits_for_quiet_connections_no_longer_than_keep_alive(start):
    server = start("--threads", 2, "--sleep", 0, "--keep-alive", 1)
    with server.connect() as idle:
        assert ask(idle)[0] == 200
        server.signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        assert server.wait() == 0


def test_term_does_not_wait_for_ever_for_a_long_keep_alive(start):
    server = start("--threads", 2, "--sleep", 0, "--keep-alive", 1000, "--graceful-timeout", 2)
    with server.connect() as idle, send(server, b"GET /") as partial:
        assert ask(idle)[0] == 200
        server.signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        assert parse_response(read_all(partial))[0] == 408
        assert server.wait() == 0
    assert "SIGKILL" not in server.log()


def test_a_stop_serves_those_who_wait_to_be_accepted(start):
    server = start("--threads", 1, "--worker-class", "gthread", "--sleep", 0.2, "--admin", "127.0.0.1:0")
    peers = [send(server) for _ in range(6)]
    asleep(server)
    server.signal(signal.SIGTERM)
    assert [status_of(peer) for peer in peers] == [200] * 6
    assert server.wait() == 0


@TSAN
def test_abort_ends_those_who_wait_for_a_client_too(start):
    """Whatever the threads are at: in a handler, in a body, in an answer; what is idle or parked has no part in it."""
    server = start("--threads", 3, "--sleep", 30, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    body = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12"
    with send(server) as asleep_one, send(server, body) as slow, send(server, b"GET / HT") as parked:
        asleep(server)
        assert slow.recv(1) == b"H"
        os.kill(worker, signal.SIGABRT)
        assert parse_response(read_all(asleep_one))[0] == 504
        read_all(slow)
        assert read_all(parked) == b""
    server.wait_log(r"was busy for [\d.]+ s with \"GET / HTTP/1\.1\" .*, answered 504")
    server.wait_log(r"was busy for [\d.]+ s with \"POST /echo HTTP/1\.1\" ")
    server.wait_log(rf"\[ERROR\] Worker \(pid:{worker}\) exited with code 1")
    assert server.log().count("was busy for") == 2


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_quit_loses_no_line_of_the_access_log(start, tmp_path, number):
    path = tmp_path / "access.log"
    server = start("--threads", 4, "--sleep", 0, "--access-logfile", path)
    with KeepLoad(server, 8) as load:
        load.more(1000)
        server.signal(number)
        load.stopped = True
        assert server.wait() == 0
    assert path.read_text().count("\n") >= load.done


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGINT])
def test_quit_does_not_wait(start, number):
    server = start("--threads", 2, "--sleep", 30, "--admin", "127.0.0.1:0")
    with send(server) as peer:
        asleep(server)
        server.signal(number)
        assert server.wait() == 0
        assert read_all(peer) == b""


def test_usr1_moves_the_logs_of_all_threads(start, tmp_path):
    access, moved = tmp_path / "access.log", tmp_path / "access.log.1"
    server = start("--threads", 4, "--sleep", 0, "--access-logfile", access)
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(server.connect()) for _ in range(8)]
        for peer in peers:
            assert ask(peer, b"GET /before HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200
        wait_until(lambda: access.read_text().count("GET /before ") == 8, "eight lines")
        access.rename(moved)
        server.signal(signal.SIGUSR1)
        wait_until(access.exists, "a new file")
        (worker,) = workers(server, 1)
        wait_until(lambda: str(moved) not in open_files(worker), "the worker to let go of the old one")
        for peer in peers:
            assert ask(peer, b"GET /after HTTP/1.1\r\nHost: x\r\n\r\n")[0] == 200
        wait_until(lambda: access.read_text().count("GET /after ") == 8, "eight lines")
    assert moved.read_text().count("\n") == 8


def open_files(pid):
    return {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}


def test_each_request_has_a_line_and_no_line_is_torn(start, tmp_path):
    path = tmp_path / "access.log"
    server = start("--threads", 8, "--sleep", 0, "--access-logfile", path)
    with KeepLoad(server, 8) as load:
        load.more(2000)
    server.stop()
    lines = path.read_text().splitlines()
    assert load.lost == [] and len(lines) == load.done
    for line in lines:
        assert re.fullmatch(r'127\.0\.0\.1 - - \[[^]]+\] "GET / HTTP/1\.1" 200 16 "-" "-"', line)


def test_a_worker_follows_a_killed_arbiter(start):
    server = start("--threads", 2, "--sleep", 0)
    (worker,) = workers(server, 1)
    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: not is_alive(worker), "the worker's end")
    assert "Parent changed, shutting down: <Worker" in server.log()


def test_no_descriptor_for_a_connection(start):
    """EMFILE at accept: said once, no spinning, and those who are connected are served meanwhile."""
    server = start("--threads", 2, "--sleep", 0, "--keep-alive", 60)
    (worker,) = workers(server, 1)
    with server.connect() as kept:
        assert ask(kept)[0] == 200
        used = len(os.listdir(f"/proc/{worker}/fd"))
        hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, hard))
        peers = [send(server, CLOSE) for _ in range(3)]
        server.wait_log(r"\[ERROR\] Cannot accept: Too many open files")
        for _ in range(5):
            assert ask(kept)[0] == 200
            time.sleep(0.1)
        assert server.log().count("Cannot accept") == 1
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
        assert [status_of(peer) for peer in peers] == [200] * 3
        time.sleep(1.1)  # without a failure: the episode is over with the next connection
        assert server.get()[0] == 200
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, hard))
        peer = send(server, CLOSE)
        server.wait_log("Cannot accept", count=2)  # another episode
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
        assert status_of(peer) == 200
    assert workers(server, 1) == [worker]


def test_no_thread_to_start(start):
    """EAGAIN from pthread_create: a worker goes on with fewer threads, and without any the server does not begin."""
    uid = 20_000 + os.getpid() % 40_000  # whose processes are all ours to count

    def become_user(limit=None):
        if limit:
            resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
        os.setuid(uid)

    if os.geteuid() != 0:
        pytest.skip("only root can become a user without other processes")
    try:
        subprocess.run([PROGRAM, "--version"], preexec_fn=become_user, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("another user cannot reach the program")
    if "tsan" in str(PROGRAM) or "asan" in str(PROGRAM):
        pytest.skip("the sanitizer has a thread of its own")
    # Room for the arbiter, the worker and two threads.
    server = start("--threads", 4, "--sleep", 0, preexec_fn=lambda: become_user(4))
    server.wait_log(r"\[ERROR\] Cannot start a thread: Resource temporarily unavailable; going on with 2 of 4")
    assert server.get()[0] == 200
    server.stop()
    done = run("--bind", "127.0.0.1:0", "--threads", 4, preexec_fn=lambda: become_user(2))
    assert done.returncode == 3
    assert "Worker cannot begin: Resource temporarily unavailable" in done.stderr


def test_a_connection_that_cannot_wait_is_closed(start, tmp_path):
    """The kernel has no room for another descriptor in the epoll set."""
    injector = Injector(build_library(tmp_path), tmp_path / "rules")
    server = start("--threads", 2, "--sleep", 0, "--header-timeout", 1, env=injector.env)
    assert server.get()[0] == 200
    injector.set("epoll_ctl", error="ENOSPC", times=1)
    with send(server) as peer:
        answer = read_all(peer)  # none, where it had to wait for the request already
        assert answer == b"" or parse_response(answer)[0] == 200
    injector.wait("epoll_ctl")
    server.wait_log(r"\[ERROR\] Cannot wait for a connection, which is closed: No space left on device")
    with server.connect() as peer:
        assert [ask(peer)[0] for _ in range(3)] == [200] * 3
    # After 408 it would have to wait again, for the client's end.
    with send(server, b"GET") as peer:
        peer.settimeout(0.3)
        with pytest.raises(TimeoutError):
            peer.recv(1)
        peer.settimeout(PATIENCE)
        injector.set("epoll_ctl", error="ENOMEM", times=1, skip=1)
        assert parse_response(read_all(peer))[0] == 408
        injector.wait("epoll_ctl")
    server.wait_log(r"\[ERROR\] Cannot wait for a connection, which is closed: Cannot allocate memory")
    assert server.get()[0] == 200


def test_a_worker_that_cannot_wait_cannot_begin(tmp_path):
    injector = Injector(build_library(tmp_path), tmp_path / "rules")
    injector.set("epoll_ctl", error="EPERM", times=1)
    done = run("--bind", "127.0.0.1:0", "--threads", 2, env=dict(os.environ, **injector.env))
    assert done.returncode == 3
    assert "Worker cannot begin: Operation not permitted" in done.stderr


def test_a_header_in_pieces_that_cannot_wait_is_told_so(start, tmp_path):
    injector = Injector(build_library(tmp_path), tmp_path / "rules")
    server = start("--threads", 2, "--sleep", 0, env=injector.env)
    assert server.get()[0] == 200  # a worker that begins needs the call itself
    # While both threads are busy it waits in the backlog, so that it is accepted together with what has come.
    busy = [send(server, b"GET /?sleep=1 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n") for _ in range(2)]
    wait_until(lambda: queue_length(server) == 0, "both accepted")
    injector.set("epoll_ctl", error="ENOSPC", times=1)
    with send(server, GET[:9]) as peer:
        status, head, _ = parse_response(read_all(peer))
    assert [status_of(other) for other in busy] == [200] * 2
    assert status == 503 and b"\r\nRetry-After: 1\r\n" in head
    server.wait_log(r"\[ERROR\] No memory for a request from 127\.0\.0\.1, of which 9 bytes came")
    injector.stop("epoll_ctl")
    with server.connect() as peer:
        assert [ask(peer)[0] for _ in range(3)] == [200] * 3


def test_the_busiest_and_the_idlest_worker(start, tmp_path):
    """Who has accepted goes to the end of the line."""
    server = start("--threads", 2, "--workers", 4, "--sleep", 0, "--access-logfile", tmp_path / "log",
                   "--access-logformat", "%(p)s")
    workers(server, 4)
    time.sleep(0.3)
    for _ in range(200):
        assert server.get()[0] == 200
    server.stop()
    counts = {}
    for line in (tmp_path / "log").read_text().splitlines():
        counts[line] = counts.get(line, 0) + 1
    assert len(counts) == 4 and max(counts.values()) <= 2 * min(counts.values()), counts


def test_an_idle_worker_is_small(start):
    server = start("--threads", 8, "--sleep", 0)
    (worker,) = workers(server, 1)
    if "asan" in str(PROGRAM) or "tsan" in str(PROGRAM):
        pytest.skip("the sanitizer's own memory is there")
    assert server.get()[0] == 200
    with open(f"/proc/{worker}/smaps_rollup", encoding="ascii") as file:
        text = file.read()
    private = sum(int(kib) for kib in re.findall(r"(?m)^Private_\w+:\s+(\d+) kB", text))
    assert private < 400, text


def test_a_connection_that_is_closed_ends_at_once(start):
    """
    A second thread may look at a connection's event in epoll_wait while the first one closes it, find nothing, and sleep
    on: the kernel then closes the connection when that one returns.  Here nothing makes it return.
    """
    server = start("--threads", 4, "--sleep", 0)
    head = b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    for _ in range(1500):
        with server.connect() as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer.sendall(head + b"3\r\nabc\r\n")
            time.sleep(0.001)
            peer.sendall(b"2\r\nde\r\n0\r\n\r\n")
            assert read_all(peer).endswith(b"0\r\n\r\n")
