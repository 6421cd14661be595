"""What is special to async_server: modes and signals, the graceful end, and what it does when something runs out."""

import concurrent.futures
import json
import os
import random
import re
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from servers import BIN, PATIENCE, parse_response, read_all, read_response, wait_until

HELLO = b"Hello, Anonymous"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
MODES = ["async", "blocking", "threadpool"]


def with_admin(server):
    """SERVER, whose arguments have --admin 127.0.0.1:0, with the port of it."""
    server.admin = server.admin_port()
    return server


def metric(server, name):
    text = server.get("/metrics", port=server.admin)[2].decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text).group(1))


def settings(server):
    return json.loads(server.get("/settings", port=server.admin)[2])


def open_fds(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def timed_get(server, target="/"):
    start = time.monotonic()
    assert server.get(target)[0] == 200
    return time.monotonic() - start


def assert_all_are_answered_at_the_end(server, peers):
    """Sends a request on each of PEERS, and TERM once one sleeps."""
    for peer in peers:
        peer.sendall(GET)
    wait_until(lambda: metric(server, "loopfork_sleeping") >= 1, "a sleep")
    server.signal(signal.SIGTERM)
    for peer in peers:
        with peer:
            status, _, body = parse_response(read_all(peer))
            assert (status, body) == (200, HELLO)
    assert server.wait() == 0
    server.wait_log("Stopped")


class TestStart:
    def test_the_banner_is_aiohttps(self, start):
        server = start()
        log = server.log()
        assert f"======== Running on http://127.0.0.1:{server.port} ========\n(Press CTRL+C to quit)\n" in log

    def test_the_banner_goes_to_standard_output(self):
        command = [BIN / "async_server", "--bind", "127.0.0.1:0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout.readline().startswith("======== Running on http://127.0.0.1:")
                assert process.stdout.readline() == "(Press CTRL+C to quit)\n"
            finally:
                process.terminate()
            assert process.wait(PATIENCE) == 0

    @pytest.mark.parametrize("arguments", [
        ["--mode", "fast"], ["--threads", "0"], ["--threads", "1025"], ["--keep-alive", "0"],
        ["--max-connections", "-1"], ["--slow-callback", "0"], ["--shutdown-timeout", "x"],
    ], ids=" ".join)
    def test_a_mistake_gets_one_line_and_status_2(self, arguments):
        done = subprocess.run([BIN / "async_server", *arguments], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 2 and done.stdout == ""
        assert re.fullmatch(r"async_server: [^\n]{10,}\n", done.stderr)

    def test_the_error_log_goes_to_a_file(self, start, tmp_path):
        log = tmp_path / "error.log"
        server = start("--error-logfile", log)
        server.signal(signal.SIGUSR1)
        wait_until(lambda: "Mode is now blocking (SIGUSR1)" in log.read_text(), "the line in the file")

    @pytest.mark.parametrize("closed", [[0], [2], [0, 2]])
    def test_a_closed_standard_file_does_not_become_a_socket(self, start, closed):
        server = start("--sleep", "0", preexec_fn=lambda: [os.close(fd) for fd in closed])
        for fd in closed:
            assert os.readlink(f"/proc/{server.pid}/fd/{fd}") == "/dev/null"
        server.signal(signal.SIGUSR1)
        assert server.get("/")[0] == 200

    def test_a_full_disk_under_the_log_does_not_stop_it(self, start):
        server = start("--sleep", "0.001", "--mode", "blocking", "--slow-callback", "0.0005",
                       "--error-logfile", "/dev/full")
        for _ in range(3):
            assert server.get("/")[0] == 200

    def test_it_leaves_no_descriptor_to_a_child(self, start):
        server = start("--admin", "127.0.0.1:0")
        for name in os.listdir(f"/proc/{server.pid}/fd"):
            if int(name) > 2:
                flags = int(re.search(r"flags:\s+(\d+)", open(f"/proc/{server.pid}/fdinfo/{name}").read()).group(1), 8)
                assert flags & os.O_CLOEXEC, os.readlink(f"/proc/{server.pid}/fd/{name}")


class TestModes:
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("sleep", [0.0005, 0.0107])
    def test_no_sleep_is_shorter_than_asked(self, start, mode, sleep):
        server = start("--mode", mode, "--sleep", sleep, "--threads", "8")
        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            assert min(executor.map(lambda _: timed_get(server), range(200))) >= sleep

    def test_async_sleeps_run_at_the_same_time(self, start):
        server = start("--sleep", "0.5")
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(40) as executor:
            list(executor.map(lambda _: timed_get(server), range(40)))
        assert time.monotonic() - begin < 40 * 0.5 / 2

    def test_blocking_sleeps_run_one_after_the_other(self, start):
        server = start("--sleep", "0.1", "--mode", "blocking")
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(5) as executor:
            list(executor.map(lambda _: timed_get(server), range(5)))
        assert time.monotonic() - begin >= 0.5

    def test_the_pool_runs_as_many_sleeps_as_it_has_threads(self, start):
        server = start("--sleep", "0.3", "--mode", "threadpool", "--threads", "2")
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(6) as executor:
            list(executor.map(lambda _: timed_get(server), range(6)))
        assert time.monotonic() - begin >= 3 * 0.3

    def test_the_pool_keeps_the_loop_free(self, start):
        server = with_admin(start("--sleep", "30", "--mode", "threadpool", "--threads", "1", "--shutdown-timeout", "0",
                                  "--admin", "127.0.0.1:0"))
        with server.connect() as peer:
            peer.sendall(GET)
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the sleep")
            assert server.get("/echo", method="POST", body=b"x")[2] == b"x"
            assert not select.select([peer], [], [], 0)[0], "the sleep ended before the loop had answered another"

    @pytest.mark.parametrize("mode", MODES)
    def test_a_request_chooses_its_own_mode(self, start, mode):
        server = start("--sleep", "30", "--mode", "blocking")
        assert timed_get(server, f"/?sleep=0.2&mode={mode}") >= 0.2

    def test_many_sleeps_at_once_all_end(self, start):
        """More than the wheel's slots, with ends all over it."""
        server = start("--sleep", "0")
        peers = []
        for i in range(500):
            peer = server.connect()
            sleep = (i * 37 % 1000) / 1000
            sent = time.monotonic()
            peer.sendall(f"GET /?sleep={sleep} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            peers.append((peer, sleep, sent))
        # In the order of their ends, so that none is looked at long after it was answered: that would hide a short one.
        for peer, sleep, sent in sorted(peers, key=lambda one: one[1] + one[2]):
            with peer:
                assert parse_response(read_all(peer))[2] == HELLO
                assert time.monotonic() - sent >= sleep

    def test_a_sleep_ends_as_it_began(self, start):
        server = with_admin(start("--sleep", "6", "--admin", "127.0.0.1:0"))
        with server.connect() as peer:
            begin = time.monotonic()
            peer.sendall(GET)
            wait_until(lambda: metric(server, "loopfork_requests_in_flight") == 1, "the request in flight")
            assert server.get("/settings", method="PUT", body=b"sleep=0&mode=blocking", port=server.admin)[0] == 200
            assert server.get("/")[0] == 200
            assert read_response(peer)[0] == 200
            assert time.monotonic() - begin >= 6

    @pytest.mark.parametrize("mode", MODES)
    def test_a_handler_goes_on_when_its_client_disconnects(self, start, mode):
        """And nothing is left of it."""
        server = with_admin(start("--sleep", "0.3", "--mode", mode, "--admin", "127.0.0.1:0"))
        fds = open_fds(server)
        requests = 0
        for abort in (False, True):
            for _ in range(3):
                with server.connect() as peer:
                    peer.sendall(GET)
                    requests += 1
                    # A loop that learns of an abort before it has read the request has no handler that could go on.
                    wait_until(lambda: metric(server, "loopfork_requests_total") == requests, "the request's handler")
                    if abort:
                        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: metric(server, 'loopfork_responses_total{code="200"}') == 6, "handlers that ended")
        wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "closed connections")
        wait_until(lambda: open_fds(server) <= fds, "closed connections")
        assert metric(server, "loopfork_requests_in_flight") == 0
        assert metric(server, "loopfork_sleeping") == 0
        assert "ERROR" not in server.log()


    def test_new_connections_that_block_let_others_have_their_turn(self, start):
        server = with_admin(start("--mode", "blocking", "--sleep", "0.5", "--shutdown-timeout", "0",
                                  "--admin", "127.0.0.1:0"))
        fast = GET.replace(b"/", b"/?sleep=0", 1)
        with server.connect() as peer, server.connect() as blocker:
            peer.sendall(fast)
            assert read_response(peer)[0] == 200
            blocker.sendall(GET.replace(b"/", b"/?sleep=4", 1))
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the blocked loop")
            others = [server.connect() for _ in range(30)]
            for other in others:
                other.sendall(GET)
            peer.sendall(fast)
            assert read_response(peer)[0] == 200
            # All 30 take 15 s.
            assert metric(server, 'loopfork_responses_total{code="200"}') < 20
        for other in others:
            other.close()


class TestSignals:
    def test_usr1_toggles_at_once_while_the_loop_is_blocked(self, start):
        server = with_admin(start("--sleep", "8", "--mode", "blocking", "--admin", "127.0.0.1:0"))
        with server.connect() as peer:
            peer.sendall(GET)
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the blocked loop")
            server.signal(signal.SIGUSR1)
            server.wait_log(r"Mode is now async \(SIGUSR1\)")
            assert settings(server)["mode"] == "async"
            assert not select.select([peer], [], [], 0)[0], "the sleep was over before the signal was obeyed"
            server.signal(signal.SIGUSR1)
            server.wait_log(r"Mode is now blocking \(SIGUSR1\)")
            assert read_response(peer)[0] == 200

    def test_usr1_goes_back_to_the_mode_there_was(self, start):
        server = start("--mode", "threadpool")
        server.signal(signal.SIGUSR1)
        server.wait_log(r"Mode is now blocking \(SIGUSR1\)")
        server.signal(signal.SIGUSR1)
        server.wait_log(r"Mode is now threadpool \(SIGUSR1\)")

    @pytest.mark.parametrize("mode", MODES)
    def test_a_second_signal_ends_it_at_once(self, start, mode):
        server = start("--sleep", "60", "--mode", mode)
        with server.connect() as peer:
            peer.sendall(GET)
            time.sleep(0.2)
            server.signal(signal.SIGINT)
            server.wait_log(r"Stopping \(SIGINT\)")
            assert server.process.poll() is None
            server.signal(signal.SIGTERM)
            assert server.wait() == 1
            server.wait_log(r"Ending at once: a second signal \(SIGTERM\)")


class TestGracefulEnd:
    @pytest.mark.parametrize("mode", MODES)
    def test_requests_in_flight_are_answered(self, start, mode):
        server = with_admin(start("--sleep", "2", "--mode", mode, "--admin", "127.0.0.1:0"))
        assert_all_are_answered_at_the_end(server, [server.connect() for _ in range(3)])

    def test_idle_connections_are_closed_and_new_ones_refused(self, start):
        server = start("--sleep", "1.5")
        with server.connect() as idle, server.connect() as busy:
            idle.sendall(GET.replace(b"/", b"/?sleep=0", 1))
            assert read_response(idle)[0] == 200
            busy.sendall(GET)
            time.sleep(0.2)
            server.signal(signal.SIGTERM)
            assert idle.recv(1) == b""
            with pytest.raises(ConnectionRefusedError):
                server.connect()
            assert parse_response(read_all(busy))[2] == HELLO
        assert server.wait() == 0

    def test_clients_that_keep_their_side_open_do_not_hold_it(self, start):
        """The last answer has left; --drain-timeout is for clients that must not miss an error."""
        server = start("--sleep", "0.5", "--drain-timeout", "300", "--shutdown-timeout", "300")
        peers = [server.connect() for _ in range(3)]
        for peer in peers:
            peer.sendall(GET)
        server.signal(signal.SIGTERM)
        for peer in peers:
            assert parse_response(read_all(peer))[2] == HELLO
        assert server.wait() == 0
        for peer in peers:
            peer.close()

    def test_what_waits_behind_a_blocked_loop_is_served_too(self, start):
        """In the backlog, accepted but not read, pipelined behind a sleep: nothing that had arrived is lost."""
        server = with_admin(start("--sleep", "5", "--mode", "blocking", "--admin", "127.0.0.1:0"))
        fast = GET.replace(b"/", b"/?sleep=0", 1)
        with server.connect() as idle, server.connect() as blocker:
            idle.sendall(fast)
            assert read_response(idle)[0] == 200
            blocker.sendall(GET + fast)
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the blocked loop")
            idle.sendall(fast)
            waiting = [server.connect() for _ in range(20)]
            for peer in waiting:
                peer.sendall(fast)
            server.signal(signal.SIGTERM)
            for peer in [*waiting, idle]:
                with peer:
                    status, head, body = parse_response(read_all(peer))
                    assert (status, body) == (200, HELLO)
                    assert b"Connection: close" in head
            assert read_all(blocker).count(HELLO) == 2
        assert server.wait() == 0

    def test_a_connection_just_made_may_still_send_its_request(self, start):
        server = start("--sleep", "0")
        with server.connect() as peer:
            time.sleep(0.1)
            server.signal(signal.SIGTERM)
            server.wait_log(r"Stopping")
            peer.sendall(GET)
            assert parse_response(read_all(peer))[2] == HELLO
        assert server.wait() == 0

    def test_no_answer_is_lost_under_load(self, start):
        """Clients that connect for each request: everyone who got a connection gets an answer."""
        server = start("--sleep", "0.02")
        lost, answered = [], []
        end = threading.Event()

        def client():
            while not end.is_set():
                try:
                    peer = server.connect()
                except (ConnectionRefusedError, ConnectionResetError):
                    return
                with peer:
                    try:
                        peer.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                        data = read_all(peer)
                    except ConnectionError as error:
                        data = repr(error).encode()
                    (answered if data.endswith(HELLO) else lost).append(data)

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) > 50, "some answers")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        end.set()
        for thread in threads:
            thread.join()
        # One may have been connected by the kernel in the instant between the last accept and the close.
        assert len(lost) <= 1, lost

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("bind", ["127.0.0.1:0", "unix:{}/socket"])
    @pytest.mark.parametrize("room", [0, 5])
    def test_clients_that_never_cease_do_not_keep_it_alive(self, start, mode, bind, room, tmp_path):
        """A new connection follows each answer at once; blocked all the time, the loop never finds nobody waiting."""
        server = with_admin(start("--mode", mode, "--sleep", "0.05", "--shutdown-timeout", "2", "--admin", "127.0.0.1:0",
                                  "--max-connections", room, bind=bind.format(tmp_path)))
        family, address = socket.AF_INET, (server.host, server.port)
        if server.port is None:
            family, address = socket.AF_UNIX, str(tmp_path / "socket")

        def client():
            while True:
                try:
                    with socket.socket(family) as peer:
                        peer.settimeout(PATIENCE)
                        peer.connect(address)
                        peer.sendall(GET.replace(b"Host", b"Connection: close\r\nHost"))
                        read_all(peer)
                except OSError:
                    if server.process.poll() is not None:
                        return
                    time.sleep(0.01)

        threads = [threading.Thread(target=client) for _ in range(20)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: metric(server, 'loopfork_responses_total{code="200"}') >= 20, "some answers")
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
        finally:
            server.stop()
            for thread in threads:
                thread.join()

    def test_blocking_requests_end_with_the_timeout(self, start):
        """However many arrived before it: none of them begins its sleep after that."""
        server = with_admin(start("--mode", "blocking", "--sleep", "2", "--shutdown-timeout", "0.1",
                                  "--admin", "127.0.0.1:0"))
        peers = [server.connect() for _ in range(30)]
        for peer in peers:
            peer.sendall(GET)
        wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the blocked loop")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0, "30 sleeps take three times as long as is waited here"
        server.wait_log("--shutdown-timeout is over")
        answers = [read_all(peer) for peer in peers]
        for peer in peers:
            peer.close()
        assert 1 <= sum(HELLO in answer for answer in answers) < 30

    @pytest.mark.parametrize("mode", ["async", "threadpool"])
    def test_after_the_timeout_requests_are_cancelled(self, start, mode):
        server = start("--sleep", "50", "--mode", mode, "--threads", "1", "--shutdown-timeout", "0.5")
        peers = [server.connect() for _ in range(3)]
        for peer in peers:
            peer.sendall(GET)
        time.sleep(0.2)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        server.wait_log(r"--shutdown-timeout is over: closing 3 connections")
        for peer in peers:
            with peer:
                assert read_all(peer) == b""


class TestSlowCallbacks:
    def test_a_blocked_loop_is_logged_as_asyncio_does(self, start):
        server = with_admin(start("--sleep", "0", "--admin", "127.0.0.1:0"))
        server.get("/?sleep=0.12&mode=blocking")
        server.wait_log(r"\[WARNING\] Executing <handler hello, GET /\?sleep=0\.12&mode=blocking> took \d+\.\d+ seconds")
        assert metric(server, "loopfork_slow_callbacks_total") >= 1

    def test_sleeps_that_do_not_block_are_not_logged(self, start):
        server = start("--sleep", "0")
        server.get("/?sleep=0.2")
        server.get("/?sleep=0.2&mode=threadpool")
        assert "Executing" not in re.sub(r".*one round of the loop.*", "", server.log())

    def test_the_threshold_can_be_chosen(self, start):
        server = start("--sleep", "0.01", "--mode", "blocking", "--slow-callback", "0.005")
        server.get("/")
        server.wait_log(r"Executing <handler hello, GET /> took \d+\.\d+ seconds")

    def test_a_client_cannot_break_the_line(self, start):
        server = start("--sleep", "0", "--slow-callback", "0.001")
        server.exchange(b'GET /"?sleep=0.01&mode=blocking HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        server.wait_log(r'Executing <handler hello, GET /\\"\?sleep')


class TestDeadlines:
    def test_an_idle_connection_is_closed_in_silence(self, start):
        server = start("--sleep", "0", "--keep-alive", "2")
        begin = time.monotonic()
        with server.connect() as peer:
            peer.sendall(GET)
            read_response(peer)
            assert peer.recv(1) == b""
            # It counts from the round of the loop that answered, whose clock has milliseconds.
            assert time.monotonic() - begin >= 1.99

    def test_a_connection_without_a_request_is_closed_in_silence(self, start):
        server = start("--header-timeout", "0.3")
        with server.connect() as peer:
            assert read_all(peer) == b""

    def test_each_request_on_a_connection_has_its_own_time(self, start):
        server = start("--sleep", "0", "--header-timeout", "6")
        with server.connect() as peer:
            for _ in range(4):
                peer.sendall(GET[:9])
                time.sleep(2)
                peer.sendall(GET[9:])
                assert read_response(peer)[0] == 200

    def test_a_body_that_stops_coming_gets_408(self, start):
        server = start("--body-timeout", "0.3")
        with server.connect() as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
            assert parse_response(read_all(peer))[0] == 408

    def test_an_echo_whose_body_stops_ends_short(self, start):
        server = start("--body-timeout", "0.3")
        with server.connect() as peer:
            peer.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
            assert parse_response(read_all(peer))[2] == b"ab"

    def test_a_peer_that_does_not_read_is_cut_off(self, start):
        server = with_admin(start("--drain-timeout", "0.4", "--admin", "127.0.0.1:0"))
        with server.connect() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            try:
                peer.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
                while True:
                    peer.send(b"x" * 65536)
                    time.sleep(0.001)
            except BlockingIOError:
                pass
            wait_until(lambda: metric(server, "loopfork_timeouts_total") == 1, "the end of its time")
        wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "its end")

    def test_a_peer_that_never_closes_after_an_error_is_cut_off(self, start):
        server = start("--drain-timeout", "0.4")
        fds = open_fds(server)
        with server.connect() as peer:
            peer.sendall(b"nonsense\r\n\r\n")
            assert parse_response(read_all(peer))[0] == 400
            wait_until(lambda: open_fds(server) <= fds, "its end")

    def test_a_loop_that_was_blocked_does_not_blame_its_clients(self, start):
        """What arrived in time is served, however late the loop comes to it."""
        server = with_admin(start("--sleep", "0", "--header-timeout", "4", "--keep-alive", "4",
                                  "--admin", "127.0.0.1:0"))
        with server.connect() as idle, server.connect() as fresh, server.connect() as blocker:
            idle.sendall(GET)
            read_response(idle)
            blocker.sendall(GET.replace(b"/", b"/?sleep=6&mode=blocking", 1))
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the blocked loop")
            idle.sendall(GET)
            fresh.sendall(GET)
            for peer in (blocker, idle, fresh):
                assert read_response(peer)[2] == HELLO


class TestExhaustion:
    def test_without_descriptors_accepting_pauses_and_goes_on(self, start):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

        server = with_admin(start("--sleep", "0", "--admin", "127.0.0.1:0", preexec_fn=limit))
        with server.connect() as first:
            first.sendall(GET)
            assert read_response(first)[0] == 200
            peers = [server.connect() for _ in range(60)]
            server.wait_log(r"Cannot accept: Too many open files")
            first.sendall(GET)
            assert read_response(first)[0] == 200, "those who are connected are served"
            time.sleep(0.5)
            assert server.log().count("Cannot accept") == 1, "said once an episode"
        for peer in peers[:40]:
            peer.close()
        for peer in peers[40:]:
            with peer:
                peer.sendall(GET)
                assert read_response(peer)[0] == 200, "nobody who waited is lost"
        assert server.get("/")[0] == 200
        assert metric(server, "loopfork_accept_pauses_total") >= 1

    def test_max_connections_lets_the_next_ones_wait(self, start):
        server = start("--sleep", "0", "--max-connections", "3")
        peers = [server.connect() for _ in range(5)]
        for peer in peers:
            peer.sendall(GET)
        server.wait_log(r"At --max-connections 3")
        for peer in peers[:3]:
            assert read_response(peer)[0] == 200
        assert not select.select(peers[3:], [], [], 0.3)[0]
        peers[0].close()
        assert select.select(peers[3:], [], [], PATIENCE)[0]
        peers[1].close()
        for peer in peers[3:]:
            assert read_response(peer)[0] == 200
        for peer in peers:
            peer.close()

    def test_those_who_wait_for_max_connections_are_served_at_the_end_too(self, start):
        server = with_admin(start("--sleep", "2", "--max-connections", "2", "--admin", "127.0.0.1:0"))
        assert_all_are_answered_at_the_end(server, [server.connect() for _ in range(6)])

    def test_a_thousand_connections_leave_nothing_behind(self, start):
        server = with_admin(start("--sleep", "0", "--admin", "127.0.0.1:0"))
        fds = open_fds(server)
        for _ in range(5):
            peers = [server.connect() for _ in range(200)]
            for peer in peers:
                peer.sendall(GET)
            for peer in peers:
                read_response(peer)
                peer.close()
        wait_until(lambda: open_fds(server) <= fds, "closed descriptors")
        assert metric(server, "loopfork_connections_accepted_total") == 1000
        wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "no connection")


class TestPipelining:
    def test_a_thousand_requests_at_once(self, start):
        """Their answers are larger than the write buffer; each arrives, in order."""
        server = start("--sleep", "0")
        with server.connect() as peer:
            thread = threading.Thread(target=lambda: peer.sendall(
                b"".join(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n%04d" % i for i in range(3000)) +
                GET.replace(b"Host", b"Connection: close\r\nHost")))
            thread.start()
            data = read_all(peer)
            thread.join()
        assert re.findall(rb"\r\n\r\n(\d{4})", data) == [b"%04d" % i for i in range(3000)]
        assert data.endswith(HELLO)

    def test_a_client_that_only_sends_is_not_read_without_end(self, start):
        """Its answers fill the socket: then it is no longer read from, and memory stays bounded."""
        server = start("--sleep", "0")
        with server.connect() as peer:
            peer.setblocking(False)
            idle_since = time.monotonic()
            sent = 0
            while time.monotonic() - idle_since < 1 and sent < 50_000_000:
                try:
                    sent += peer.send(GET * 1000)
                    idle_since = time.monotonic()
                except BlockingIOError:
                    time.sleep(0.01)
            assert sent < 50_000_000
        assert server.get("/")[0] == 200

    @pytest.mark.parametrize("mode", MODES)
    def test_sleeps_on_one_connection_follow_each_other(self, start, mode):
        server = start("--sleep", "0.1", "--mode", mode)
        begin = time.monotonic()
        data = server.exchange(GET * 4 + GET.replace(b"Host", b"Connection: close\r\nHost"))
        assert data.count(HELLO) == 5
        assert time.monotonic() - begin >= 0.5

    def test_what_is_ready_does_not_wait_for_a_sleep_behind_it(self, start):
        for mode in MODES:
            server = start("--sleep", "0", "--shutdown-timeout", "0")
            with server.connect() as peer:
                begin = time.monotonic()
                peer.sendall(GET + GET.replace(b"/", b"/?sleep=8&mode=" + mode.encode(), 1))
                assert read_response(peer)[0] == 200
                assert not select.select([peer], [], [], 0)[0]
                assert time.monotonic() - begin < 8


class TestMixedLoad:
    """Clients that keep alive, close, pipeline, abort, stall and talk nonsense, all at once; the seed is fixed."""

    PIECES = [
        GET, GET * 7, GET[:11], b"GET /?sleep=0.01 HTTP/1.1\r\nHost: a\r\n\r\n" * 2,
        b"GET /?sleep=0.003&mode=threadpool HTTP/1.1\r\nHost: a\r\n\r\n" * 3,
        b"GET /?sleep=0.001&mode=blocking HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200000,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + b"x" * 100000,
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"4000\r\n" + b"x" * 16384 + b"\r\n0\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcdX",
        b"PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc", b"\0\1\2", b"\r\n",
        b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET,
    ]

    def client(self, server, seed, end):
        random_one = random.Random(seed)
        while time.monotonic() < end:
            with server.connect() as peer:
                peer.settimeout(0.05)
                for _ in range(random_one.randrange(1, 6)):
                    try:
                        peer.sendall(random_one.choice(self.PIECES))
                        if random_one.random() < 0.6:
                            peer.recv(random_one.choice([1, 100, 100000]))
                    except OSError:
                        break
                if random_one.random() < 0.3:
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def test_it_is_survived_and_nothing_is_left(self, start, tmp_path):
        server = start("--sleep", "0", "--admin", "127.0.0.1:0", "--access-logfile", tmp_path / "access.log",
                       "--drain-timeout", "0.2", "--header-timeout", "0.3", "--body-timeout", "0.2",
                       "--threads", "3", "--max-connections", "20")
        server.admin = server.admin_port()
        fds = open_fds(server)
        end = time.monotonic() + 4
        threads = [threading.Thread(target=self.client, args=(server, seed, end)) for seed in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.get("/")[0] == 200
        wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "no connection")
        assert metric(server, "loopfork_requests_in_flight") == 0
        assert metric(server, "loopfork_sleeping") == 0
        wait_until(lambda: open_fds(server) <= fds, "closed descriptors")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0


class TestAccessLog:
    def test_requests_that_wait_are_logged_as_they_came(self, start, tmp_path):
        """Pipelined, asleep, behind others: the line still has the fields of its own request."""
        access = tmp_path / "access.log"
        server = start("--sleep", "0", "--access-logfile", access)
        requests = [f"GET /{mode}{i}?sleep=0.02&mode={mode} HTTP/1.1\r\nHost: a\r\nUser-Agent: agent-{mode}{i}\r\n"
                    for mode in MODES for i in range(5)]
        data = server.exchange("".join(request + "\r\n" for request in requests).encode() +
                               b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert data.count(HELLO) == len(requests) + 1
        lines = wait_until(lambda: "/last" in access.read_text() and access.read_text(), "the lines").splitlines()
        size = data.index(HELLO) + len(HELLO)  # of one answer: aiohttp's %b counts its header too
        expected = [f'"GET /{mode}{i}?sleep=0.02&mode={mode} HTTP/1.1" 200 {size} "-" "agent-{mode}{i}"'
                    for mode in MODES for i in range(5)]
        assert [line.split("] ", 1)[1] for line in lines[:-1]] == expected

    def test_an_echo_that_was_cut_short_is_logged_with_what_left(self, start, tmp_path):
        access = tmp_path / "access.log"
        server = start("--access-logfile", access, "--body-timeout", "0.2")
        with server.connect() as peer:
            peer.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
            data = read_all(peer)
        assert data.endswith(b"\r\n\r\nabc")
        wait_until(lambda: f'"POST /echo HTTP/1.1" 200 {len(data)} ' in access.read_text(), "the line")


class TestMetrics:
    def test_gauges_follow_what_happens(self, start):
        server = with_admin(start("--sleep", "6", "--admin", "127.0.0.1:0"))
        with server.connect() as peer, server.connect():
            peer.sendall(GET)
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the sleep")
            assert metric(server, "loopfork_connections_open") == 2
            assert metric(server, "loopfork_requests_in_flight") == 1
            assert read_response(peer)[0] == 200
            wait_until(lambda: metric(server, "loopfork_sleeping") == 0, "the end of the sleep")
            assert metric(server, "loopfork_requests_in_flight") == 0

    def test_what_held_the_loop_is_seen_during_and_after(self, start):
        server = with_admin(start("--admin", "127.0.0.1:0"))
        with server.connect() as peer:
            assert metric(server, 'loopfork_loop_lag_seconds{loop="0"}') < 1
            peer.sendall(b"GET /?sleep=1.5&mode=blocking HTTP/1.1\r\nHost: test\r\n\r\n")
            wait_until(lambda: metric(server, 'loopfork_loop_lag_seconds{loop="0"}') > 0.2, "the lag of a blocked loop")
            assert read_response(peer)[0] == 200
        wait_until(lambda: metric(server, 'loopfork_loop_busy_seconds_total{loop="0"}') >= 1.5, "the time it was busy")
        assert metric(server, 'loopfork_loop_lag_max_seconds{loop="0"}') >= 1.5


class TestPool:
    def test_no_thread_is_begun_before_one_is_needed(self, start):
        server = start("--sleep", "0")
        before = threads_of(server)
        server.get("/?sleep=0.01&mode=threadpool")
        assert threads_of(server) == before + 1
        server.get("/?sleep=0.01&mode=threadpool")
        assert threads_of(server) == before + 1, "one that is free is used again"

    def test_a_request_that_gets_no_thread_is_told_so(self, start):
        """And the server goes on."""
        server = start("--sleep", "0")
        if re.search("lib[at]san", open(f"/proc/{server.pid}/maps").read()):
            pytest.skip("the sanitizer needs address space itself")
        # Room for what a connection takes, and none for a thread's stack.
        now = int(open(f"/proc/{server.pid}/statm").read().split()[0]) * resource.getpagesize()
        resource.prlimit(server.pid, resource.RLIMIT_AS, (now + 131072, resource.RLIM_INFINITY))
        status, _, body = server.get("/?sleep=0.01&mode=threadpool")
        assert status == 503 and b"no thread" in body
        resource.prlimit(server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert server.get("/?sleep=0.01&mode=threadpool")[0] == 200

    def test_jobs_wait_for_a_thread_in_the_order_they_came(self, start):
        """Each sleeps less than the one before, so that in no other order the first would end first."""
        server = with_admin(start("--sleep", "0", "--mode", "threadpool", "--threads", "1", "--admin", "127.0.0.1:0"))
        waiting, ended = [], []
        for i in range(4):
            waiting.append(server.connect())
            waiting[i].sendall(GET.replace(b"/", f"/?sleep={(4 - i) / 2}".encode(), 1))
            wait_until(lambda: metric(server, "loopfork_sleeping") == i + 1, "the request at the pool")
        peers = list(waiting)
        while waiting:
            ready = select.select(waiting, [], [], PATIENCE)[0]
            assert ready
            # A test that was held up finds several at once, and cannot tell their order.
            for peer in sorted(ready, key=peers.index):
                with peer:
                    assert read_response(peer)[0] == 200
                ended.append(peers.index(peer))
                waiting.remove(peer)
        assert ended == [0, 1, 2, 3]


def threads_of(server):
    return len(os.listdir(f"/proc/{server.pid}/task"))
