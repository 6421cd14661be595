"""Each fault that the kernel and the neighbours may throw at a server: provoked, survived, and answered afterwards as before.

What a machine does not do when asked is injected (inject.py); what it does is done for real. Where a fault has a test elsewhere
already, the table says where: http for test_http_contract.py (both servers), async for test_async_server.py, prefork for
test_prefork_*.py (test_prefork_faults.py, if it has to be injected). Without a name it is in this file, for both servers unless it says so.

    fault                           test
    ------------------------------  ---------------------------------------------------------------------------------------
    accept: EMFILE                  TestAccept.test_out_of_means, and with a real limit:
                                    async TestExhaustion.test_without_descriptors_accepting_pauses_and_goes_on,
                                    prefork test_no_descriptor_for_a_connection
    accept: ENFILE, ENOBUFS, ENOMEM TestAccept.test_out_of_means, .test_a_stop_while_nothing_can_be_accepted
    accept: ECONNABORTED, EPROTO    TestAccept.test_a_connection_that_died_before_it_was_taken,
                                    .test_every_accept_fails_for_a_while
    accept: EINTR                   TestAccept.test_interrupted
    no memory to watch a connection TestAccept.test_a_connection_that_cannot_be_watched (async_server)
    RST in the middle of a write    TestWrites.test_a_reset_in_the_middle_of_an_answer, .test_an_error_ends_one_connection;
                                    http .test_resets_in_the_middle_harm_nobody; prefork test_a_storm_of_resets
    half-close                      http .test_a_half_closed_client_gets_its_answer,
                                    .test_a_client_that_ends_in_the_middle_harms_nobody
    partial writes                  TestWrites.test_bytes_leave_in_small_pieces, .test_no_room_for_a_moment; http .test_50_mb_stream_through
    partial reads                   TestReads.test_bytes_come_in_small_pieces
    EINTR                           the tests named .test_interrupted, of recv, send, accept, write, and of each call that waits;
                                    TestWaits.test_stopped_and_continued_again_and_again (real ones)
    SIGPIPE                         TestSigpipe; TestWrites.test_an_error_ends_one_connection[EPIPE]
    a full disk under the log       TestLogs; http .test_an_access_log_that_is_full_does_not_stop_the_server,
                                    async TestStart.test_a_full_disk_under_the_log_does_not_stop_it,
                                    prefork test_a_full_disk_under_the_logs
    fork: EAGAIN                    prefork test_no_process_for_a_worker, test_no_process_for_the_new_workers_of_a_reload,
                                    test_no_process_for_the_admin_address
    a worker's start: ENFILE        prefork test_a_want_that_passes_while_a_worker_begins
    poll: ENOMEM                    prefork test_no_memory_for_a_wait_for_a_client, test_no_memory_for_a_wait_at_several_addresses
    no memory for a request         prefork test_no_memory_for_a_request
    a turn to accept that is lost   prefork test_turns_that_get_lost, test_a_wait_for_a_turn_that_fails
    no thread                       async TestPool.test_a_request_that_gets_no_thread_is_told_so
    a stopped server or worker      TestWaits.test_stopped_for_longer_than_its_time_limits; prefork test_a_stopped_worker_is_replaced,
                                    test_a_stopped_arbiter_does_not_blame_its_workers
    a killed worker                 prefork test_a_worker_killed_under_load_loses_no_other_request, test_workers_follow_a_killed_arbiter
    clock jumps                     TestClock; prefork test_deadlines_do_not_go_by_the_wall_clock
    being PID 1                     TestPid1 (async_server); prefork test_as_pid_1, test_as_pid_1_it_reaps_those_of_others
    inherited fds                   TestInherited; closed ones: async TestStart.test_a_closed_standard_file_does_not_become_a_socket,
                                    prefork test_started_with_closed_standard_files_and_ignored_children
    inherited signals               TestInherited.test_signals_that_were_blocked_or_ignored
"""

import contextlib
import email.utils
import errno
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import pytest

from inject import ALWAYS, injector, library
from servers import BIN, PATIENCE, GthreadServer, parent_of, parse_response, read_all, read_response, wait_until

HELLO = b"Hello, Anonymous"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


@pytest.fixture
def start(request, start_server, injector):
    """start(*arguments) starts a server whose system calls obey `injector`; start.program is its name."""

    def start_one(*arguments, **more):
        return start_server("--sleep", "0", "--admin", "127.0.0.1:0", *arguments, env=injector.env, **more)

    start_one.program = request.node.callspec.params["start_server"].name
    return start_one


@pytest.fixture
def only(start):
    """only(NAME) skips the other server."""

    def check(name):
        if start.program != name:
            pytest.skip(f"{name} alone does this")

    return check


def metric(server, name):
    text = server.get("/metrics", port=server.admin_port())[2].decode()
    return sum(float(value) for value in re.findall(rf"(?m)^{re.escape(name)}(?:{{.*}})? (\S+)$", text))


def ask(server):
    """A connection that has asked, and waits for its answer."""
    peer = server.connect()
    peer.sendall(CLOSE)
    return peer


def answer(peer):
    with peer:
        return parse_response(read_all(peer))


def assert_still_answers(server):
    for _ in range(3):
        status, _, body = server.get("/")
        assert (status, body) == (200, HELLO)
    status, _, body = server.get("/echo", method="POST", body=b"abc")
    assert (status, body) == (200, b"abc")
    assert server.process.poll() is None
    wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "the end of every connection")


class TestAccept:
    @pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"])
    def test_out_of_means(self, start, injector, error):
        """Nobody who waits is lost, and the log says once what is the matter."""
        server = start()
        assert server.get("/")[0] == 200
        injector.set("accept4", error, times=4)
        peers = [ask(server) for _ in range(5)]
        injector.wait("accept4", 4)
        assert [answer(peer)[::2] for peer in peers] == [(200, HELLO)] * 5
        text = os.strerror(getattr(errno, error))
        assert server.log().count(f"Cannot accept: {text}") == 1
        assert metric(server, "loopfork_accept_pauses_total") == 1
        assert_still_answers(server)

    @pytest.mark.parametrize("error", ["ECONNABORTED", "EPROTO", "ENETDOWN", "EHOSTUNREACH"])
    def test_a_connection_that_died_before_it_was_taken(self, start, injector, error):
        """That is no fault of the server's, and nothing to wait for."""
        server = start()
        assert server.get("/")[0] == 200
        injector.set("accept4", error, times=5)
        peers = [ask(server) for _ in range(3)]
        injector.wait("accept4", 5)
        assert [answer(peer)[::2] for peer in peers] == [(200, HELLO)] * 3
        assert "Cannot accept" not in server.log()
        assert_still_answers(server)

    @pytest.mark.parametrize("error", ["EPROTO", "EPERM"])
    def test_every_accept_fails_for_a_while(self, start, injector, error):
        """Even of errors that are a single connection's, too many in a row are no reason to spin."""
        server = start()
        assert server.get("/")[0] == 200
        injector.set("accept4", error, times=ALWAYS)
        peers = [ask(server) for _ in range(3)]
        server.wait_log(rf"Cannot accept: {os.strerror(getattr(errno, error))}")
        injector.stop("accept4")
        assert [answer(peer)[::2] for peer in peers] == [(200, HELLO)] * 3
        assert_still_answers(server)

    def test_interrupted(self, start, injector):
        server = start()
        assert server.get("/")[0] == 200
        injector.set("accept4", "EINTR", times=5)
        peers = [ask(server) for _ in range(3)]
        injector.wait("accept4", 5)
        assert [answer(peer)[::2] for peer in peers] == [(200, HELLO)] * 3
        assert "Cannot accept" not in server.log()
        assert_still_answers(server)

    def test_who_is_connected_is_served_while_nobody_can_be_accepted(self, start, injector, only):
        only("async_server")
        server = start()
        with server.connect() as peer:
            peer.sendall(GET)
            assert read_response(peer)[2] == HELLO
            injector.set("accept4", "ENFILE", times=ALWAYS)
            waiting = ask(server)
            injector.wait("accept4", 2)
            for _ in range(10):
                peer.sendall(GET)
                assert read_response(peer)[2] == HELLO
            injector.stop("accept4")
            assert answer(waiting)[2] == HELLO
        assert_still_answers(server)

    def test_a_stop_while_nothing_can_be_accepted(self, start, injector):
        server = start("--shutdown-timeout" if start.program == "async_server" else "--graceful-timeout", "1")
        assert server.get("/")[0] == 200
        injector.set("accept4", "ENFILE", times=ALWAYS)
        with ask(server):
            injector.wait("accept4")
            server.signal(signal.SIGTERM)
            assert server.wait() == 0

    def test_a_connection_that_cannot_be_watched(self, start, injector, only):
        """epoll_ctl fails (max_user_watches): that connection ends, and no other."""
        only("async_server")
        server = start()
        with server.connect() as peer:
            for _ in range(2):  # it may be answered before it is watched, but not a second time
                peer.sendall(GET)
                assert read_response(peer)[2] == HELLO
            injector.set("epoll_ctl", "ENOSPC")
            with server.connect() as other:
                assert read_all(other) == b""
            assert injector.struck("epoll_ctl") == 1
            peer.sendall(GET)
            assert read_response(peer)[2] == HELLO
        assert_still_answers(server)


BODY = bytes(range(256)) * 8
ECHO = b"POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
ECHO_CHUNKED = (b"POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY))


def without_date(data):
    return re.sub(rb"\r\nDate: [^\r]*", b"", data)


class TestWrites:
    @pytest.mark.parametrize("most", [1, 7, 100])
    @pytest.mark.parametrize("request_bytes", [CLOSE, ECHO, ECHO_CHUNKED, GET * 3 + CLOSE], ids=["hello", "echo", "chunked", "pipelined"])
    def test_bytes_leave_in_small_pieces(self, start, injector, most, request_bytes):
        """As with a socket that has hardly any room: the client gets the same bytes."""
        server = start()
        whole = server.exchange(request_bytes)
        injector.set("send", times=ALWAYS, most=most)
        assert without_date(server.exchange(request_bytes)) == without_date(whole)
        injector.wait("send", 2)
        injector.stop("send")
        assert_still_answers(server)

    def test_interrupted(self, start, injector):
        server = start()
        injector.set("send", "EINTR", times=7)
        assert parse_response(server.exchange(ECHO))[2] == BODY
        assert server.get("/")[2] == HELLO
        assert injector.struck("send") == 7
        assert_still_answers(server)

    def test_no_room_for_a_moment(self, start, injector):
        server = start()
        for skip in range(3):
            injector.set("send", "EAGAIN", times=2, skip=skip)
            while injector.struck("send") < 2:
                assert parse_response(server.exchange(ECHO))[2] == BODY
                assert server.get("/")[2] == HELLO
        assert_still_answers(server)

    @pytest.mark.parametrize("error", ["ECONNRESET", "EPIPE", "ETIMEDOUT", "ENOBUFS"])
    def test_an_error_ends_one_connection(self, start, injector, error):
        server = start()
        injector.set("send", error)
        assert server.exchange(CLOSE) == b""
        assert injector.struck("send") == 1
        injector.set("send", error, skip=1)
        injector.set("recv", times=ALWAYS, most=500)  # so that an echo takes several writes
        assert len(server.exchange(ECHO)) < len(BODY)
        assert injector.struck("send") == 1
        injector.stop("recv")
        assert "ERROR" not in server.log()
        assert_still_answers(server)

    def test_a_reset_in_the_middle_of_an_answer(self, start):
        server = start()
        for _ in range(5):
            with server.connect() as peer:
                peer.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    peer.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
                    while True:
                        peer.sendall(b"x" * 65536)  # until both directions are full, as nobody reads the echo
                assert peer.recv(100).startswith(b"HTTP/1.1 200 ")
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "its end")
        assert "ERROR" not in server.log()
        assert_still_answers(server)


class TestReads:
    @pytest.mark.parametrize("most", [1, 5])
    @pytest.mark.parametrize("request_bytes", [CLOSE, ECHO, ECHO_CHUNKED, GET * 3 + CLOSE], ids=["hello", "echo", "chunked", "pipelined"])
    @pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
    def test_bytes_come_in_small_pieces(self, start, injector, tmp_path, most, request_bytes, unix):
        server = start(bind=f"unix:{tmp_path}/socket") if unix else start()
        if not unix and server.name == "async_server" and request_bytes.startswith(GET):
            # Of a TCP socket Linux gives all there is, and async_server counts on it between two requests: conn_run.c.
            pytest.skip("no kernel gives a whole request and keeps the next one back")

        def exchange():
            if not unix:
                return server.exchange(request_bytes)
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(PATIENCE)
                peer.connect(f"{tmp_path}/socket")
                peer.sendall(request_bytes)
                return read_all(peer)

        expected = parse_response(exchange())
        injector.set("recv", times=ALWAYS, most=most)
        status, _, body = parse_response(exchange())
        injector.wait("recv", 2)
        injector.stop("recv")
        assert status == 200 == expected[0]
        if request_bytes == ECHO_CHUNKED:  # cut into other chunks
            body = b"".join(re.findall(rb"(?s)[0-9a-f]+\r\n(.{%d}|.{%d})\r\n" % (most, len(BODY) % most or most), body))
            assert body == BODY
        elif request_bytes == ECHO:
            assert body == BODY
        else:
            assert body.count(HELLO) == expected[2].count(HELLO)
        if not unix:
            assert_still_answers(server)

    @pytest.mark.parametrize("error", ["EINTR", "EAGAIN"])
    def test_interrupted(self, start, injector, error):
        server = start()
        if error == "EAGAIN" and isinstance(server, GthreadServer):
            pytest.skip("where the kernel says EAGAIN there is nothing: an edge that comes later is waited for")
        for skip in range(3):
            injector.set("recv", error, times=3, skip=skip)
            while injector.struck("recv") < 3:
                assert server.get("/")[2] == HELLO
                assert server.get("/echo", method="POST", body=b"abc")[2] == b"abc"
        assert_still_answers(server)

    @pytest.mark.parametrize("error", ["ECONNRESET", "EHOSTUNREACH", "ENOMEM"])
    def test_an_error_ends_one_connection(self, start, injector, error):
        server = start()
        with contextlib.ExitStack() as stack:
            others = [stack.enter_context(server.connect()) for _ in range(2)] if server.keeps_alive else []
            for other in others:
                other.sendall(GET)
                assert read_response(other)[2] == HELLO
            injector.set("recv", error)
            assert server.exchange(CLOSE) == b""
            assert injector.struck("recv") == 1
            for other in others:
                other.sendall(GET)
                assert read_response(other)[2] == HELLO
        assert "ERROR" not in server.log()
        assert_still_answers(server)


def timed_sleep(server, seconds, mode=""):
    begun = time.monotonic()
    assert server.get(f"/?sleep={seconds}{mode}")[2] == HELLO
    return time.monotonic() - begun


def family(server):
    """The pids of the server and of its children."""
    return [server.pid] + [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*") if parent_of(path.name) == server.pid]


class TestWaits:
    """No wait ends early, or goes wrong, for being interrupted."""

    def test_epoll_interrupted(self, start, injector, only):
        only("async_server")
        server = start()
        injector.set("epoll", "EINTR", times=20)
        with server.connect() as peer:
            while injector.struck("epoll") < 20:
                peer.sendall(GET)
                assert read_response(peer)[2] == HELLO
                assert timed_sleep(server, 0.02) >= 0.02
        assert_still_answers(server)

    def test_poll_interrupted(self, start, injector, only):
        """A worker that waits for the rest of a header."""
        only("prefork_server")
        server = start()
        with server.connect() as peer:
            peer.sendall(CLOSE[:9])
            time.sleep(0.1)
            injector.set("poll", "EINTR", times=20, skip=1)  # the wait under way is not one of them
            for byte in CLOSE[9:]:
                peer.sendall(bytes([byte]))
                time.sleep(0.002)
            assert parse_response(read_all(peer))[2] == HELLO
        assert_still_answers(server)

    @pytest.mark.parametrize("mode", ["blocking", "threadpool"])
    def test_sleep_interrupted(self, start, injector, mode, only):
        if mode == "threadpool":
            only("async_server")
        server = start()
        injector.set("clock_nanosleep", "EINTR", times=30)
        assert timed_sleep(server, 0.1, f"&mode={mode}") >= 0.1
        if mode == "blocking":  # a pool thread waits for its cancellation too, on a condition variable
            assert injector.struck("clock_nanosleep") == 30
        assert_still_answers(server)

    def test_the_arbiters_calls_interrupted(self, start, injector, only):
        only("prefork_server")
        server = start()
        first = int(server.wait_log(r"Booting worker with pid: (\d+)").group(1))
        injector.set("sigtimedwait", "EINTR", times=10)
        injector.set("waitpid", "EINTR", times=3)
        os.kill(first, signal.SIGKILL)
        server.wait_log("Booting worker", count=2)
        injector.wait("sigtimedwait", 10)
        injector.wait("waitpid", 3)
        server.signal(signal.SIGTTIN)
        server.wait_log("Booting worker", count=3)
        assert_still_answers(server)

    def test_a_timer_that_could_not_be_set_is_set_again(self, start, injector, only):
        only("async_server")
        server = start()
        injector.set("timerfd_settime", "EINTR")
        with server.connect() as peer:
            peer.sendall(CLOSE.replace(b"/", b"/?sleep=0.2", 1))
            injector.wait("timerfd_settime")
            assert server.get("/")[2] == HELLO  # the next event of the loop makes it good
            assert parse_response(read_all(peer))[2] == HELLO
        assert_still_answers(server)

    def test_stopped_and_continued_again_and_again(self, start):
        """SIGCONT interrupts every call that waits, with no handler at all (signal(7))."""
        server = start()
        failures, answered, ended = [], [], threading.Event()

        def client():
            while not ended.is_set():
                try:
                    assert timed_sleep(server, 0.01) >= 0.01
                    assert server.get("/echo", method="POST", body=b"abc")[2] == b"abc"
                    answered.append(1)
                except (OSError, AssertionError) as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=client) for _ in range(4)]
        for thread in threads:
            thread.start()
        pids = wait_until(lambda: (pids := family(server)) and (len(pids) == 3 or start.program == "async_server") and pids,
                          "the workers")
        for _ in range(100):
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for pid in pids:
                    os.kill(pid, number)
            time.sleep(0.003)
        before = len(answered)
        wait_until(lambda: len(answered) > before + 4, "answers")
        ended.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert failures == []
        assert_still_answers(server)

    def test_stopped_for_longer_than_its_time_limits(self, start, only):
        """What came meanwhile, and in time, is served. (A stopped worker is its arbiter's affair: see prefork.)"""
        only("async_server")
        server = start("--header-timeout", "0.5", "--body-timeout", "0.5", "--keep-alive", "0.5")
        with contextlib.ExitStack() as stack:
            idle, fresh = (stack.enter_context(server.connect()) for _ in range(2))
            idle.sendall(GET)
            assert read_response(idle)[2] == HELLO
            server.signal(signal.SIGSTOP)
            for peer in (idle, fresh):
                peer.sendall(GET)
            late = [ask(server) for _ in range(3)]
            time.sleep(1.5)
            server.signal(signal.SIGCONT)
            for peer in (idle, fresh):
                assert read_response(peer)[2] == HELLO
            assert [answer(peer)[2] for peer in late] == [HELLO] * 3
        assert_still_answers(server)


@contextlib.contextmanager
def started(program, *arguments, shell=None, **more):
    """PROGRAM as a child that the test gives its files to. Yields (process, port, log path); SHELL may stand before `exec`."""
    with tempfile.TemporaryDirectory() as folder:
        log = pathlib.Path(folder, "log")
        command = [str(BIN / program), "--bind", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--sleep", "0", *map(str, arguments)]
        if shell:
            command = ["sh", "-c", f'{shell} exec "$0" "$@"', *command]
        with open(log, "wb") as file:
            more = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file} | more
            process = subprocess.Popen(command, **more)
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


LISTENING = {"async_server": r"Running on http://\S*:(\d+)", "prefork_server": r"Listening at: http://\S*:(\d+)"}
PROGRAMS = pytest.mark.parametrize("program", LISTENING)


def port_of(program, log):
    return int(wait_until(lambda: log.exists() and re.search(LISTENING[program], log.read_text()), "where it listens").group(1))


def get(port, target="/"):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
        peer.sendall(CLOSE.replace(b"/", target.encode(), 1))
        return parse_response(read_all(peer))[::2]


class TestSigpipe:
    def test_the_signal_itself(self, start):
        server = start()
        assert server.get("/")[0] == 200
        pids = family(server)
        for pid in pids:
            os.kill(pid, signal.SIGPIPE)
        assert_still_answers(server)
        assert family(server) == pids

    @PROGRAMS
    def test_logs_into_a_pipe_that_nobody_reads_any_more(self, program):
        reading, writing = os.pipe()
        with started(program, "--access-logfile", "-", stdout=writing, stderr=writing) as (process, _):
            os.close(writing)
            with open(reading, "rb", buffering=0) as pipe:
                text = b""
                while not (match := re.search(LISTENING[program].encode(), text)):
                    part = pipe.read(4096)
                    assert part, text
                    text += part
                port = int(match.group(1))
                assert get(port) == (200, HELLO)
            for _ in range(3):
                assert get(port) == (200, HELLO)
            process.send_signal(signal.SIGUSR1)  # has something to log
            assert get(port, "/?sleep=0.001") == (200, HELLO)
            process.terminate()
            assert process.wait(PATIENCE) == 0


def lines(path):
    return path.read_text().splitlines()


class TestLogs:
    def test_a_full_disk_that_has_room_again(self, start, injector, tmp_path):
        """What could not be written is counted, and what comes later is whole."""
        access = tmp_path / "access.log"
        server = start("--access-logfile", access)
        assert server.get("/before")[0] == 200
        wait_until(lambda: "/before" in access.read_text(), "the line")
        injector.set("write", "ENOSPC", times=ALWAYS)
        for _ in range(5):
            assert server.get("/full")[2] == HELLO
        injector.wait("write")
        wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "the end of every connection")
        injector.stop("write")
        # Threads that lost lines say so when they have others to write.
        lost = re.compile(r"\[WARNING\] The access log lost \d+ lines that could not be written")
        wait_until(lambda: server.get("/after")[0] == 200 and "/after" in access.read_text() and lost.search(server.log()),
                   "the lines afterwards, and how many there are not")
        form = re.compile(r'127\.0\.0\.1 .*\] "GET /(before|full|after) HTTP/1\.1" 200 \d+ "-" "-"')
        assert all(form.fullmatch(line) for line in lines(access)), access.read_text()
        assert_still_answers(server)

    def test_lines_that_are_written_in_small_pieces(self, start, injector, tmp_path):
        access = tmp_path / "access.log"
        server = start("--access-logfile", access)
        injector.set("write", times=ALWAYS, most=10)
        for i in range(5):
            assert server.get(f"/n{i}")[0] == 200
        wait_until(lambda: re.search(r"/n4 .*\n", access.read_text()), "the lines")
        assert injector.struck("write") > 5
        injector.stop("write")
        assert [re.search(r'"GET (\S+) HTTP/1.1" 200 \d+ "-" "-"$', line).group(1) for line in lines(access)] == [
            f"/n{i}" for i in range(5)]
        assert_still_answers(server)

    def test_interrupted(self, start, injector, tmp_path):
        access = tmp_path / "access.log"
        server = start("--access-logfile", access)
        injector.set("write", "EINTR", times=7)
        for i in range(5):
            assert server.get(f"/n{i}")[0] == 200
        wait_until(lambda: len(lines(access)) == 5, "every line, once")
        assert injector.struck("write") == 7
        assert_still_answers(server)

    @PROGRAMS
    def test_a_log_at_the_largest_size_that_a_file_may_have(self, program, tmp_path):
        """RLIMIT_FSIZE sends SIGXFSZ, which ends a process that does not ignore it; Python's do."""
        access = tmp_path / "access.log"
        with started(program, "--access-logfile", access,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))) as (process, log):
            port = port_of(program, log)
            for _ in range(50):
                assert get(port) == (200, HELLO)
            wait_until(lambda: access.stat().st_size > 1800, "a full log")
            assert get(port) == (200, HELLO)
            process.terminate()
            assert process.wait(PATIENCE) == 0


class TestClock:
    @pytest.mark.parametrize("seconds", [-3600, 3600], ids=["back", "forward"])
    def test_the_wall_clock_jumps(self, start, injector, seconds, tmp_path):
        """It is for reading by people. No sleep, no time limit and no heartbeat goes by it."""
        access = tmp_path / "access.log"
        server = start("--header-timeout", "30", "--access-logfile", access,
                       *(["--timeout", "20"] if start.program == "prefork_server" else []))
        pids = wait_until(lambda: (pids := family(server)) and (len(pids) == 3 or start.program == "async_server") and pids,
                          "the workers")
        with contextlib.ExitStack() as stack:
            begun = time.monotonic()
            idle = stack.enter_context(server.connect()) if server.keeps_alive else None
            if idle:
                idle.sendall(GET)
                assert read_response(idle)[2] == HELLO
            sleeper = stack.enter_context(server.connect())
            sleeper.sendall(CLOSE.replace(b"/", b"/?sleep=1.5", 1))
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the sleep")
            injector.move_wall_clock(seconds)
            assert parse_response(read_all(sleeper))[2] == HELLO
            assert time.monotonic() - begun >= 1.5
            if idle:
                idle.sendall(GET)
                assert read_response(idle)[2] == HELLO, "neither too old nor from the future"
        _, head, _ = server.get("/")
        date = email.utils.parsedate_to_datetime(re.search(rb"\r\nDate: ([^\r]+)", head).group(1).decode()).timestamp()
        assert abs(date - time.time() - seconds) < 600, "what people read follows the clock"
        assert_still_answers(server)
        assert family(server) == pids
        assert "TIMEOUT" not in server.log()

    @pytest.mark.parametrize("seconds", [-3600, 3600], ids=["back", "forward"])
    def test_time_limits_hold_while_it_jumps(self, start, injector, seconds):
        server = start("--header-timeout", "1")
        begun = time.monotonic()
        with server.connect() as peer:
            peer.sendall(GET[:9])
            time.sleep(0.2)
            injector.move_wall_clock(seconds)
            assert parse_response(read_all(peer))[0] == 408
            assert time.monotonic() - begun >= 0.99  # the loop's clock has milliseconds
        assert_still_answers(server)


class TestPid1:
    ENTER = ["unshare", "--pid", "--fork", "--kill-child", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]

    def test_async_server_in_a_container(self, tmp_path):
        """As PID 1 it gets no signal that it does not take itself, and the orphans of everybody else."""
        if shutil.which("unshare") is None or subprocess.run([*self.ENTER, "true"], capture_output=True).returncode != 0:
            pytest.skip("no new PID namespace here")
        log = tmp_path / "log"
        # A child of the shell that becomes the server, whose own child outlives it.
        orphans = "for i in 1 2 3; do (sleep 0.5 & exec true); done;"
        process = subprocess.Popen(
            [*self.ENTER, "sh", "-c", f'{orphans} exec "$0" "$@"', BIN / "async_server", "--bind", "127.0.0.1:0", "--sleep", "0",
             "--error-logfile", log, "--admin", "127.0.0.1:0"], stdout=open(tmp_path / "out", "wb"))
        try:
            port = port_of("async_server", tmp_path / "out")
            (server,) = children(process.pid)
            assert get(port) == (200, HELLO)
            wait_until(lambda: children(server) == [], "no zombie, as nobody else would reap them")
            os.kill(server, signal.SIGUSR1)
            wait_until(lambda: re.search(r"\[1\] \[INFO\] Mode is now blocking \(SIGUSR1\)", log.read_text()), "SIGUSR1")
            assert get(port) == (200, HELLO)
            os.kill(server, signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()


def children(pid):
    """The pids of PID's children, zombies too."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(path.parent.name))
        except (OSError, ProcessLookupError):
            pass
    return found


class TestInherited:
    @PROGRAMS
    def test_files_that_are_not_its_own(self, program):
        """A pipe, a stranger's listening socket, an epoll: they are not touched, and not taken for something else."""
        reading, writing = os.pipe()
        with socket.create_server(("127.0.0.1", 0)) as strangers, select.epoll() as poller:
            strangers.settimeout(PATIENCE)
            fds = [reading, writing, strangers.fileno(), poller.fileno(), *(os.dup(reading) for _ in range(30))]
            with started(program, "--workers" if program == "prefork_server" else "--threads", 2, pass_fds=fds) as (process, log):
                port = port_of(program, log)
                os.write(writing, b"x")
                for _ in range(5):
                    assert get(port) == (200, HELLO)
                with socket.create_connection(strangers.getsockname(), PATIENCE):
                    strangers.accept()[0].close()
                assert os.read(reading, 2) == b"x"
                process.terminate()
                assert process.wait(PATIENCE) == 0
            for fd in fds[:2] + fds[4:]:
                os.close(fd)

    @PROGRAMS
    def test_standard_files_that_do_not_block(self, program):
        """The log goes to a full pipe that somebody made non-blocking: lines are lost, nothing waits or spins."""
        reading, writing = os.pipe()
        with tempfile.TemporaryDirectory() as folder:
            banner = pathlib.Path(folder, "banner")
            with started(program, "--access-logfile", "-", *(["--error-logfile", banner] if program == "prefork_server" else []),
                         **({"stdout": writing} if program == "prefork_server" else {"stderr": writing})) as (process, log):
                port = port_of(program, banner if program == "prefork_server" else log)
                os.set_blocking(writing, False)
                with contextlib.suppress(BlockingIOError):
                    while True:
                        os.write(writing, b"x" * 4096)
                process.send_signal(signal.SIGUSR1)
                for _ in range(3):
                    assert get(port, "/?mode=blocking&sleep=0.15") == (200, HELLO)  # is logged as slow, too
                process.terminate()
                assert process.wait(PATIENCE) == 0
        os.close(reading)
        os.close(writing)

    @PROGRAMS
    @pytest.mark.parametrize("how", ["blocked", "ignored"])
    def test_signals_that_were_blocked_or_ignored(self, program, how):
        """A shell's background job ignores INT, nohup's child HUP; a careless parent blocks anything."""
        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD, signal.SIGPIPE]

        def prepare():
            if how == "blocked":
                signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
            else:
                for number in numbers:
                    signal.signal(number, signal.SIG_IGN)

        for number in (signal.SIGTERM, signal.SIGINT):
            with started(program, preexec_fn=prepare) as (process, log):
                port = port_of(program, log)
                assert get(port) == (200, HELLO)
                process.send_signal(signal.SIGUSR1)
                wait_until(lambda: re.search("SIGUSR1|usr1", log.read_text()), "SIGUSR1 in the log")
                process.send_signal(number)
                assert process.wait(PATIENCE) == 0
