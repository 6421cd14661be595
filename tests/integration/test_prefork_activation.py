"""prefork_server with sockets that the service manager has opened: LISTEN_FDS."""

import os
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from prefork import GET, PROGRAM
from servers import PATIENCE, parse_response, read_all
from test_prefork_stop import Senders
from test_prefork_upgrade import Upgradable
from test_startup import LAUNCHER


def command_for(sockets, arguments, pid="", count=""):
    numbers = ",".join(str(one.fileno()) for one in sockets)
    return [sys.executable, "-c", LAUNCHER, numbers, str(pid), str(count), str(PROGRAM), *map(str, arguments)]


class Activated(Upgradable):
    """A server that inherits SOCKETS from its parent."""

    def __init__(self, sockets, *arguments):
        self.log_file = tempfile.NamedTemporaryFile(prefix="activated-", suffix=".log")
        self.process = subprocess.Popen(command_for(sockets, arguments), pass_fds=[one.fileno() for one in sockets],
                                        stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=subprocess.STDOUT)
        self.host = "127.0.0.1"
        self.port = sockets[0].getsockname()[1] if sockets[0].family == socket.AF_INET else None
        try:
            self.wait_log(self.listening)
        except BaseException:
            self.stop()
            raise


@pytest.fixture
def tcp():
    with socket.create_server(("127.0.0.1", 0), backlog=64) as one:
        yield one


def get(address, family=socket.AF_INET):
    with socket.socket(family) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(address)
        peer.sendall(GET)
        return parse_response(read_all(peer))[0]


def test_the_managers_sockets_are_served_instead_of_bind(tcp):
    with Activated([tcp], "--sleep", 0, "--bind", "256.0.0.1:1") as server:
        assert f"Listening at: http://127.0.0.1:{server.port} (" in server.log()
        assert get(tcp.getsockname()) == 200


def test_the_file_of_the_managers_socket_stays(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(path)
        unix.listen()
        with Activated([unix], "--sleep", 0) as server:
            assert f"Listening at: unix:{path} (" in server.log()
            assert get(path, socket.AF_UNIX) == 200
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
        assert os.path.exists(path)
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)  # it listens still


def test_who_comes_between_two_servers_waits_for_the_next(tcp):
    first = Activated([tcp], "--sleep", 0, "--workers", 2)
    with first, Senders(tcp.getsockname(), ends=False) as senders:
        for _ in range(3):
            senders.wait(20)
            first.signal(signal.SIGTERM)
            assert first.wait() == 0
            with socket.create_connection(tcp.getsockname(), PATIENCE) as peer:
                peer.sendall(GET)
                with Activated([tcp], "--sleep", 0, "--workers", 2) as second:
                    assert parse_response(read_all(peer))[0] == 200
                    senders.wait(20)
                    second.signal(signal.SIGTERM)
                    assert second.wait() == 0
            first = Activated([tcp], "--sleep", 0, "--workers", 2)
            senders.wait(20)
        senders.stopped = True
        senders.join()
        assert senders.lost == []
        first.stop()


def test_an_upgrade_hands_them_on(tcp):
    with Activated([tcp], "--sleep", 0.002, "--workers", 2) as server:
        with Senders(tcp.getsockname(), ends=False) as senders:
            old = server.pid
            for _ in range(2):
                senders.wait(20)
                new = server.upgrade()
                os.kill(old, signal.SIGTERM)
                server.wait_end(old)
                old = new
            senders.wait(20)
        assert senders.lost == []
        os.kill(old, signal.SIGTERM)
        server.wait_end(old)
    tcp.settimeout(0.05)
    with socket.create_connection(tcp.getsockname(), PATIENCE):
        tcp.accept()[0].close()  # it listens still, and no filter was left


def test_variables_for_another_process_are_passed_over(tcp):
    command = command_for([tcp], ["--bind", "127.0.0.1:0", "--sleep", 0], pid=os.getpid())
    process = subprocess.Popen(command, pass_fds=[tcp.fileno()], stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if "Listening at" in line:
                break
        assert f":{tcp.getsockname()[1]} " not in line
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("make, count, message", [
    (lambda: socket.socket(socket.AF_INET), "", "does not listen"),
    (lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "", "not a stream socket"),
    (lambda: socket.create_server(("127.0.0.1", 0)), "2", "not open"),
    (lambda: socket.create_server(("127.0.0.1", 0)), "x", "whole numbers"),
    (lambda: socket.create_server(("127.0.0.1", 0)), "17", "more sockets than can be served"),
])
def test_what_cannot_be_served_is_refused(make, count, message):
    with make() as one:
        result = subprocess.run(command_for([one], [], count=count), pass_fds=[one.fileno()], capture_output=True, text=True,
                                timeout=PATIENCE)
    assert result.returncode == 1 and message in result.stderr and result.stderr.count("\n") == 1, result
