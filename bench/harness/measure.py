"""What a benchmark of servers measures with, and the measurements of bench/async_server. Each returns
{server: {metric: [a value for each round]}}, in the order printed; servers take turns within a round, in random order, so that
what the machine does meanwhile falls on all of them."""

import contextlib
import json
import random
import re
import resource
import socket
import subprocess
import sys
import time

from harness import machine, peers as servers
from harness.machine import Failure

ENDLESS = 2_000_000_000  # requests: more than any time limit allows
WARM_UP = 3000  # requests, uncounted: what compiles as it runs has done so by then
FIRST_CONNECTIONS = 200  # left out when connections are weighed: what all of them share comes with the first ones
LOADGEN_STATUSES = (0, 3)  # 3: a check of its own failed, such as that its CPU was full; see `busy`
SPARE_DESCRIPTORS = 200  # of a server or a client, besides its connections

PIPELINE_LUA = """
init = function(args)
  local requests = {}
  for i = 1, %d do requests[i] = wrk.format() end
  request_text = table.concat(requests)
end
request = function() return request_text end
"""


class Client:
    """What the load comes from: wrk or our loadgen, on the client's CPU."""

    def __init__(self, programs, folder):
        self.loadgen_path, self.folder = programs / "loadgen", folder
        self.busy = {}  # server -> the largest share of its CPU that the client needed

    def run(self, name, command, statuses=(0,)):
        """Runs COMMAND, which must succeed, as its exit STATUSES say, and notes how busy it was for the server NAME. Returns
        what it printed."""
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              preexec_fn=machine.pinned_child(machine.CLIENT_CPU))
        after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        self.busy[name] = max(self.busy.get(name, 0), used / took)
        if done.returncode not in statuses:
            raise Failure(f"{command[0]} failed with {name}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
        return done.stdout

    def wrk(self, server, connections, seconds, script=None):
        """Returns (requests answered, requests per second)."""
        name = server.peer.name
        text = self.run(name, ["wrk", "-t", 1, "-c", connections, "-d", seconds, *(["-s", script] if script else []),
                               server.url])
        if "Non-2xx" in text or "Socket errors" in text:
            raise Failure(f"{name} failed under load:\n{text}")
        return int(re.search(r"(\d+) requests in", text).group(1)), float(re.search(r"Requests/sec: +([\d.]+)", text).group(1))

    def loadgen_cell(self, server, connections, *options):
        """Returns the cell of loadgen's JSON. No request has failed."""
        report = self.folder / "loadgen.json"
        keep = ["-k"] if server.peer.keeps else []
        command = [self.loadgen_path, "-q", *keep, "-c", connections, "--json", report, *options, server.url]
        self.run(server.peer.name, command, LOADGEN_STATUSES)
        cell = json.loads(report.read_text())["cells"][0]
        if cell["failed"] or cell["non_2xx"] or not cell["complete"]:
            raise Failure(f"{server.peer.name} answered {cell['complete']}, {cell['failed']} failed")
        return cell

    def loadgen(self, server, connections, requests, *options):
        """As loadgen_cell. Every one of REQUESTS has been answered with 200."""
        cell = self.loadgen_cell(server, connections, "-n", requests, *options)
        if cell["complete"] != requests:
            raise Failure(f"{server.peer.name} answered {cell['complete']} of {requests}")
        return cell

    def loadgen_for(self, server, connections, seconds):
        """As loadgen_cell, for SECONDS."""
        return self.loadgen_cell(server, connections, "-t", seconds, "-n", ENDLESS)

    def warm_up(self, server, connections, requests=WARM_UP):
        """REQUESTS, of which nothing is noted."""
        before = dict(self.busy)
        self.loadgen(server, connections, requests)
        self.busy = before

    def notes(self):
        """A line about who the client may have held back, if there is one."""
        held = [name for name, share in self.busy.items() if share > 0.95]
        return [f"the client needed its whole CPU with: {', '.join(held)}"] if held else []


def tell(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def rounds(title, count, peers):
    """The peers round after round, in random order within each: what one leaves behind, another finds each time."""
    for number in range(count):
        for peer in random.sample(peers, len(peers)):
            tell(f"{title}: round {number + 1} of {count}: {peer.name}")
            yield peer
    tell("")


def rows(peers):
    """A table with a row for each of PEERS, in the order in which it is to be printed."""
    return {peer.name: {} for peer in peers}


def note(table, name, **values):
    """Adds the values of one round."""
    row = table.setdefault(name, {})
    for metric, value in values.items():
        row.setdefault(metric, []).append(value)


def costs(title, peers, client, options, script=None):
    """Server CPU and rate of GET / on keep-alive connections."""
    table = rows(peers)
    for peer in rounds(title, options.rounds, peers):
        with peer.running() as server:
            client.warm_up(server, options.connections)
            before = server.cpu_ns()
            count, rps = client.wrk(server, options.connections, options.seconds, script)
            note(table, peer.name, cpu_us=(server.cpu_ns() - before) / count / 1000, rps=rps)
    return table


def pipelined(title, peers, client, options):
    """As costs, --pipeline of them at once. Returns (table, those who do not answer all of them)."""
    script = client.folder / "pipeline.lua"
    script.write_text(PIPELINE_LUA % options.pipeline)
    unable = []
    for peer in peers:
        with peer.running() as server:
            if not server.pipelines(options.pipeline):
                unable.append(peer.name)
    able = [peer for peer in peers if peer.name not in unable]
    return costs(title, able, client, options, script), unable


def connect(server, count):
    """COUNT connections that have had an answer each."""
    made = []
    for _ in range(count):
        sock = socket.create_connection(("127.0.0.1", server.port), servers.PATIENCE)
        made.append(sock)
        sock.sendall(servers.REQUEST)
        if servers.read_whole(sock, 1) != 1:
            raise Failure(f"{server.peer.name} refused connection {len(made)} of {count}")
    return made


def idle(title, peers, options):
    """Resident memory of a connection that has been served and waits for its next request."""
    table, counted = rows(peers), options.idle - FIRST_CONNECTIONS
    for peer in rounds(title, options.rounds, peers):
        with peer.running() as server, contextlib.ExitStack() as open_sockets:
            for sock in connect(server, FIRST_CONNECTIONS):
                open_sockets.enter_context(sock)
            before = server.rss_bytes()
            for sock in connect(server, counted):
                open_sockets.enter_context(sock)
            note(table, peer.name, bytes=(server.rss_bytes() - before) / counted)
    return table


def steady_times_ms(path):
    """Times of the requests in loadgen's -g file, without those of the first and the last second: in these connections
    are opened and closed as well. No connection has a second request before its first has slept for a second."""
    with open(path, encoding="ascii") as file:
        columns = next(file).rstrip("\n").split("\t")
        second, total = columns.index("seconds"), columns.index("ttime")
        rows = [line.rstrip("\n").split("\t") for line in file]
    seconds = [int(row[second]) for row in rows]
    first, last = min(seconds) + 2, max(seconds) - 2
    return sorted(int(row[total]) for row, begun in zip(rows, seconds) if first <= begun <= last)


def percentile(ordered, share):
    """The smallest value within which at least SHARE percent of them are."""
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def sleepers(title, peers, client, connections, options):
    """CONNECTIONS requests that sleep for 1 s at the same time, again and again."""
    table = rows(peers)
    for peer in rounds(title, options.rounds, peers):
        with peer.running(sleep=1) as server:
            trace = client.folder / "times.tsv"
            before = server.cpu_ns()
            cell = client.loadgen(server, connections, connections * options.sleeps, "-g", trace)
            spent = server.cpu_ns() - before
            times = steady_times_ms(trace)
            note(table, peer.name, rps=cell["rps"], p50_ms=percentile(times, 50), p99_ms=percentile(times, 99),
                 cpu_us=spent / cell["complete"] / 1000)
    return table


def lateness(title, peers, client, connections, options):
    """How much later than asked an answer comes, when there is nothing else to do. It includes the way there and back."""
    table, asked = rows(peers), 0.1
    for peer in rounds(title, options.rounds, peers):
        with peer.running(sleep=asked) as server:
            cell = client.loadgen(server, connections, round(connections * options.sleeps / asked))
            late = {key: cell["latency_ms"][key] - asked * 1000 for key in ("min", "p50", "p99", "max")}
            note(table, peer.name, **{f"{key}_ms": value for key, value in late.items()})
    return table


def start(title, peers, options):
    """From exec to the end of the first answer."""
    table = rows(peers)
    for peer in rounds(title, options.starts, peers):
        # The server inherits its CPU: a function between fork and exec would cost more than exec does.
        machine.set_cpu(machine.SERVER_CPU)
        server = peer.start()
        machine.set_cpu(machine.CLIENT_CPU)
        try:
            note(table, peer.name, start_ms=server.first_answer_ms())
        finally:
            server.stop()
    return table


def descriptors(connections):
    """That a server or a client needs for so many."""
    return connections + SPARE_DESCRIPTORS
