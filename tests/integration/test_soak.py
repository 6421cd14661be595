"""tests/soak for a short time, and that it finds what it is for."""

import importlib.machinery
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from servers import BIN, PATIENCE, ROOT, parent_of, wait_until

PROGRAM = ROOT / "tests/soak"
sys.path.insert(0, str(PROGRAM.parent))


def load_program():
    loader = importlib.machinery.SourceFileLoader("soak", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("soak", loader))
    loader.exec_module(module)
    return module


soak = load_program()
import soak_clients  # noqa: E402 (it lies beside the program)


def start(*arguments):
    return subprocess.Popen([PROGRAM, "--bin", BIN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.parametrize("server", soak.SERVERS)
def test_a_short_soak_finds_nothing(server):
    with start("--server", server, "--seconds", 12, "--rate", 100) as process:
        try:
            output, _ = process.communicate(timeout=12 + 4 * PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0, output
    assert output.endswith(f"soak {server}: ok, 12 s, seed 1\n")
    assert re.search(r"\d\d+ visits, \d\d+ answers checked, \d+ settings changed", output)


def test_a_server_that_dies_is_found():
    with start("--seconds", 60) as process:
        try:
            server = wait_until(lambda: [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent_of(pid) == process.pid],
                                "the server")[0]
            time.sleep(2)
            os.kill(server, signal.SIGKILL)
            output, _ = process.communicate(timeout=60 + 2 * PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 1
    assert "soak: async_server ended with status -9 in the middle of it" in output
    assert output.endswith("soak async_server: FAILED, 60 s, seed 1\n")


STEADY = [10_000 + i % 7 * 40 for i in range(540)]


@pytest.mark.parametrize("samples, grows", [
    (STEADY, False),
    ([10_000] * 100 + [12_000] * 10 + [10_050] * 430, False),  # a peak
    ([9_000] * 10 + [10_000] * 530, False),  # has found its size a little late
    ([10_000 + i * 4 for i in range(540)], True),
    ([10_000] * 300 + [13_000] * 240, True),
    ([100_000 + i * 5 for i in range(540)], False),  # 2%
    ([100_000 + i * 20 for i in range(540)], True),
    ([], False),
])
def test_growth_is_told_from_noise(samples, grows):
    assert (soak.growth(samples, long_run=True) is not None) == grows


def test_a_zombie_that_stays_is_told_from_one_that_is_reaped():
    assert soak.zombies([{1}, {2}, set(), {2}]) is None
    assert "zombies stay: [2]" in soak.zombies([set(), {1, 2}, {2}, set()])


def test_only_the_deaths_of_those_that_were_killed_are_no_errors():
    death = "[2026-01-01 00:00:00 +0000] [1] [ERROR] Worker (pid:7) was sent SIGKILL! Perhaps out of memory?"
    assert not soak.is_bad(death, {7}) and soak.is_bad(death, {8})
    assert soak.is_bad(death.replace("SIGKILL", "SIGSEGV"), {7})
    assert not soak.is_bad(death.replace("ERROR", "INFO"), {8})


class Misbehaving:
    """A server of one answer, right or wrong, to whoever comes."""

    keeps_alive = True
    restless = False
    modes = ["async"]

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            peer, _ = self.listener.accept()
        except OSError:
            return
        with peer:
            peer.recv(65536)
            peer.sendall(self.answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\nHello, Anonymous"


@pytest.mark.parametrize("answer, wrong", [
    (RIGHT, None),
    (RIGHT.replace(b"200 OK", b"500 Internal Server Error"), "was answered"),
    (RIGHT.replace(b"Anonymous", b"Anonymouz"), "another body"),
    (RIGHT[:-1], "closed in the middle"),
    (RIGHT + b"x", "after the last answer"),
    (RIGHT.replace(b"Content-Length: 16\r\n", b""), "without an end"),
    (b"", "closed in the middle"),
])
def test_a_wrong_answer_is_found(answer, wrong):
    request = soak_clients.Request(b"GET / HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n")
    with Misbehaving(answer) as server, soak_clients.Peer(server) as peer:
        peer.send(request.data)
        if wrong is None:
            assert not peer.check(request)
            peer.closed()
            return
        with pytest.raises(soak_clients.Wrong, match=wrong):
            peer.check(request)
            peer.closed()
