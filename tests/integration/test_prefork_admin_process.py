"""The process that answers prefork_server's admin address: watched like a worker, and gone with the arbiter."""

import os
import signal

from prefork import children_of, is_alive, start, workers
from servers import wait_until


def admin_pid(server):
    """The child that is no worker."""
    found = wait_until(lambda: set(children_of(server.pid)) - set(server.worker_pids()), "the admin process")
    assert len(found) == 1
    return found.pop()


def test_one_that_does_not_answer_is_replaced(start):
    server = start("--sleep", 0, "--admin", "127.0.0.1:0")
    workers(server, 1)
    pid = admin_pid(server)
    os.kill(pid, signal.SIGSTOP)
    server.wait_log(rf"ADMIN PROCESS TIMEOUT \(pid:{pid}\)")
    server.wait_log(rf"The admin process \(pid:{pid}\) ended unasked and is replaced")
    assert server.get("/healthz", port=server.admin_port())[0] == 200
    assert admin_pid(server) != pid


def test_a_stopped_one_does_not_outlive_the_arbiter(start):
    server = start("--sleep", 0, "--admin", "127.0.0.1:0")
    workers(server, 1)
    pid = admin_pid(server)
    os.kill(pid, signal.SIGSTOP)
    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: not is_alive(pid), "the end of the admin process")


def test_a_stopped_one_does_not_hold_up_the_stop(start):
    server = start("--sleep", 0, "--admin", "127.0.0.1:0")
    workers(server, 1)
    pid = admin_pid(server)
    os.kill(pid, signal.SIGSTOP)
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not is_alive(pid)
