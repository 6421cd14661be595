"""Workers and arbiters of prefork_server that die, hang or are stopped."""

import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from prefork import Load, asleep, send, start, status_of, workers
from servers import ROOT, parent_of, wait_until


def test_a_worker_killed_under_load_loses_no_other_request(start):
    """Four clients, four workers: a kill costs the request it was in, and no other."""
    server = start("--workers", 4, "--sleep", 0.05)
    killed = workers(server, 4)[1]
    with Load(server, 8) as load:
        load.wait(20)
        os.kill(killed, signal.SIGKILL)
        server.wait_log("Booting worker", count=5)
        load.wait(load.done + 60)
    assert len(load.lost) <= 1, load.lost
    server.wait_log(rf"\[{server.pid}\] \[ERROR\] Worker \(pid:{killed}\) was sent SIGKILL! Perhaps out of memory\?")
    assert len(workers(server, 4)) == 4


def test_idle_and_busy_workers_are_not_overdue(start):
    server = start("--timeout", 5, "--workers", 2, "--sleep", 0.5)
    old = workers(server, 2)
    for _ in range(14):
        assert server.get()[0] == 200
    assert workers(server, 2) == old


def test_timeout_0_waits_for_ever(start):
    server = start("--timeout", 0, "--sleep", 2.5)
    old = workers(server, 1)
    assert server.get()[0] == 200
    assert workers(server, 1) == old


def test_a_stopped_worker_is_replaced(start):
    server = start("--timeout", 4, "--sleep", 0)
    (worker,) = workers(server, 1)
    os.kill(worker, signal.SIGSTOP)
    server.wait_log(rf"WORKER TIMEOUT \(pid:{worker}\)")
    server.wait_log(rf"Worker \(pid:{worker}\) was sent SIGKILL!")
    assert workers(server, 1) != [worker]
    assert server.get()[0] == 200


def test_a_stopped_arbiter_does_not_blame_its_workers(start):
    server = start("--timeout", 6, "--sleep", 0)
    old = workers(server, 1)
    server.signal(signal.SIGSTOP)
    time.sleep(8)
    server.signal(signal.SIGCONT)
    time.sleep(1.5)
    assert workers(server, 1) == old
    assert "WORKER TIMEOUT" not in server.log()


def test_workers_follow_a_killed_arbiter(start):
    server = start("--workers", 3, "--sleep", 0.5, "--admin", "127.0.0.1:0")
    pids = workers(server, 3)
    peer = send(server)
    asleep(server)
    server.signal(signal.SIGKILL)
    server.wait()
    assert status_of(peer) == 200  # the request under way ends
    wait_until(lambda: all(parent_of(pid) is None for pid in pids), "the end of the workers")
    assert server.log().count("Parent changed, shutting down") == 3
    with pytest.raises(OSError):
        for _ in range(200):
            socket.create_connection(("127.0.0.1", server.admin_port()), 1).close()
            time.sleep(0.05)


@pytest.fixture
def start_mortal(start, tmp_path):
    """start_mortal(*arguments) starts a server whose new workers die as they start while start_mortal.curse exists."""
    library, curse = tmp_path / "dies_at_birth.so", tmp_path / "curse"
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-fPIC", "-shared", "-o", library, ROOT / "tests/integration/fakes/dies_at_birth.c"],
                   check=True)
    env = {"LD_PRELOAD": str(library), "DIES_AT_BIRTH": str(curse),
           "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:handle_segv=0:verify_asan_link_order=0".lstrip(":")}

    def start_one(*arguments):
        return start(*arguments, env=env)

    start_one.curse = curse
    return start_one


def test_workers_that_cannot_live_do_not_spin(start_mortal):
    server = start_mortal("--sleep", 0, "--workers", 2)
    for pid in workers(server, 2):
        start_mortal.curse.touch()
        os.kill(pid, signal.SIGKILL)
    for count in range(3, 6):
        server.wait_log(rf"\[WARNING\] Workers die as they start \({count} in a row\): the next one in 0\.{2 ** (count - 3)} s")
    assert 5 <= server.log().count("was sent SIGSEGV!") <= 8
    start_mortal.curse.unlink()
    assert server.get()[0] == 200
    assert len(workers(server, 2)) == 2


def test_workers_that_are_killed_while_they_serve_are_replaced_at_once(start):
    """However young they are, and however many in a row."""
    server = start("--sleep", 0)
    for _ in range(12):
        (worker,) = workers(server, 1)
        assert server.get()[0] == 200  # it has come to serve
        os.kill(worker, signal.SIGKILL)
        server.wait_log(rf"Worker \(pid:{worker}\) was sent SIGKILL")
    assert server.get()[0] == 200
    assert "Workers die as they start" not in server.log()


def test_no_zombies_and_no_lost_descriptors(start):
    server = start("--workers", 3, "--sleep", 0, "--admin", "127.0.0.1:0", "--max-sleep", 1)

    def descriptors(pid):
        return sorted(os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd"))

    def children():
        found = []
        for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == server.pid:
                found.append(fields[0])
        return found

    first = workers(server, 3)
    assert server.get()[0] == 200
    before = descriptors(server.pid)
    workers_before = wait_until(lambda: len(found := descriptors(first[0])) == 8 and found, "a worker at rest")
    for round_number in range(1, 6):
        for pid in workers(server, 3):
            os.kill(pid, signal.SIGKILL)
        server.wait_log("Booting worker", count=3 * round_number + 3)
        workers(server, 3)
    wait_until(lambda: len(children()) == 4 and "Z" not in children(), "three workers, the admin process, no zombie")
    assert descriptors(server.pid) == before
    for pid in workers(server, 3):
        wait_until(lambda: descriptors(pid) == workers_before, "a worker with the usual descriptors")
    # The arbiter: 0 to 2, two listening sockets, the two ends that turns go through, the pipe that holds the admin process.
    # A worker: 0 to 2, its listening socket twice, the two ends, and what TERM puts in their place.
    assert len(before) == 8 and len(workers_before) == 8
