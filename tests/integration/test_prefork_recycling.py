"""prefork_server: workers that are replaced while nothing is wrong with them: --max-requests and --max-rss."""

import os
import re
import signal
import time

import pytest

from prefork import Load, children_of, is_alive, metric, run, start, workers  # noqa: F401 (start is a fixture)
from servers import wait_until

RETIRES = r"\[INFO\] Autorestarting worker after current request\."


def restarts(server, reason):
    return metric(server, f'loopfork_worker_restarts_total{{reason="{reason}"}}')


def count(server, pattern):
    return len(re.findall(pattern, server.log()))


@pytest.mark.parametrize("count_of_workers", [1, 4])
def test_no_request_is_lost_while_workers_are_recycled(start, count_of_workers):
    server = start("--sleep", 0, "--workers", count_of_workers, "--max-requests", 10, "--admin", "127.0.0.1:0")
    with Load(server, 8) as load:
        load.wait(2000)
    assert load.lost == []
    assert count(server, RETIRES) >= load.done / 10 - count_of_workers
    wait_until(lambda: len(server.worker_pids()) == count_of_workers, "as many workers as before")
    assert restarts(server, "max-requests") >= load.done / 10 - count_of_workers
    assert restarts(server, "crash") == 0
    assert "Workers die as they start" not in server.log()
    assert metric(server, "loopfork_requests_total") == load.done


def test_every_request_may_have_a_worker_of_its_own(start):
    server = start("--sleep", 0, "--max-requests", 1)
    pids = set()
    for _ in range(30):
        pids.update(server.worker_pids())
        assert server.get("/")[0] == 200
    wait_until(lambda: count(server, RETIRES) == 30, "thirty workers")
    assert count(server, r"Worker exiting") >= 29 and "exited with code" not in server.log()


def test_its_successor_is_there_before_its_last_request_ends(start):
    server = start("--sleep", 0, "--max-requests", 1)
    (old,) = workers(server, 1)
    peer = server.connect()
    peer.sendall(b"GET /?sleep=3 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: len(server.worker_pids()) == 2, "a second worker")
    begun = time.monotonic()
    assert server.get("/")[0] == 200
    assert is_alive(old) and time.monotonic() - begun < 3
    assert b"200 OK" in peer.recv(4096)
    peer.close()
    wait_until(lambda: not is_alive(old), "the old one to end")


def test_each_worker_draws_its_own_jitter(start):
    server = start("--sleep", 0, "--max-requests", 3, "--max-requests-jitter", 5)
    lives, served = [], 0
    for _ in range(150):
        before = count(server, RETIRES)
        assert server.get("/")[0] == 200
        served += 1
        # The line is written before the answer.
        if count(server, RETIRES) > before:
            lives.append(served)
            served = 0
    assert len(lives) >= 150 // 9 and all(3 <= life <= 8 for life in lives)
    assert len(set(lives)) > 1


def test_without_it_a_worker_stays(start):
    server = start("--sleep", 0, "--max-requests-jitter", 5)
    before = workers(server, 1)
    for _ in range(50):
        assert server.get("/")[0] == 200
    assert server.worker_pids() == before


def test_a_crash_is_still_a_crash(start):
    server = start("--sleep", 0, "--max-requests", 1000, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: restarts(server, "crash") == 1, "the crash is counted")
    assert restarts(server, "max-requests") == 0


def rss_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) / 1024


def test_a_worker_that_outgrows_its_limit_is_replaced_after_its_request(start):
    """A limit below what a worker has at birth: the only size that a test can be sure of."""
    server = start("--sleep", 0, "--max-rss", 1, "--admin", "127.0.0.1:0")
    (old,) = workers(server, 1)
    assert rss_mib(old) > 1
    peer = server.connect()
    peer.sendall(b"GET /?sleep=4 HTTP/1.1\r\nHost: x\r\n\r\n")
    server.wait_log(rf"\[INFO\] Worker \(pid:{old}\) has [1-9][\d.]* MiB resident, more than --max-rss 1: it ends after its "
                    r"current request")
    wait_until(lambda: any(pid != old for pid in server.worker_pids()), "its successor")
    assert b"200 OK" in peer.recv(4096)
    peer.close()
    wait_until(lambda: not is_alive(old), "the end of the old one")
    assert restarts(server, "max-rss") >= 1 and restarts(server, "crash") == 0


def test_a_limit_that_no_worker_can_keep_is_told_and_does_not_spin(start):
    server = start("--sleep", 0, "--max-rss", 1, "--workers", 2)
    server.wait_log(r"\[WARNING\] Workers outgrow --max-rss 1 within 10 s of their start: they will be replaced less and "
                    r"less often; raise it")
    begun = time.monotonic()
    with Load(server, 2) as load:
        load.wait(200)
        time.sleep(max(0, begun + 2.5 - time.monotonic()))
    assert load.lost == []
    # Looked at 0, 2 and 6 s after the first, at the earliest.
    assert count(server, "more than --max-rss") <= 2 * (2 + int((time.monotonic() - begun) / 4))
    assert count(server, "Workers outgrow") == 1


def test_a_limit_above_its_size_leaves_a_worker_alone(start):
    server = start("--sleep", 0, "--max-rss", 4096)
    before = workers(server, 1)
    time.sleep(2.2)
    assert server.worker_pids() == before and "--max-rss" not in server.log()


def test_no_worker_is_left_behind(start):
    server = start("--sleep", 0, "--workers", 3, "--max-requests", 5)
    with Load(server, 4) as load:
        load.wait(300)
    wait_until(lambda: len(children_of(server.pid)) == 3, "three workers and nothing else")
    assert load.lost == []


@pytest.mark.parametrize("arguments", [["--max-requests", "-1"], ["--max-requests", "x"], ["--max-rss", "-1"],
                                       ["--max-requests-jitter", "1.5"]])
def test_a_wrong_number_is_a_mistake(arguments):
    done = run(*arguments)
    assert done.returncode == 2 and arguments[0] in done.stderr
