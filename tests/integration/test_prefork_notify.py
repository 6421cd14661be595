"""prefork_server under a service manager that wants to be told: NOTIFY_SOCKET."""

import os
import signal
import socket

import pytest

from prefork import workers
from servers import PATIENCE, PreforkServer, parent_of, wait_until


@pytest.fixture
def manager(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        one.settimeout(PATIENCE)
        yield one


def told(manager):
    return manager.recv(1000).decode()


def test_ready_when_it_listens_and_stopping_at_a_stop(manager):
    with PreforkServer("--sleep", 0, env={"NOTIFY_SOCKET": manager.getsockname()}) as server:
        assert told(manager).startswith("READY=1\n")
        assert server.get()[0] == 200
        server.signal(signal.SIGTERM)
        assert told(manager) == "STOPPING=1"
        assert server.wait() == 0


def test_the_end_of_the_old_arbiter_is_not_that_of_the_service(manager):
    with PreforkServer("--sleep", 0, env={"NOTIFY_SOCKET": manager.getsockname()}) as server:
        assert told(manager).startswith("READY=1\n")
        workers(server, 1)
        server.signal(signal.SIGUSR2)
        assert told(manager).startswith("READY=1\n")
        successor = int(server.wait_log(r"Listening at: \S+ \((\d+)\)", count=2).group(1))
        server.signal(signal.SIGTERM)
        assert told(manager) == f"MAINPID={successor}"
        assert server.wait() == 0
        wait_until(lambda: "Master has been promoted" in server.log(), "the promotion")
        signal_and_end(successor)
        assert told(manager) == "STOPPING=1"


def test_going_back_to_the_old_arbiter_stops_nothing(manager):
    with PreforkServer("--sleep", 0, env={"NOTIFY_SOCKET": manager.getsockname()}) as server:
        assert told(manager).startswith("READY=1\n")
        server.signal(signal.SIGUSR2)
        assert told(manager).startswith("READY=1\n")
        signal_and_end(int(server.wait_log(r"Listening at: \S+ \((\d+)\)", count=2).group(1)))
        server.signal(signal.SIGTERM)
        assert told(manager) == "STOPPING=1"
        assert server.wait() == 0


def signal_and_end(pid):
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: parent_of(pid) is None, "the end of the other arbiter")
