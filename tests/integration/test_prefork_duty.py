"""Whose turn it is to accept, in prefork_server: all get their share, and who dies or stops with a turn costs no request."""

import collections
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

from prefork import is_alive, run, send, start, status_of, workers
from servers import PATIENCE, wait_until

MANY = (os.cpu_count() or 1) + 6  # so that there are fewer turns than workers, on any machine with few CPUs


def serving_pids(log):
    return collections.Counter(int(pid) for pid in re.findall(r"^<(\d+)>$", log.read_text(), re.M))


def state_of(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_all_workers_get_their_share(start, tmp_path):
    log = tmp_path / "access.log"
    server = start("-w", 8, "--sleep", 0, "--access-logfile", log, "--access-logformat", "%(p)s")
    workers(server, 8)
    done = subprocess.run(["ab", "-q", "-n", "10000", "-c", "16", server.url], capture_output=True, text=True)
    assert re.search(r"Failed requests: +0\b", done.stdout), done.stdout + done.stderr
    server.signal(signal.SIGTERM)  # the last lines are written when a worker has nothing more to do
    assert server.wait() == 0
    shares = sorted(serving_pids(log).values())
    assert len(shares) == 8 and shares[-1] <= 2 * shares[0], shares


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_who_has_the_turn_and_is_gone_is_not_waited_for(start, number):
    """All but one worker are hit: the one that is left serves, whoever had the turns."""
    server = start("-w", MANY, "--sleep", 0, "-t", 0)
    pids = workers(server, MANY)
    assert server.get()[0] == 200
    if number == signal.SIGKILL:
        for pid in pids[1:]:
            os.kill(pid, number)
        # One that is about to die may still take a connection, which is then its own.
        wait_until(lambda: not any(map(is_alive, pids[1:])), "all dead")
        workers(server, MANY)
    else:
        for pid in pids[1:]:
            os.kill(pid, number)
        # One that is on its way to stop may still take a connection, which is then its own.
        wait_until(lambda: all(state_of(pid) == "T" for pid in pids[1:]), "all stopped")
    try:
        for _ in range(3):
            assert status_of(send(server)) == 200
    finally:
        for pid in pids[1:] if number == signal.SIGSTOP else []:
            os.kill(pid, signal.SIGCONT)
    assert server.get()[0] == 200


def test_many_sleep_at_once_all_the_same(start):
    """A sleeper gives its turn away: as many sleep at once as there are workers."""
    server = start("-w", MANY, "--sleep", 1)
    workers(server, MANY)
    begin = time.monotonic()
    peers = [send(server) for _ in range(MANY)]
    assert [status_of(peer) for peer in peers] == [200] * MANY
    assert time.monotonic() - begin < MANY / 2


def test_silent_clients_hold_a_worker_each_and_no_turn(start):
    server = start("-w", MANY, "--sleep", 0, "--header-timeout", 20)
    workers(server, MANY)
    silent = [server.connect() for _ in range(MANY - 1)]
    assert server.get()[0] == 200
    for peer in silent:
        peer.close()


def test_one_worker_becomes_many_and_one_again(start):
    server = start("-w", 1, "--sleep", 0)
    for count in range(2, MANY + 1):  # one by one: of two equal signals that wait, the kernel drops one
        server.signal(signal.SIGTTIN)
        workers(server, count)
    assert [server.get()[0] for _ in range(50)] == [200] * 50
    for count in range(MANY - 1, 0, -1):
        server.signal(signal.SIGTTOU)
        workers(server, count)
    assert [server.get()[0] for _ in range(50)] == [200] * 50


def test_several_addresses(start, tmp_path):
    """Each is served, with more workers than turns and with one."""
    path = tmp_path / "socket"
    for count in (1, MANY):
        server = start("-w", count, "--sleep", 0, bind=f"[::1]:0,unix:{path},127.0.0.1:0")  # the last is what get() asks
        workers(server, count)
        six = re.search(r"http://\[::1\]:(\d+)", server.log()).group(1)
        for _ in range(3):
            assert server.get()[0] == 200
            assert run_curl("--unix-socket", path, "http://test/") == "Hello, Anonymous"
            assert run_curl(f"http://[::1]:{six}/") == "Hello, Anonymous"
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not path.exists()


def run_curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_too_many_addresses_and_wrong_ones():
    done = run("--bind", ",".join(["127.0.0.1:0"] * 17))
    assert done.returncode == 2 and "more than 16 addresses" in done.stderr
    done = run("--bind", "127.0.0.1:0,")
    assert done.returncode == 2 and "an address is missing" in done.stderr
    done = run("--bind", "127.0.0.1:0,nonsense:port")
    assert done.returncode == 2 and "nonsense:port" in done.stderr
