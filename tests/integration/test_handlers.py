"""What a handler of async_server does before it answers: computing, blocking in part, waiting for a thread, taking too long."""

import concurrent.futures
import json
import re
import signal
import socket
import time

import pytest

from servers import AsyncServer, read_response, wait_until

HELLO = b"Hello, Anonymous"
MODES = ["async", "blocking", "threadpool"]


@pytest.fixture
def start():
    running = []

    def start_one(*arguments, **more):
        server = AsyncServer(*arguments, "--admin", "127.0.0.1:0", **more)
        server.admin = server.admin_port()
        running.append(server)
        return server

    yield start_one
    for server in running:
        server.stop()


def metric(server, name):
    text = server.get("/metrics", port=server.admin)[2].decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text).group(1))


def settings(server):
    return json.loads(server.get("/settings", port=server.admin)[2])


def cpu_seconds(server):
    with open(f"/proc/{server.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def burst(server, count, target="/"):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: server.get(target), range(count)))


class TestComputing:
    @pytest.mark.parametrize("mode", MODES)
    def test_it_costs_the_processor_what_was_asked(self, start, mode):
        server = start("--cpu", "100", "--mode", mode)
        assert settings(server)["sleep"] == 0  # computes instead of waiting
        before = cpu_seconds(server)
        for _ in range(5):
            assert server.get()[2] == HELLO
        # Calibrated at start on a machine that others use too: within a factor, and far from nothing.
        assert 0.2 < cpu_seconds(server) - before < 2.5

    def test_computing_and_sleeping_follow_each_other(self, start):
        server = start("--cpu", "50", "--sleep", "0.3")
        begun, before = time.monotonic(), cpu_seconds(server)
        assert server.get()[2] == HELLO
        assert time.monotonic() - begun > 0.3
        assert cpu_seconds(server) - before > 0.01

    def test_a_request_chooses(self, start):
        server = start("--sleep", "30")
        assert server.get("/?cpu=5")[2] == HELLO  # instead of the sleep of 30 s
        server.get("/settings", method="PUT", body=b"cpu=5", port=server.admin)
        assert server.get()[2] == HELLO
        begun = time.monotonic()
        assert server.get("/?sleep=0.2")[2] == HELLO
        assert time.monotonic() - begun >= 0.2

    def test_more_than_max_cpu_is_refused(self, start):
        server = start("--max-cpu", "20")
        status, _, body = server.get("/?cpu=21")
        assert status == 400 and b"--max-cpu" in body

    @pytest.mark.parametrize("mode, held", [("async", True), ("blocking", True), ("threadpool", False)])
    def test_who_computes_in_the_loop_holds_it(self, start, mode, held):
        server = start("--cpu", "1500", "--mode", mode)
        with socket.create_connection((server.host, server.port)) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            wait_until(lambda: metric(server, "loopfork_computing") == 1, "a handler at work")
            begun = time.monotonic()
            assert server.get("/no/such/path")[0] == 404
            waited = time.monotonic() - begun
            peer.settimeout(0.001)
            try:
                done = peer.recv(1) != b""
            except TimeoutError:
                done = False
            # The loop is held: the other one is answered after this. A free loop answers it first.
            assert done == held, waited
        assert ("Executing <handler hello, GET />" in server.log()) == held

    def test_pool_threads_stop_computing_at_the_end_of_the_shutdown_timeout(self, start):
        server = start("--max-cpu", "600000", "--shutdown-timeout", "0.3", "--mode", "threadpool")
        with socket.create_connection((server.host, server.port)) as peer:
            peer.sendall(b"GET /?cpu=500000 HTTP/1.1\r\nHost: test\r\n\r\n")
            wait_until(lambda: metric(server, "loopfork_computing") == 1, "a handler at work")
            server.signal(signal.SIGTERM)
            assert server.wait() == 0


class TestBlockingShare:
    @pytest.mark.parametrize("share, least, most", [("0", 0, 0), ("10", 38, 42), ("50", 198, 202), ("100", 400, 400)])
    def test_that_share_of_the_requests_blocks(self, start, share, least, most):
        server = start("--sleep", "0.0005", "--blocking-share", share)
        with socket.create_connection((server.host, server.port)) as peer:
            for _ in range(400):
                peer.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
                assert read_response(peer)[2] == HELLO
        assert least <= metric(server, "loopfork_blocking_requests_total") <= most

    def test_it_does_not_fall_into_step_with_the_clients(self, start):
        # Ten clients in turn, every tenth request blocks: a counter would always strike the same one.
        server = start("--sleep", "0.0005", "--blocking-share", "10")
        struck = []
        for number in range(200):
            before = metric(server, "loopfork_blocking_requests_total")
            assert server.get()[2] == HELLO
            if metric(server, "loopfork_blocking_requests_total") > before:
                struck.append(number % 10)
        assert len(set(struck)) >= 5

    def test_it_is_live_and_shown(self, start):
        server = start("--sleep", "0.001")
        assert settings(server)["blocking_share"] == 0
        status, _, _ = server.get("/settings", method="PUT", body=b"blocking-share=100", port=server.admin)
        assert status == 200 and settings(server)["blocking_share"] == 100
        server.get()
        assert metric(server, "loopfork_blocking_requests_total") == 1
        server.get("/settings", method="PUT", body=b"mode=async", port=server.admin)
        assert settings(server)["blocking_share"] == 0

    def test_who_names_a_mode_has_it(self, start):
        server = start("--sleep", "0.001", "--blocking-share", "100")
        server.get("/?mode=async")
        server.get("/?mode=threadpool")
        assert metric(server, "loopfork_blocking_requests_total") == 0


class TestPoolQueue:
    def test_above_it_clients_are_told_when_to_come_again(self, start):
        server = start("--mode", "threadpool", "--threads", "1", "--pool-queue", "2", "--sleep", "1.5")
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            served = []
            for number in range(3):
                served.append(pool.submit(server.get))
                wait_until(lambda at=number: metric(server, "loopfork_sleeping") == at + 1, "a request in the pool")
            status, head, body = server.get()
            assert status == 503 and b"queue is full" in body
            seconds = int(re.search(rb"(?i)\r\nRetry-After: (\d+)", head).group(1))
            assert 1 <= seconds <= 6
            assert [answer.result()[0] for answer in served] == [200, 200, 200]
        assert metric(server, "loopfork_queue_rejections_total") == 1

    def test_the_connection_of_who_was_refused_goes_on(self, start):
        server = start("--mode", "threadpool", "--threads", "1", "--pool-queue", "0", "--sleep", "0.5")
        with concurrent.futures.ThreadPoolExecutor(1) as pool, socket.create_connection((server.host, server.port)) as peer:
            first = pool.submit(server.get)
            wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "a request in the pool")
            peer.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            assert read_response(peer)[0] == 503
            assert first.result()[0] == 200
            peer.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            assert read_response(peer)[0] == 200


class TestHandlerTimeout:
    @pytest.mark.parametrize("mode", ["async", "threadpool"])
    def test_a_handler_that_takes_too_long_gets_503(self, start, mode):
        server = start("--sleep", "50", "--mode", mode, "--handler-timeout", "0.3")
        with socket.create_connection((server.host, server.port)) as peer:
            begun = time.monotonic()
            peer.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            status, _, body = read_response(peer)
            assert status == 503 and b"--handler-timeout" in body
            assert 0.3 <= time.monotonic() - begun < 40
            # The connection is as good as before.
            peer.sendall(b"GET /?sleep=0 HTTP/1.1\r\nHost: test\r\n\r\n")
            assert read_response(peer)[2] == HELLO
        assert metric(server, "loopfork_handler_timeouts_total") == 1
        assert metric(server, "loopfork_sleeping") == 0

    def test_waiting_for_a_thread_counts(self, start):
        server = start("--sleep", "2", "--mode", "threadpool", "--threads", "1", "--handler-timeout", "3")
        answers = [status for status, _, _ in burst(server, 3)]
        assert sorted(answers) == [200, 503, 503]

    def test_a_timed_out_job_gives_its_thread_back(self, start):
        server = start("--mode", "threadpool", "--threads", "1", "--handler-timeout", "0.2", "--max-cpu", "600000")
        assert server.get("/?cpu=500000")[0] == 503
        assert server.get("/?sleep=50")[0] == 503
        assert server.get("/?sleep=0.01")[0] == 200

    def test_a_handler_in_time_is_not_touched(self, start):
        server = start("--sleep", "0.2", "--handler-timeout", "30")
        assert server.get()[0] == 200
        assert metric(server, "loopfork_handler_timeouts_total") == 0
