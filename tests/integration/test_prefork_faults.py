"""What the kernel may throw at prefork_server alone: its forks, its turns to accept, its boots, its last words. See test_faults.py."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from inject import ALWAYS, injector, library
from prefork import GET, PROGRAM, Load, asleep, children_of, metric, send, start, status_of, workers
from servers import PATIENCE, parse_response, read_all, wait_until


@pytest.fixture
def faulty(start, injector):
    """faulty(*arguments) starts a server whose system calls obey `injector`."""

    def start_one(*arguments, **more):
        return start("--admin", "127.0.0.1:0", *arguments, env=injector.env, **more)

    return start_one


def test_no_process_for_the_new_workers_of_a_reload(faulty, injector):
    """As many old ones stay as could not be replaced, and nobody notices; the new ones come when they can."""
    server = faulty("--workers", 2, "--sleep", 0)
    old = workers(server, 2)
    with Load(server, 2) as load:
        injector.set("fork", "EAGAIN", times=ALWAYS)
        server.signal(signal.SIGHUP)
        server.wait_log(r"\[ERROR\] Cannot start a worker: Resource temporarily unavailable; trying again in 1 s", count=2)
        load.wait(load.done + 20)
        assert server.worker_pids() == old
        injector.stop("fork")
        server.wait_log("Booting worker", count=4)
        load.wait(load.done + 20)
        wait_until(lambda: not set(old) & set(server.worker_pids()), "the end of the old ones")
    assert load.lost == []
    assert len(workers(server, 2)) == 2


def test_no_process_for_the_admin_address(faulty, injector):
    server = faulty("--sleep", 0)
    (worker,) = workers(server, 1)
    assert metric(server, "loopfork_workers") == 1
    (admin,) = set(children_of(server.pid)) - {worker}
    injector.set("fork", "EAGAIN", times=2)
    os.kill(admin, signal.SIGKILL)
    server.wait_log(r"\[ERROR\] Cannot start the admin process: Resource temporarily unavailable; trying again in 1 s", count=2)
    assert server.get()[0] == 200
    assert metric(server, "loopfork_workers") == 1
    assert workers(server, 1) == [worker]


def test_a_want_that_passes_while_a_worker_begins(faulty, injector):
    """ENFILE is no fault of this server's, and no reason to end it: gunicorn's exit status 3 is for what will not pass."""
    server = faulty("--sleep", 0)
    (worker,) = workers(server, 1)
    injector.set("open", "ENFILE", times=3)
    os.kill(worker, signal.SIGKILL)
    server.wait_log(r"\[ERROR\] Worker cannot begin: Too many open files in system", count=3)
    assert server.get()[0] == 200
    server.wait_log(r"\[ERROR\] Worker \(pid:\d+\) exited with code 1\n", count=3)
    assert injector.struck("open") == 3
    assert len(workers(server, 1)) == 1


def test_a_want_of_epoll_watches_passes_too(faulty, injector):
    """All processes of a user share them: another one's lack of care must not end this server."""
    server = faulty("--sleep", 0, "--threads", 2)
    (worker,) = workers(server, 1)
    injector.set("epoll_ctl", "ENOSPC", times=2)
    os.kill(worker, signal.SIGKILL)
    server.wait_log(r"\[ERROR\] Worker cannot begin: No space left on device", count=2)
    assert server.get()[0] == 200
    assert injector.struck("epoll_ctl") == 2


def test_no_memory_for_a_wait_for_a_client(faulty, injector):
    """poll may fail with ENOMEM: that ends one connection."""
    server = faulty("--sleep", 0)
    (worker,) = workers(server, 1)
    with send(server, GET[:9]) as peer:
        time.sleep(0.1)
        injector.set("poll", "ENOMEM", skip=0)
        peer.sendall(GET[9:12])  # ends the wait under way; the next one fails
        assert read_all(peer) == b""
    assert injector.struck("poll") == 1
    assert server.get()[0] == 200
    assert workers(server, 1) == [worker]
    assert "ERROR" not in server.log()


def test_no_memory_for_a_wait_at_several_addresses(faulty, injector):
    server = faulty("--sleep", 0, bind="127.0.0.1:0,127.0.0.1:0")
    (worker,) = workers(server, 1)
    injector.set("poll", "ENOMEM", times=2)
    peers = [send(server) for _ in range(4)]
    assert [status_of(peer) for peer in peers] == [200] * 4
    injector.wait("poll", 2)
    assert server.get()[0] == 200
    assert server.log().count("Cannot accept: Cannot allocate memory") <= 2
    assert workers(server, 1) == [worker]


@pytest.mark.parametrize("error", ["EINTR", "ENOMEM", "EAGAIN"])
def test_a_wait_for_a_turn_that_fails(faulty, injector, error):
    """Of more workers than CPUs, some wait for their turn to accept."""
    server = faulty("--workers", 12, "--sleep", 0)
    old = workers(server, 12)
    injector.set("recv", error, times=30)
    injector.wait("recv", 30)
    assert [status_of(send(server)) for _ in range(20)] == [200] * 20
    assert workers(server, 12) == old


def test_turns_that_get_lost(faulty, injector):
    """No memory for a datagram: the turn that it was is gone. Somebody who sees that nobody accepts takes one all the same."""
    server = faulty("--workers", 12, "--sleep", 0)
    old = workers(server, 12)
    lost = 0
    for _ in range(40):
        # Who has a turn gives it away before it sleeps, and only later answers. Who has none fails to answer.
        injector.set("send", "ENOBUFS")
        with send(server, GET.replace(b"/", b"/?sleep=0.05", 1)) as peer:
            lost += read_all(peer) != b"" and injector.struck("send") == 1
        if lost > min(len(os.sched_getaffinity(0)), 8):
            break
    else:
        raise AssertionError(f"{lost} turns lost")
    injector.stop("send")
    assert [status_of(send(server)) for _ in range(20)] == [200] * 20
    assert workers(server, 12) == old


@pytest.mark.parametrize("error", ["EAGAIN", "EPIPE"])
def test_last_words_that_find_no_room(faulty, injector, error):
    """A worker that is ended does not wait for a client that takes nothing."""
    server = faulty("--sleep", 0, "--timeout", 0)
    (worker,) = workers(server, 1)
    peer = send(server, GET.replace(b"/", b"/?sleep=50", 1))
    asleep(server)
    injector.set("send", error)
    os.kill(worker, signal.SIGABRT)
    with peer:
        assert read_all(peer) == b""
    assert injector.struck("send") == 1
    server.wait_log(rf'Worker \(pid:{worker}\) was busy for \d+\.\d s with "GET /\?sleep=50 HTTP/1\.1" from 127\.0\.0\.1: ended by SIGABRT\n')
    assert server.get()[0] == 200


def test_a_client_that_is_gone_when_its_worker_is_ended(faulty):
    """Its request is named all the same."""
    server = faulty("--sleep", 0, "--timeout", 0)
    (worker,) = workers(server, 1)
    peer = send(server, GET.replace(b"/", b"/?sleep=50", 1))
    asleep(server)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    os.kill(worker, signal.SIGABRT)
    server.wait_log(rf'Worker \(pid:{worker}\) was busy for \d+\.\d s with "GET /\?sleep=50 HTTP/1\.1" from')
    server.wait_log(rf"Worker \(pid:{worker}\) exited with code 1")
    assert server.get()[0] == 200


def test_a_deadline_whose_wait_is_interrupted(faulty, injector):
    server = faulty("--handler-timeout", 0.3)
    injector.set("clock_nanosleep", "EINTR", times=20)
    begun = time.monotonic()
    assert status_of(send(server, GET.replace(b"/", b"/?sleep=50", 1))) == 504
    assert time.monotonic() - begun >= 0.3
    assert injector.struck("clock_nanosleep") == 20
    assert server.get("/?sleep=0")[0] == 200


@pytest.mark.parametrize("seconds", [-3600, 3600], ids=["back", "forward"])
def test_deadlines_do_not_go_by_the_wall_clock(faulty, injector, seconds):
    server = faulty("--handler-timeout", 1, "--body-timeout", 1, "--min-rate", 1000)
    for data, expected in ((GET.replace(b"/", b"/?sleep=50", 1), 504), (GET[:-2] + b"Content-Length: 9\r\n\r\n", 408)):
        begun = time.monotonic()
        peer = send(server, data)
        time.sleep(0.2)
        injector.move_wall_clock(seconds)
        assert status_of(peer) == expected
        assert time.monotonic() - begun >= 1
        injector.move_wall_clock(0)


class TestOrphans:
    ENTER = ["unshare", "--pid", "--fork", "--kill-child", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]

    def test_as_pid_1_it_reaps_those_of_others(self, tmp_path):
        """In a container every orphan becomes a child of the arbiter, which takes none of them for a worker."""
        if shutil.which("unshare") is None or subprocess.run([*self.ENTER, "true"], capture_output=True).returncode != 0:
            pytest.skip("no new PID namespace here")
        log = tmp_path / "log"
        orphans = "for i in 1 2 3 4 5; do (sleep 0.5 & exec true); done;"
        process = subprocess.Popen([*self.ENTER, "sh", "-c", f'{orphans} exec "$0" "$@"', PROGRAM, "--bind", "127.0.0.1:0",
                                    "--sleep", "0", "--workers", "2", "--log-file", log],
                                   env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))  # /proc is another namespace's
        try:
            port = int(wait_until(lambda: log.exists() and re.search(r"Listening at: \S+:(\d+) \(1\)", log.read_text()), "PID 1").group(1))
            (arbiter,) = children_of(process.pid)
            wait_until(lambda: len(with_zombies(arbiter)) == 2, "no zombie, as nobody else would reap them")
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
                peer.sendall(GET)
                assert parse_response(read_all(peer))[0] == 200
            os.kill(arbiter, signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert "ERROR" not in log.read_text()
        finally:
            process.kill()
            process.wait()


def with_zombies(parent):
    """The pids of PARENT's children, dead ones too."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.append(int(path.parent.name))
    return found


def test_a_storm_of_resets(start):
    """Connections that are reset before, while and after they are accepted cost nobody else anything."""
    server = start("--workers", 2, "--sleep", 0, "--admin", "127.0.0.1:0")
    old = workers(server, 2)
    with Load(server, 2) as load:
        for number in range(600):
            with socket.create_connection((server.host, server.port), PATIENCE) as peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                peer.sendall((b"", GET[:10], GET, GET * 50)[number % 4])
        load.wait(load.done + 10)
    assert load.lost == []
    wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "the end of every connection")
    assert workers(server, 2) == old
    assert "ERROR" not in server.log()
