"""The measurements of bench/loadgen, in the form of harness/measure.py: what a load costs the client that makes it."""

import contextlib
import mmap
import subprocess
import tempfile
import time

from harness import machine
from harness.load_clients import Load
from harness.machine import Failure
from harness.measure import note, rounds
from harness.peers import BODY, PATIENCE, Peer, Peers

SETTLE = 0.5  # seconds from the first answer, uncounted: connections open, and what compiles as it runs has done so
PAUSE = 0.005  # seconds between looks at what is awaited
TAIL = 0.3  # seconds that a client goes on when all is measured: it does not end meanwhile
ADRIFT = 0.01  # of the requests: so much a client's count may differ from the server's


class CountedServer(Peer):
    """A bare server of bench/limits, and how many requests it has answered. BODY: what it answers."""

    def __init__(self, source, folder, *arguments, keeps=True, body=BODY):
        self.counter_path = folder / "answered"
        if not self.counter_path.exists():
            self.counter_path.write_bytes(bytes(mmap.PAGESIZE))
        path = machine.build(source, folder / "told", "-DKEEP_ALIVE_TOLD")
        super().__init__("server", [path, "{port}", *arguments, self.counter_path], folder, keeps=keeps)
        self.body = body
        with open(self.counter_path, "rb") as file:
            self.counter = mmap.mmap(file.fileno(), mmap.PAGESIZE, prot=mmap.PROT_READ)

    def answered(self):
        return int.from_bytes(self.counter[:8], "little")


class Servers(Peers):
    """Those that the clients ask: each has its CPU for itself, and does the least that it can."""

    def __init__(self, programs, folder):
        super().__init__(programs, folder)
        self.keeping = CountedServer("limits/epoll_server.c", folder)
        self.closing = CountedServer("limits/accept_loop.c", folder, keeps=False)

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
        self.process.kill()
        self.process.wait()
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
        return [f"loadgen said {self.full} times that the figures tell of it rather than of the server: so they should"]

    def steady(self, client, peer, load, seconds):
        """Client CPU in nanoseconds and requests answered, of SECONDS in the midst of LOAD, by the server's count. What
        starting and ending cost is not in it."""
        with peer.running() as server, Running(client, client.command(load, server)) as running:
            first = peer.answered()
            running.wait_for(lambda: peer.answered() != first, "sends nothing")
            time.sleep(SETTLE)
            count, cpu_ns, began = peer.answered(), running.cpu_ns(), time.perf_counter()
            time.sleep(seconds)
            count, cpu_ns, took = peer.answered() - count, running.cpu_ns() - cpu_ns, time.perf_counter() - began
            if running.process.poll() is not None:
                raise Failure(f"{client.name} ended early: {running.printed()[-500:]}")
            told = client.told(self.ended(running, load.seconds))
            all_of_them = peer.answered() - first
        under_way = load.connections * load.depth
        if not all_of_them - under_way - ADRIFT * all_of_them <= told <= all_of_them + ADRIFT * all_of_them:
            raise Failure(f"{client.name} says that {told:.0f} were answered, and the server {all_of_them}")
        if count == 0:
            raise Failure(f"{client.name} had no answer in {seconds} s")
        return {"cpu_ns": cpu_ns, "count": count, "seconds": took}

    def costs(self, title, clients, peer, connections, options, **more):
        """Client CPU of a request, and requests per second."""
        load = Load.lasting(SETTLE + options.seconds + TAIL, connections, **more)
        table = {}
        for client in rounds(title, options.rounds, [client for client in clients if client.can(load)]):
            seen = self.steady(client, peer, load, options.seconds)
            note(table, client.name, cpu_us=seen["cpu_ns"] / seen["count"] / 1000, rps=seen["count"] / seen["seconds"])
        return table

    def large(self, title, clients, peer, size, options):
        """Client CPU of a gigabyte (10^9) in bodies of SIZE, and gigabytes per second."""
        load = Load.lasting(SETTLE + options.seconds + TAIL, options.connections_large)
        table = {}
        for client in rounds(title, options.rounds, clients):
            seen = self.steady(client, peer, load, options.seconds)
            gigabytes = seen["count"] * size / 1e9
            note(table, client.name, cpu_s=seen["cpu_ns"] / 1e9 / gigabytes, gb_s=gigabytes / seen["seconds"])
        return table
