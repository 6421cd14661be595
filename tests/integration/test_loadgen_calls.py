"""What a request costs loadgen, in calls: whatever the machine, as many more of them as there are more requests."""

import os
import re
import subprocess

import pytest

from load import LOADGEN, WELL, loadgen
from servers import ROOT, AsyncServer

MORE = 2000  # requests


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    """counted(*arguments) runs loadgen, and returns how often it called what: fakes/counting.c."""
    if re.search(rb"__[at]san_init", LOADGEN.read_bytes()):
        pytest.skip("the sanitizer allocates itself")
    folder = tmp_path_factory.mktemp("counting")
    subprocess.run(["cc", "-std=c11", "-O1", "-fPIC", "-fno-builtin", "-shared", "-o", folder / "counting.so",
                    ROOT / "tests/integration/fakes/counting.c", "-ldl"], check=True)

    def run(*arguments):
        file = folder / "counts"
        done = loadgen("-q", *arguments, env=dict(os.environ, LD_PRELOAD=str(folder / "counting.so"), COUNTS_FILE=str(file)))
        assert done.returncode in WELL, done.stderr
        assert "Failed requests:        0\n" in done.stdout
        counts = {name: int(number) for name, number in (line.split() for line in file.read_text().splitlines())}
        assert all(counts.values())  # each kind is seen at all
        return counts

    return run


@pytest.fixture(scope="module")
def server():
    with AsyncServer("--sleep", 0) as running:
        yield running


NOTHING = {"socket": 0, "connect": 0, "send": 0, "recv": 0, "epoll_ctl": 0, "close": 0, "other": 0, "allocation": 0, "lock": 0}


def assert_for_each(expected, counted, *arguments):
    """EXPECTED is what each of MORE requests adds; what happens once, or once a second, is hardly seen."""
    for _ in range(3):  # a connect that other work delays, or an answer in two parts, makes a call more
        few, many = counted("-n", 500, *arguments), counted("-n", 500 + MORE, *arguments)
        each = {name: (many[name] - few[name]) / MORE for name in expected}
        if each == pytest.approx(expected, abs=0.02):
            return
    raise AssertionError(each)


@pytest.mark.parametrize("load", [["-c", 1], ["-c", 4], ["-c", 8, "--threads", 2]])
def test_a_request_on_an_open_connection_is_a_send_and_a_recv(counted, server, load):
    assert_for_each(dict(NOTHING, send=1, recv=1), counted, "-k", *load, server.url)


def test_a_connection_for_each_request_is_seven_system_calls(counted, server):
    # Into the set of epoll, and out of it: libevent does not leave that to the close.
    seven = dict(NOTHING, socket=1, connect=1, send=1, recv=1, epoll_ctl=2, close=1)
    assert_for_each(seven, counted, "-c", 4, server.url)
