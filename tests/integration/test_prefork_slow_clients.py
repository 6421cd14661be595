"""prefork_server and clients that are slow on purpose: the deadlines of a sync server of 4 workers leave room for who is not."""

import shutil
import subprocess

import pytest

from prefork import metric, queue_length, send, start, status_of, workers
from servers import wait_until

ATTACKERS = 40
ATTACKS = {  # name: (slowhttptest's mode, target, the deadline that ends it; None: that of a lingering close)
    "slow headers": (["-H"], "/", "--header-timeout"),
    "slow body": (["-B", "-s", "8192", "-x", "10"], "/echo", "--body-timeout"),
    "slow read": (["-X", "-k", "5", "-w", "10", "-y", "20", "-n", "1", "-z", "5"], "/", None),
}
WITHOUT = ["--header-timeout", 60, "--body-timeout", 60, "--drain-timeout", 60, "--timeout", 300]


@pytest.fixture
def attack():
    """attack(server, name) lets slowhttptest begin, and waits until every worker has one of its connections and others queue."""
    if shutil.which("slowhttptest") is None:
        pytest.skip("slowhttptest is not installed")
    running = []

    def begin(server, name, tries=4):
        """On a busy machine the attackers may come so slowly that deadlines end the first before the last are there: again."""
        mode, target, _ = ATTACKS[name]
        running.append(subprocess.Popen(
            ["slowhttptest", *mode, "-c", str(ATTACKERS), "-r", str(ATTACKERS), "-i", "1", "-l", "120",
             "-u", f"http://127.0.0.1:{server.port}{target}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL))
        try:
            wait_until(lambda: metric(server, "loopfork_connections_open") == 4 and queue_length(server) >= ATTACKERS // 2,
                       "an attack that holds every worker", seconds=5)
        except AssertionError:
            if tries == 1:
                raise
            begin(server, name, tries - 1)

    yield begin
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_normal_client_is_answered_in_the_middle_of_an_attack(start, attack, name):
    server = start("--workers", 4, "--sleep", 0, "--admin", "127.0.0.1:0", "--header-timeout", 0.3, "--body-timeout", 0.3,
                   "--drain-timeout", 0.3)
    old = workers(server, 4)
    attack(server, name)
    peers = [send(server) for _ in range(8)]  # behind all attackers
    assert [status_of(peer) for peer in peers] == [200] * 8
    if name != "slow read":  # whose answers are small enough for the socket
        wait_until(lambda: metric(server, "loopfork_timeouts_total") >= ATTACKERS, "the end of every attacker's time")
    wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "the end of every connection")
    assert workers(server, 4) == old, "no worker was lost to it"


@pytest.mark.parametrize("name", [name for name, (_, _, option) in ATTACKS.items() if option])
def test_without_deadlines_the_attack_would_succeed(start, attack, name):
    """Or the test above would prove nothing."""
    server = start("--workers", 4, "--sleep", 0, "--admin", "127.0.0.1:0", *WITHOUT)
    workers(server, 4)
    attack(server, name)
    with send(server) as peer:
        peer.settimeout(2)
        with pytest.raises(TimeoutError):
            peer.recv(1)
