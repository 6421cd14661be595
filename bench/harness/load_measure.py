"""The measurements of bench/loadgen, in the form of harness/measure.py: what a load costs the client that makes it."""

import contextlib
import mmap
import struct
import subprocess
import tempfile
import time
from typing import NamedTuple

from harness import arrivals, machine, turns
from harness.admin import AdminServer
from harness.load_clients import Load
from harness.machine import Failure
from harness.measure import note, rounds, rows
from harness.peers import BODY, PATIENCE, Peer

SETTLE = 0.5  # seconds from the first answer, uncounted: connections open, and what compiles as it runs has done so
PAUSE = 0.005  # seconds between looks at what is awaited
TAIL = 0.3  # seconds that a client goes on when all is measured: it does not end meanwhile
ATTEMPTS = 3  # to look at a client while it is at work
FEW = 1000  # connections: what all of them share is there
SLEEP = 0.01  # seconds, of that of accuracy


class CountedServer(Peer):
    """A bare server of bench/limits that tells meanwhile how many requests it has answered: struct counter of counter.h.
    BODY: what it answers. TIMES: it notes when requests come."""

    TIMES = 262144

    def __init__(self, source, folder, *arguments, keeps=True, body=BODY, times=False):
        path = machine.build(source, folder / ("timed" if times else "told"), "-DKEEP_ALIVE_TOLD",
                             *(["-DTIMES_TOLD"] if times else []))
        super().__init__("server", [path, "{port}", *arguments, "{counter}"], folder, keeps=keeps)
        self.body = body

    def start(self, sleep=0, **popen):
        with tempfile.NamedTemporaryFile("w+b", dir=self.folder, delete=False) as file:
            file.truncate(8 * (1 + self.TIMES))
            counter = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        server = super().start(sleep, counter=file.name, **popen)
        server.answered = lambda: struct.unpack_from("=Q", counter)[0]
        server.times_ns = lambda begin, end: times_ns(counter, begin, end)
        return server


def times_ns(counter, begin, end):
    """When the requests from number BEGIN to before END came."""
    if end - begin > CountedServer.TIMES:
        raise Failure(f"the server notes no more than {CountedServer.TIMES} times")
    return [struct.unpack_from("=Q", counter, 8 * (1 + number % CountedServer.TIMES))[0] for number in range(begin, end)]


class Servers:
    """Those that the clients ask: each has its CPU for itself, and does the least that it can."""

    def __init__(self, programs, folder):
        self.folder = folder
        self.keeping = CountedServer("limits/epoll_server.c", folder)
        self.timing = CountedServer("limits/epoll_server.c", folder, times=True)
        self.closing = CountedServer("limits/accept_loop.c", folder, keeps=False)
        self.sleeping = AdminServer(programs, folder, "--sleep", "{sleep}")
        bare = machine.build("limits/epoll_sleep_server.c", folder, "-DKEEP_ALIVE_TOLD")
        self.exact = Peer("server", [bare, "{port}", "{sleep_ms}"], folder)

    def large(self, size):
        return CountedServer("limits/epoll_body_server.c", self.folder, size, body=b"x" * size)


class Running:
    """A client at work on its CPU; killed at the end of the block, if it has not ended before."""

    def __init__(self, client, command):
        self.client, self.output = client, tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT, preexec_fn=machine.pinned_child(machine.CLIENT_CPU))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        machine.kill(self.process)
        self.output.close()

    def wait_for(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failure(f"{self.client.name} {what}: {self.printed()[-500:]}")
            time.sleep(PAUSE)

    def printed(self):
        self.output.seek(0)
        return self.output.read()

    def cpu_ns(self):
        return machine.cpu_ns(self.process.pid)

    def result(self, seconds):
        """What it printed, once it has ended well, which it should within SECONDS."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds + PATIENCE)
        if self.process.returncode not in self.client.statuses:
            raise Failure(f"{self.client.name} ended with {self.process.returncode}: {self.printed()[-500:]}")
        return self.printed()


class Seen(NamedTuple):
    """Of a client: requests answered from number BEGIN to END, in so many seconds, and when they CAME."""
    begin: int
    end: int
    took: float
    came: list

    @property
    def count(self):
        return self.end - self.begin


class Runs:
    """Clients at work, one after another; and what is to be said of it at the end."""

    def __init__(self):
        self.full = 0  # times that loadgen said that its figures tell of the client

    def ended(self, running, seconds):
        text = running.result(seconds)
        self.full += running.process.returncode == 3
        return text

    def notes(self):
        if not self.full:
            return []
        return [f"in {self.full} runs loadgen said that the figures tell of itself: so they should"]

    def midst(self, client, peer, command, load, seconds):
        """What was Seen of a client in SECONDS in the midst of LOAD: its start and its end are not in it. COMMAND: of
        the server. On a machine with other work to do we may look when it has ended; then it is done again."""
        for _ in range(ATTEMPTS):
            with peer.running() as server:
                before = server.answered()
                with Running(client, command(server)) as running:
                    running.wait_for(lambda: server.answered() != before, "sends nothing")
                    time.sleep(SETTLE)
                    began, begin = time.perf_counter(), server.answered()
                    time.sleep(seconds)
                    end, took = server.answered(), time.perf_counter() - began
                    if running.process.poll() is None:
                        self.ended(running, load.seconds)
                        return Seen(begin, end, took, server.times_ns(begin, end))
                    printed = running.printed()
        raise Failure(f"{client.name} ended early: {printed[-500:]}")

    def costs(self, title, clients, peer, connections, options, **more):
        """Client CPU of a request, and requests per second."""
        return turns.measure(title, self, Running, clients, peer, options, connections, **more)

    def large(self, title, clients, peer, size, options):
        """Client CPU of a gigabyte (10^9) in bodies of SIZE, and gigabytes per second."""
        table, gigabyte = {}, 1e9 / size  # of requests
        for name, row in self.costs(title, clients, peer, options.connections_large, options).items():
            table[name] = {"cpu_s": [cpu_us * gigabyte / 1e6 for cpu_us in row["cpu_us"]],
                           "gb_s": [rps / gigabyte for rps in row["rps"]]}
        return table

    def paced(self, title, client, peer, connections, options):
        """What leaves at a rate, with constant gaps and with exponential ones: by the server's count and clock, and by what
        loadgen says of its lag. The distance of the exponential ones is that of all rounds together."""
        table, gaps, load = {}, [], Load.lasting(SETTLE + options.seconds_paced + TAIL, connections)
        for kind in ("constant", "poisson"):
            for _ in rounds(title, options.rounds, [client]):
                seen = self.midst(client, peer, lambda server: client.paced(load, server, options.rate, kind), load,
                                  options.seconds_paced)
                cell = client.cell()
                if cell["failed"] or cell["non_2xx"]:
                    raise Failure(f"{client.name} --rate {options.rate}: {cell['failed'] + cell['non_2xx']} failed")
                lag = cell["send_lag_ms"]
                note(table, kind, rate=seen.count / seen.took, asked=options.rate, lag_p50_us=lag["median"] * 1000,
                     lag_p99_us=lag["p99"] * 1000, lag_max_us=lag["max"] * 1000)
                if kind == "constant":
                    note(table, kind, off_us=arrivals.off_grid_us(seen.came, options.rate))
                else:
                    gaps += arrivals.gaps(seen.came, options.rate)
        note(table, "poisson", distance=arrivals.distance(gaps), distance_limit=arrivals.limit(len(gaps)))
        return table

    def memory(self, title, clients, peer, options):
        """Resident memory of a client for each of its connections, all of them open and answered before."""
        table = rows(clients)
        for client in rounds(title, options.rounds, clients):
            few, many = (self.resident(client, peer, count, options.nap) for count in (FEW, options.memory))
            note(table, client.name, bytes=(many - few) / (options.memory - FEW))
        return table

    def resident(self, client, peer, connections, nap):
        with peer.running(sleep=nap) as server, \
                Running(client, client.command(Load(connections, PATIENCE), server)) as running:
            running.wait_for(lambda: peer.open_connections() >= connections, f"does not open {connections} connections")
            time.sleep(2.5 * nap)
            if running.process.poll() is not None:
                raise Failure(f"{client.name} ended early: {running.printed()[-500:]}")
            return machine.rss_bytes(running.process.pid)

    def held(self, title, client, peer, connections, options):
        """Whether so many connections are open at once, and every request is answered. The server counts them: looking
        through the client's descriptors, on its CPU, would take from it what is measured."""
        table, asked = {}, connections * options.naps
        for _ in rounds(title, options.rounds, [client]):
            with peer.running(sleep=options.nap) as server, Running(client, client.held(connections, asked, server)) as running:
                most = 0
                while running.process.poll() is None:
                    most = max(most, peer.open_connections())
                    time.sleep(options.nap / 5)
                self.ended(running, 0)
            cell = client.cell()
            note(table, connections, open=most, asked=asked, answered=cell["complete"] - cell["failed"] - cell["non_2xx"],
                 failed=cell["failed"] + cell["non_2xx"], rps=cell["rps"], p50_ms=cell["latency_ms"]["p50"],
                 p99_ms=cell["latency_ms"]["p99"])
        return table

    def accuracy(self, title, clients, peer, connections, options):
        """What each client says of a server that answers after SLEEP exactly."""
        able, load = [client for client in clients if client.timed], Load.lasting(options.seconds_timed, connections)
        table = rows(able)
        for client in rounds(title, options.rounds, able):
            with peer.running(sleep=SLEEP) as server, Running(client, client.timed(load, server)) as running:
                note(table, client.name, **client.percentiles(self.ended(running, load.seconds)))
        return table
