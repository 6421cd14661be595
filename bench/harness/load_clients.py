"""Clients to be compared: how each is told what load to make, and how many answers it says it had."""

import json
import math
import re
import shutil
import subprocess
from typing import NamedTuple

from harness import machine
from harness.entrants import Entrants
from harness.machine import Failure
from harness.measure import ENDLESS, LOADGEN_STATUSES, PIPELINE_LUA
from harness.peers import program

LIMIT, OURS, WRK, AB, H2LOAD, HEY, AUTOCANNON = "bare epoll", "loadgen", "wrk", "ab", "h2load", "hey", "autocannon"
AB_REQUESTS = 10_000_000  # more than it can make in the time; it allocates 32 bytes for each
PATIENT = 20  # seconds that an answer may take: a client that takes turns with others reads none meanwhile
PERCENTILES = {"p50_ms": "50", "p99_ms": "99"}


class Load(NamedTuple):
    """What a client is to do: so many CONNECTIONS for so many SECONDS, each with DEPTH requests at a time; if it does not
    KEEP them, each for one request."""
    connections: int
    seconds: int  # whole: some take no other
    depth: int = 1
    keeps: bool = True

    @classmethod
    def lasting(cls, seconds, connections, **more):
        """At least so many SECONDS."""
        return cls(connections, math.ceil(seconds), **more)


class LoadClient:
    """A client that is there, at PATH. FOLDER: for its files."""

    name, package, statuses = None, None, (0,)  # package: Debian's; statuses: its exit statuses when all went well
    pipelines, closes = True, True  # whether it can
    timed = None  # as command, for one that tells percentiles: see `percentiles`

    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def can(self, load):
        return (load.depth == 1 or self.pipelines) and (load.keeps or self.closes)

    def command(self, load, server):
        raise NotImplementedError

    def told(self, text):
        """How many requests were answered, by what it printed. All went well."""
        raise NotImplementedError

    def found(self, pattern, text):
        """The number that PATTERN finds."""
        match = re.search(pattern, text, re.M)
        if not match:
            raise Failure(f"{self.name} did not say {pattern}:\n{text}")
        return float(match.group(1))

    def refuse(self, pattern, text):
        match = re.search(pattern, text, re.M)
        if match:
            raise Failure(f"{self.name} failed: {match.group(0)}")


class Bare(LoadClient):
    name = LIMIT

    def command(self, load, server):
        return [self.path, *([] if load.keeps else ["-1"]), "-c", load.connections, "-d", load.depth, "-t", load.seconds,
                server.port]

    def timed(self, load, server):
        return self.command(load, server)[:-1] + ["-l", server.port]

    def told(self, text):
        return json.loads(text)["requests"]  # it ends at the first thing that is not as expected

    def percentiles(self, text):
        told = json.loads(text)
        return {key: told[key] for key in PERCENTILES}


class Loadgen(LoadClient):
    name = OURS
    statuses = LOADGEN_STATUSES

    def options(self, load):
        return [*(["-k"] if load.keeps else []), *(["--pipeline", load.depth] if load.depth > 1 else []),
                "-c", load.connections, "-t", load.seconds, "-n", ENDLESS]

    def command(self, load, server):
        return [self.path, "-q", *self.options(load), server.url]

    def timed(self, load, server):
        return [self.path, "-q", *self.options(load), "--json", self.folder / "times.json", server.url]

    def told(self, text):
        self.refuse(r"^(Failed requests: +[1-9]|Non-2xx responses:).*", text)
        return self.found(r"^Complete requests: +(\d+)", text)

    def paced(self, load, server, rate, arrivals):
        """So many requests per second, at times that the answers have no say in."""
        return [*self.timed(load, server)[:-1], "--rate", rate, "--arrivals", arrivals, server.url]

    def held(self, connections, requests, server):
        """REQUESTS, however long that takes."""
        return [self.path, "-q", "-k", "-c", connections, "-n", requests, "--json", self.folder / "times.json", server.url]

    def cell(self):
        """The one of the JSON of timed."""
        return json.loads((self.folder / "times.json").read_text())["cells"][0]

    def percentiles(self, _):
        latency = self.cell()["latency_ms"]
        return {key: latency[key[:3]] for key in PERCENTILES}


class Wrk(LoadClient):
    name, package = WRK, "wrk"

    def command(self, load, server):
        command = [self.path, "-t", 1, "-c", load.connections, "-d", load.seconds, "--timeout", f"{PATIENT}s"]
        if load.depth > 1:
            script = self.folder / "pipeline.lua"
            script.write_text(PIPELINE_LUA % load.depth)
            command += ["-s", script]
        return command + ([] if load.keeps else ["-H", "Connection: close"]) + [server.url]

    def timed(self, load, server):
        return self.command(load, server) + ["--latency"]

    def told(self, text):
        self.refuse(r"(Socket errors|Non-2xx).*", text)
        return self.found(r"(\d+) requests in", text)

    def percentiles(self, text):
        unit = {"us": 0.001, "ms": 1, "s": 1000}
        found = dict(re.findall(r"^ +(\d+)% +([\d.]+[mu]?s)$", text, re.M))
        return {key: float(value.rstrip("mus")) * unit[value.lstrip("0123456789.")]
                for key, value in ((key, found[share]) for key, share in PERCENTILES.items())}


class Ab(LoadClient):
    name, package, pipelines = AB, "apache2-utils", False

    def command(self, load, server):
        return [self.path, "-q", *(["-k"] if load.keeps else []), "-c", load.connections, "-t", load.seconds,
                "-n", AB_REQUESTS, "-s", PATIENT, server.url]

    def timed(self, load, server):
        return self.command(load, server)[:-1] + ["-e", self.folder / "times.csv", server.url]

    def told(self, text):
        self.refuse(r"^(Failed requests: +[1-9]|Non-2xx responses:).*", text)
        return self.found(r"^Complete requests: +(\d+)", text)

    def percentiles(self, _):
        rows = dict(line.split(",") for line in (self.folder / "times.csv").read_text().splitlines())
        return {key: float(rows[share]) for key, share in PERCENTILES.items()}


class H2load(LoadClient):
    name, package, closes = H2LOAD, "nghttp2-client", False

    def command(self, load, server):
        return [self.path, "--h1", "-t", 1, "-c", load.connections, "-m", load.depth, "-D", load.seconds, server.url]

    def told(self, text):
        self.refuse(r"[1-9]\d* (failed|errored|timeout)", text)
        return self.found(r"(\d+) succeeded", text)


class Hey(LoadClient):
    name, package, pipelines = HEY, "hey", False

    def command(self, load, server):
        return [self.path, "-z", f"{load.seconds}s", "-c", load.connections, *([] if load.keeps else ["-disable-keepalive"]),
                "-t", PATIENT, server.url]

    def told(self, text):
        self.refuse(r"^(Error distribution:\n.*|.*\[[13-5]\d\d\]\s+\d+ responses)", text)
        return self.found(r"\[200\]\s+(\d+) responses", text)


class Autocannon(LoadClient):
    name, package = AUTOCANNON, "tools/deps bench gets it with npm"
    closes = False  # with -D 1 it counts no answer

    def command(self, load, server):
        return [self.path, "--json", "-c", load.connections, "-p", load.depth, "-d", load.seconds, "-t", PATIENT,
                server.url]

    def told(self, text):
        told = json.loads(text)
        for failure in ("errors", "timeouts", "non2xx"):
            if told[failure]:
                raise Failure(f"{self.name} failed: {failure}: {told[failure]}")
        return told["2xx"]


class Clients(Entrants):
    """The limit and ours first."""

    def __init__(self, programs, folder):
        super().__init__()
        npm = programs.parent.parent / "npm/node_modules/.bin"  # where tools/deps puts it, beside release/bin
        self.all = [Bare(machine.build("limits/epoll_client.c", folder), folder), Loadgen(programs / "loadgen", folder)]
        for kind, path in ((Wrk, program("wrk")), (Ab, program("ab")), (H2load, program("h2load")), (Hey, program("hey")),
                           (Autocannon, program("autocannon") or shutil.which("autocannon", path=npm))):
            # Autocannon is there but does not start where node is not, or too old.
            if path and (kind is not Autocannon or starts(path)):
                self.all.append(kind(path, folder))
            else:
                self.leave_out(kind.name, kind.package)


def starts(path):
    return subprocess.run([path, "--version"], capture_output=True).returncode == 0
