"""Workers of prefork_server killed at any moment, under load: nobody else's request is lost, and nothing is left behind.

Whose was a lost request? Most victims are stopped (SIGSTOP) at the moment that the dice choose, looked at in /proc, and
die without having run again: a request lost on a connection that they held was theirs. The others die unseen. A sync
worker has one connection at a time, so such a death accounts for one lost request at most, and only for one that was
under way at that moment. (An idle worker may take a connection in its very last instant: then it is its own.)
Any other lost request, any wrong answer, refused connection or silence is a failure.

SIGKILL is what the kernel sends to a worker when memory runs out; SIGSEGV and SIGBUS are crashes; who hangs (SIGSTOP) is ended by the
arbiter, by --timeout.

LOOPFORK_CHAOS_KILLS (40) is how many die; LOOPFORK_CHAOS_SEED throws the same dice again.
"""

import collections
import dataclasses
import os
import pathlib
import random
import re
import signal
import socket
import struct
import threading
import time

import pytest

from prefork import children_of, metric, start, workers
from servers import PATIENCE, wait_until

KILLS = int(os.environ.get("LOOPFORK_CHAOS_KILLS", "40"))
SEED = int(os.environ.get("LOOPFORK_CHAOS_SEED", time.time_ns() % 1_000_000))
WORKERS = 6
CLIENTS = 12
STOPPED_MAX = 2  # workers that hang at the same time
LOOKS = 100  # of 10 ms and more, so a second: by then all workers are there again. A machine without time for them has none for us.

Lost = collections.namedtuple("Lost", "port begun ended how")


@dataclasses.dataclass
class Death:
    """Of a worker, some time between BEGUN and ENDED; PORTS are the clients' that it held, None where nobody looked."""

    pid: int
    begun: float
    ports: set
    ended: float = float("inf")

    def may_explain(self, lost):
        overlaps = lost.begun <= self.ended and self.begun <= lost.ended
        return overlaps and (self.ports is None or lost.port in self.ports)



class Client:
    """Asks again and again. Where its connection ended early, it is in `lost`; what must not be at all, in `wrong`."""

    pause = 0.01  # so that some workers are idle and some are not

    def __init__(self, server, seed, keeps_alive):
        self.server, self.dice, self.keeps_alive = server, random.Random(seed), keeps_alive
        self.answered, self.lost, self.wrong, self.stopped = 0, [], [], False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped:
            time.sleep(self.dice.expovariate(1 / self.pause))
            try:
                self.visit()
            except (OSError, AssertionError, ValueError) as error:
                self.wrong.append(repr(error))

    def visit(self):
        begun = time.monotonic()
        with self.server.connect() as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Closing resets what is left of it: /proc/net/tcp would fill with thousands of its kind.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            port = peer.getsockname()[1]
            goes_on = True
            while goes_on:
                try:
                    goes_on = self.ask(peer) and self.keeps_alive and self.dice.random() < 0.9 and not self.stopped
                except (ConnectionResetError, BrokenPipeError, EOFError) as error:
                    self.lost.append(Lost(port, begun, time.monotonic(), repr(error)))
                    return
                self.answered += 1

    def ask(self, peer):
        """One request: a sleep, or a body that comes in pieces and must come back. Returns whether another may follow."""
        if self.dice.random() < 0.2:
            time.sleep(self.dice.random() * 0.02)  # connected, and nothing said yet
        if self.dice.random() < 0.5:
            sleep = self.dice.choice([0, 0, self.dice.random() * 0.02])
            peer.sendall(f"GET /?sleep={sleep:.4f} HTTP/1.1\r\nHost: chaos\r\n\r\n".encode())
            expected = b"Hello, Anonymous"
        else:
            expected = self.dice.randbytes(self.dice.randrange(1, 5000))
            cut = self.dice.randrange(len(expected))
            peer.sendall(b"POST /echo HTTP/1.1\r\nHost: chaos\r\nContent-Length: %d\r\n\r\n" % len(expected) + expected[:cut])
            time.sleep(self.dice.choice([0, self.dice.random() * 0.01]))
            peer.sendall(expected[cut:])
        head, body = read_answer(peer)
        assert head.startswith(b"HTTP/1.1 200 ") and body == expected, f"{head!r}, {body[:60]!r} for {expected[:60]!r}"
        return b"\r\nConnection: close" not in head

    def stop(self):
        self.stopped = True
        self.thread.join(2 * PATIENCE)
        assert not self.thread.is_alive()


def read_answer(peer):
    """(head, body) of one answer. Raises EOFError where the connection ends before the answer does."""
    data, needed = b"", None
    while needed is None or len(data) < needed:
        part = peer.recv(65536)
        if not part:
            raise EOFError(f"ended behind {data[:60]!r}")
        data += part
        if needed is None and b"\r\n\r\n" in data:
            needed = data.index(b"\r\n\r\n") + 4 + int(re.search(rb"\r\nContent-Length: (\d+)\r\n", data).group(1))
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def states_of(pid):
    """The states of a process's threads."""
    try:
        return [path.read_text().rsplit(")", 1)[1].split()[0] for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:
        return []


def ports_of(server, pid):
    """The ports of the clients whose connections a process holds."""
    inodes = set()
    for path in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(path))
        inodes |= {match.group(1)} if match else set()
    ours = f":{server.port:04X}"
    ports = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes and fields[1].endswith(ours) and fields[3] != "0A":
            ports.add(int(fields[2].split(":")[1], 16))
    return ports


class Chaos:
    """Kills workers of SERVER by the dice, and keeps account of who died holding what."""

    def __init__(self, server, seed, admin, threads):
        self.server, self.dice = server, random.Random(seed)
        self.threads = threads  # a worker has several
        self.admin = admin  # a child of the arbiter that is no worker
        self.deaths, self.killed, self.hung, self.restored = [], 0, set(), []

    def live(self):
        return set(children_of(self.server.pid)) - {self.admin}

    def freeze(self, pid):
        """Stops a worker where it is. Returns the ports that it holds."""
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: (states := states_of(pid)) and set(states) == {"T"}, f"{pid} to stop")
        return ports_of(self.server, pid)

    def kill(self, pid, number, seen):
        ports = self.freeze(pid) if seen else None
        # Of several threads one dies of a crash; until it has, the others run again, and may take another connection.
        exact = seen and (number == signal.SIGKILL or not self.threads)
        self.deaths.append(Death(pid, time.monotonic(), ports if exact else None))
        os.kill(pid, number)
        if number != signal.SIGKILL and seen:
            os.kill(pid, signal.SIGCONT)  # the other signal comes first: it runs no more
        self.killed += 1

    def strike(self):
        """One blow: a worker, or all at once, is killed, crashes, or hangs until the arbiter ends it."""
        candidates = sorted(self.live() - self.hung)
        victim = self.dice.choice(candidates)
        number = self.dice.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS])
        roll = self.dice.random()
        if (roll < 0.05 or self.killed > 5 and not self.hung) and len(self.hung & self.live()) < STOPPED_MAX:
            self.hung.add(victim)
            self.deaths.append(Death(victim, time.monotonic(), self.freeze(victim)))
            return
        struck = candidates if roll > 0.95 else [victim]
        seen = self.dice.random() < 0.6
        for pid in struck:
            self.kill(pid, number, seen)
        self.await_restoration(set(struck))

    def await_restoration(self, struck):
        begin = time.monotonic()
        for _ in range(LOOKS):
            live = self.live()
            if not struck & live and len(live) == WORKERS:
                for death in self.deaths[-len(struck):] if struck else []:
                    death.ended = time.monotonic()
                self.restored.append(time.monotonic() - begin)
                return
            time.sleep(0.01)
        raise AssertionError(f"{len(live)} workers of {WORKERS} a second after {struck} died: {live}\n{self.server.log()[-3000:]}")

    def unexplained(self, lost, many):
        """The requests of LOST that no death explains; MANY: one that nobody saw explains any number, not only one."""
        explained = {}  # by the index of an unseen death: which of LOST

        def explain(one, tried):
            """Finds a death for ONE, and if need be another for those that have one (as in any bipartite matching)."""
            for index, death in enumerate(self.deaths):
                if index in tried or not death.may_explain(one):
                    continue
                tried.add(index)
                if death.ports is not None or many or index not in explained or explain(explained[index], tried):
                    explained[index] = one
                    return True
            return False

        return [one for one in lost if not explain(one, set())]


def descriptors(pid):
    return sorted(os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd"))


def zombies_of(parent):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, its_parent = path.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if state == "Z" and int(its_parent) == parent:
            found.append(path.parent.name)
    return found


RUNS = [pytest.param("sync", False, id="sync"), pytest.param("sync", True, id="sync-admin"),
        pytest.param("gthread", True, id="gthread-admin")]


@pytest.mark.timeout(120 + KILLS)
@pytest.mark.parametrize("kind, admin", RUNS)
def test_a_killed_worker_takes_only_its_own_requests_with_it(start, tmp_path, kind, admin):
    if kind == "gthread":
        arguments = ["--worker-class", "gthread", "--threads", 4, "--keep-alive", 60]
    else:
        arguments = []
    if admin:
        arguments += ["--admin", "127.0.0.1:0"]
    pid_file, access = tmp_path / "pid", tmp_path / "access"
    # A sanitizer would make an exit of a crash.
    options = f"{os.environ.get('ASAN_OPTIONS', '')}:handle_segv=0:handle_sigbus=0".lstrip(":")
    server = start("--workers", WORKERS, "--sleep", 0, "--timeout", 3, "--pid", pid_file, "--access-logfile", access, *arguments,
                   env={"ASAN_OPTIONS": options, "TSAN_OPTIONS": options})
    first = set(workers(server, WORKERS))
    (admin_pid,) = wait_until(lambda: set(children_of(server.pid)) - first, "the admin process") if admin else (None,)
    chaos = Chaos(server, f"{SEED} {kind}", admin_pid, kind == "gthread")
    clients = [Client(server, f"{SEED} {number}", keeps_alive=kind == "gthread") for number in range(CLIENTS)]
    try:
        wait_until(lambda: sum(client.answered for client in clients) > 50, "answers")
        before = descriptors(server.pid)
        while chaos.killed < KILLS:
            chaos.strike()
            assert pid_file.read_text() == f"{server.pid}\n"
            time.sleep(chaos.dice.expovariate(1 / 0.03))
        wait_until(lambda: not chaos.hung & chaos.live(), "the end of those that hang")
        chaos.await_restoration(set())
        answered = sum(client.answered for client in clients)
        wait_until(lambda: sum(client.answered for client in clients) > answered + 50, "more answers")
    finally:
        for client in clients:
            client.stop()

    lost = [one for client in clients for one in client.lost]
    held = sum(len(death.ports or ()) for death in chaos.deaths)
    unseen = sum(death.ports is None for death in chaos.deaths)
    print(f"\nseed {SEED}: {chaos.killed} killed, {unseen} of them unseen, {len(chaos.hung)} hung; "
          f"{sum(client.answered for client in clients)} answers, {len(lost)} lost, {held} held by those that were seen; "
          f"all workers again after {1000 * max(chaos.restored):.0f} ms at most")
    wrong = [one for client in clients for one in client.wrong]
    assert wrong == []
    unexplained = chaos.unexplained(lost, many=kind == "gthread")
    assert unexplained == [], [death for death in chaos.deaths if any(abs(death.begun - one.ended) < 0.2 for one in unexplained)]
    assert lost and held, "nobody was hit: that proves nothing"

    wait_until(lambda: zombies_of(server.pid) == [], "an end without zombies")
    assert descriptors(server.pid) == before
    wait_until(lambda: len({tuple(descriptors(pid)) for pid in chaos.live()}) == 1, "workers that have all the same descriptors open")
    log = server.log()
    deaths = len(re.findall(r"\[ERROR\] Worker \(pid:\d+\) was sent SIG(KILL|SEGV|BUS)!", log))
    assert deaths == chaos.killed + len(chaos.hung)
    assert log.count("WORKER TIMEOUT") == len(chaos.hung)
    assert log.count("Booting worker") == WORKERS + deaths
    line_form = re.compile(r'127\.0\.0\.1 - - \[.*\] "(GET|POST) \S+ HTTP/1\.1" 200 \d+ "-" "-"')
    assert [line for line in access.read_text().splitlines() if not line_form.fullmatch(line)] == []
    if admin:
        assert metric(server, 'loopfork_worker_restarts_total{reason="crash"}') == chaos.killed
        assert metric(server, 'loopfork_worker_restarts_total{reason="timeout"}') == len(chaos.hung)
        wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "no connection in the gauge")
        assert metric(server, "loopfork_requests_in_flight") == 0
        assert metric(server, "loopfork_workers") == WORKERS

    everybody = chaos.live()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not pid_file.exists()
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in everybody)
