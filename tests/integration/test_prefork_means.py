"""prefork_server without the means it needs: descriptors, processes."""

import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest

from prefork import PROGRAM, run, send, start, status_of, workers
from servers import parse_response, wait_until


def test_no_descriptor_for_a_connection(start):
    """EMFILE at accept: the worker lives, says so once, and serves as soon as it can."""
    server = start("--sleep", 0)
    (worker,) = workers(server, 1)
    assert server.get()[0] == 200
    used = wait_until(lambda: len(os.listdir(f"/proc/{worker}/fd")) == 8 and 8, "a worker at rest")
    hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, hard))
    peers = [send(server) for _ in range(3)]
    server.wait_log(r"\[ERROR\] Cannot accept: Too many open files")
    time.sleep(0.5)
    assert server.log().count("Cannot accept") == 1
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
    assert [status_of(peer) for peer in peers] == [200] * 3
    assert workers(server, 1) == [worker]


def test_no_memory_for_a_request(start):
    """It gets 503 and may come again; the worker, and whoever needs less, lives on."""
    server = start("--sleep", 0, "--limit-request-line", 0, "--limit-request-field_size", 0)
    (worker,) = workers(server, 1)
    if re.search("lib[at]san", pathlib.Path(f"/proc/{worker}/maps").read_text()):
        pytest.skip("the sanitizer needs address space itself")
    large = b"GET /?" + b"x" * 600_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert server.get()[0] == 200
    now = int(pathlib.Path(f"/proc/{worker}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(worker, resource.RLIMIT_AS, (now, resource.RLIM_INFINITY))
    status, head, body = parse_response(server.exchange(large))
    assert status == 503 and b"\r\nRetry-After: 1\r\n" in head and b"memory" in body
    server.wait_log(rf"\[{worker}\] \[ERROR\] No memory for a request from 127\.0\.0\.1, of which \d+ bytes came")
    assert server.get()[0] == 200
    resource.prlimit(worker, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert parse_response(server.exchange(large))[0] == 200
    assert workers(server, 1) == [worker]


def test_no_process_for_a_worker(start):
    """fork fails with EAGAIN: said, and tried again; the health check tells it meanwhile."""
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
    # Room for the arbiter, the admin process and one worker.
    server = start("--sleep", 0, "--admin", "127.0.0.1:0", preexec_fn=lambda: become_user(3))
    (worker,) = workers(server, 1)
    port = server.admin_port()
    assert server.get("/healthz", port=port)[0] == 200
    with subprocess.Popen(["sleep", "60"], preexec_fn=become_user) as other:
        os.kill(worker, signal.SIGKILL)
        server.wait_log(r"\[ERROR\] Cannot start a worker: Resource temporarily unavailable; trying again", count=2)
        status, _, body = server.get("/healthz", port=port)
        assert status == 503 and b"no worker is alive" in body
        other.kill()
    assert server.get()[0] == 200
    assert server.get("/healthz", port=port)[0] == 200


def test_workers_that_cannot_begin_end_the_arbiter():
    """Exit status 3 of a worker is the arbiter's too, as in gunicorn: to try again would change nothing."""
    # (A leak check would want descriptors of its own.)
    done = run("--bind", "127.0.0.1:0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6)),
               env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    assert done.returncode == 3
    assert re.search(r"\[ERROR\] Worker cannot begin: Too many open files", done.stderr)
    assert re.search(r"\[ERROR\] Worker \(pid:\d+\) exited with code 3\n", done.stderr)
    assert re.search(r"Shutting down: Master\n.*Reason: Worker failed to boot\.\n$", done.stderr)
