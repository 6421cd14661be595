"""Signals to prefork_server's arbiter and workers."""

import itertools
import os
import re
import signal
import threading
import time

import pytest

from prefork import Load, asleep, is_alive, metric, queue_length, send, start, status_of, workers
from servers import PATIENCE, PreforkServer, read_all, wait_until


def test_ttin_and_ttou(start):
    server = start("--sleep", 0)
    (first,) = workers(server, 1)
    server.signal(signal.SIGTTIN)
    _, second = workers(server, 2)
    server.signal(signal.SIGTTIN)
    workers(server, 3)
    server.signal(signal.SIGTTOU)
    assert workers(server, 2)[0] == second  # the oldest goes
    assert not is_alive(first)
    for count in range(2, 5):
        server.signal(signal.SIGTTOU)
        server.wait_log("Handling signal: ttou", count=count)
    assert len(workers(server, 1)) == 1  # never below
    assert server.get()[0] == 200


def test_hup_replaces_every_worker_and_serves_meanwhile(start):
    server = start("--workers", 3, "--sleep", 0.02)
    old = workers(server, 3)
    with Load(server, 6) as load:
        load.wait(20)
        server.signal(signal.SIGHUP)
        wait_until(lambda: not any(map(is_alive, old)), "the end of the old workers")
        load.wait(load.done + 20)
    assert load.lost == []
    assert not set(workers(server, 3)) & set(old)
    exits = [int(pid) for pid in re.findall(r"Worker exiting \(pid: (\d+)\)", server.log())]
    assert sorted(exits) == sorted(old)


def test_hup_brings_the_configured_number_back(start):
    server = start("--workers", 2, "--sleep", 0)
    workers(server, 2)
    server.signal(signal.SIGTTIN)
    old = workers(server, 3)
    server.signal(signal.SIGHUP)
    wait_until(lambda: not any(map(is_alive, old)), "the end of the old workers")
    assert len(workers(server, 2)) == 2


def test_hup_lets_a_request_end(start):
    server = start("--sleep", 1, "--admin", "127.0.0.1:0")
    (old,) = workers(server, 1)
    peer = send(server)
    asleep(server)
    server.signal(signal.SIGHUP)
    server.wait_log("Booting worker", count=2)
    assert is_alive(old)
    assert status_of(peer) == 200
    wait_until(lambda: not is_alive(old), "the end of the old worker")


@pytest.mark.parametrize("target", ["arbiter", "worker"])
def test_term_lets_a_request_end(start, target):
    server = start("--sleep", 0.5, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    peer = send(server)
    asleep(server)
    if target == "arbiter":
        server.signal(signal.SIGTERM)
    else:
        os.kill(worker, signal.SIGTERM)
    assert status_of(peer) == 200
    if target == "arbiter":
        assert server.wait() == 0
        assert "Shutting down: Master" in server.log()
    else:
        server.wait_log("Booting worker", count=2)
        assert server.get()[0] == 200


def test_term_serves_those_who_wait_already(start):
    """A connection in the backlog was accepted by the kernel: its client has no way to know that nobody came for it."""
    server = start("--sleep", 0.1, "--workers", 2, "--admin", "127.0.0.1:0")
    workers(server, 2)
    peers = [send(server) for _ in range(14)]
    asleep(server, 2)
    server.signal(signal.SIGTERM)
    assert [status_of(peer) for peer in peers] == [200] * 14
    assert server.wait() == 0
    assert "SIGKILL" not in server.log()


def test_term_under_endless_load_ends(start):
    """What comes after TERM is not waited for, or a busy server would never stop."""
    server = start("--sleep", 0.01, "--workers", 2)
    workers(server, 2)
    with Load(server, 8) as load:
        load.wait(20)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "SIGKILL" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("target", ["arbiter", "worker"])
def test_int_and_quit_end_it_in_the_middle_of_a_sleep(start, number, target):
    server = start("--sleep", 60, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    peer = send(server)
    asleep(server)
    if target == "arbiter":
        server.signal(number)
        assert server.wait() == 0
    else:
        os.kill(worker, number)
    assert read_all(peer) == b""
    peer.close()
    server.wait_log(rf"\[{worker}\] \[INFO\] Worker exiting \(pid: {worker}\)")
    assert "exited with code" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_end_it_in_the_middle_of_a_computation(start, number):
    server = start("--cpu", 600000, "--max-cpu", 600000, "--admin", "127.0.0.1:0")
    peer = send(server)
    wait_until(lambda: metric(server, "loopfork_computing") == 1, "the computation")
    server.signal(number)
    assert server.wait() == 0
    assert read_all(peer) == b""
    peer.close()
    assert "SIGKILL" not in server.log()


def test_a_connection_ends_int_too(start):
    """A worker waits in more places than a sleep: for a header, for a body, for a client to read."""
    for data in (b"", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"):
        server = start("--sleep", 0)
        workers(server, 1)
        with send(server, data):
            wait_until(lambda: queue_length(server) == 0, "accept")
            server.signal(signal.SIGINT)
            assert server.wait() == 0


def test_the_health_check_tells_of_a_stop(start):
    server = start("--sleep", 1, "--admin", "127.0.0.1:0")
    port = server.admin_port()
    peer = send(server)
    asleep(server)
    server.signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    status, _, body = wait_until(lambda: (answer := server.get("/healthz", port=port))[0] == 503 and answer, "503")
    assert b"stopping" in body
    assert status_of(peer) == 200


def test_graceful_timeout_is_the_end_of_patience(start):
    server = start("--sleep", 60, "--graceful-timeout", 0.5, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    with send(server) as peer:
        asleep(server)
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert 0.5 <= time.monotonic() - begin
        assert read_all(peer) == b""
    assert f"Worker (pid:{worker}) was sent SIGKILL! Perhaps out of memory?" in server.log()


def test_int_hurries_a_graceful_stop(start):
    server = start("--sleep", 60, "--graceful-timeout", 60, "--admin", "127.0.0.1:0")
    with send(server):
        asleep(server)
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        server.signal(signal.SIGINT)
        assert server.wait() == 0
    assert "SIGKILL" not in server.log()


def test_a_second_int_does_not_wait_for_a_stopped_worker(start):
    server = start("--graceful-timeout", 60)
    (worker,) = workers(server, 1)
    os.kill(worker, signal.SIGSTOP)
    server.signal(signal.SIGINT)
    server.wait_log("Handling signal: int")
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert not is_alive(worker)


def test_usr1_opens_the_logs_again(start, tmp_path):
    error, access = tmp_path / "error", tmp_path / "access"
    process = PreforkServerWithLogFile(error, access)
    with process:
        process.get("/before")
        wait_until(lambda: "/before" in access.read_text(), "the access log")
        error.rename(tmp_path / "error.1")
        access.rename(tmp_path / "access.1")
        process.signal(signal.SIGUSR1)
        wait_until(lambda: error.exists() and access.exists(), "new files")
        wait_until(lambda: process.get("/after")[0] == 200 and access.exists() and "/after" in access.read_text(),
                   "the access log in the new file")
        assert "/after" not in (tmp_path / "access.1").read_text().replace("/after", "", 5)
        process.signal(signal.SIGTTIN)
        wait_until(lambda: "Booting worker" in error.read_text(), "the error log in the new file")
        assert "Handling signal: usr1" in (tmp_path / "error.1").read_text()


class PreforkServerWithLogFile(PreforkServer):
    """Its log goes to the file ERROR, which the usual helpers do not see."""

    def __init__(self, error, access):
        self.error = error
        super().__init__("--sleep", "0", "--error-logfile", error, "--access-logfile", access)

    def log(self):
        parts = [path.read_text() for path in sorted(self.error.parent.glob(self.error.name + "*"), reverse=True)]
        return "".join(parts)


def test_a_storm_of_usr1_and_a_quit_end_a_busy_worker(start, tmp_path):
    """A signal that meets a worker while it obeys another: it ends all the same, and writes no line twice."""
    access = tmp_path / "access"
    server = start("--workers", 16, "--sleep", 0, "--access-logfile", access)
    numbers = itertools.count()
    stopped = threading.Event()

    def ask():
        while not stopped.is_set():
            try:
                server.get(fields=f"User-Agent: n{next(numbers)}\r\n")
            except (OSError, AssertionError):
                pass  # its worker has ended

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            old = workers(server, 16)
            time.sleep(0.5)  # in which they serve
            for pid in old:
                for _ in range(30):
                    os.kill(pid, signal.SIGUSR1)
                os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: not any(map(is_alive, old)), "the end of the workers")
    finally:
        stopped.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert "SIGKILL" not in server.log() and "WORKER TIMEOUT" not in server.log()
    exits = re.findall(r"Worker exiting \(pid: (\d+)\)", server.log())
    assert len(exits) == len(set(exits)) >= 48
    lines = re.findall(r'"n(\d+)"\n', access.read_text())
    assert len(lines) == len(set(lines)) > 0
