"""Load generators to be compared by what they report: how each is told a load, and where its figures come from. What a
client prints rounded is taken from where it has it to the microsecond, so that its definitions are compared and not its
printing. Times in milliseconds."""

import collections
import json
import math
import re
import subprocess
from typing import NamedTuple

from harness import machine
from harness.entrants import Entrants
from harness.load_clients import AB, H2LOAD, OURS, WRK, LoadClient
from harness.machine import Failure
from harness.measure import LOADGEN_STATUSES, percentile
from harness.peers import program

PERCENTS = (50, 75, 90, 99)
AGAIN, DUE, RAW = "loadgen again", "loadgen --rate", "wrk raw"
AB_REQUESTS = 1_000_000  # more than it can make in the time; it takes 32 bytes for each
PATIENCE = 60  # seconds that a client may take longer than it should

# All that wrk knows at its end: how long it took in microseconds, how many were answered, and its histogram.
WRK_LUA = """
done = function(summary, latency, _)
  local out = io.open("wrk.json", "w")
  out:write("[", summary.duration, ", ", summary.requests)
  for i = 1, #latency do
    local time, count = latency(i)
    out:write(", [", time, ", ", count, "]")
  end
  out:write("]")
  out:close()
end
"""


class Load(NamedTuple):
    """On CONNECTIONS: so many REQUESTS; where that is 0, and always with wrk, as many as come in SECONDS (whole: wrk takes no
    other). If it does not KEEP the connections, each is for one request. RATE: requests a second that are due."""
    connections: int
    requests: int = 0
    seconds: int = 1
    keeps: bool = True
    rate: int = 0


def in_ms(percentiles, max_ms, values, mean_ms=None):
    """A distribution in the form of all: the PERCENTILES are those of PERCENTS, VALUES how many values are in it."""
    told = {f"p{percent}_ms": value for percent, value in zip(PERCENTS, percentiles)}
    return {**told, "max_ms": max_ms, "values": values, **({} if mean_ms is None else {"mean_ms": mean_ms})}


class AgreeClient(LoadClient):
    @property
    def rows(self):
        """Names under which it is listed."""
        return (self.name,)

    def arguments(self, load):
        """LOAD as its options."""
        raise NotImplementedError

    def figures(self, text, load):
        """What it says, by the TEXT that it printed and by its files: as `run` returns it, without rps. All went well."""
        raise NotImplementedError

    def run(self, load, server):
        """Returns what it says of LOAD, by the name of the row: answered, seconds, rps, and a distribution as of in_ms."""
        command = [str(word) for word in [self.path, *self.arguments(load), server.url]]
        try:
            done = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, timeout=load.seconds + PATIENCE,
                                  preexec_fn=machine.pinned_child(machine.CLIENT_CPU))
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{self.name} does not end: {' '.join(command)}") from error
        if done.returncode not in self.statuses:
            raise Failure(f"{self.name} ended with {done.returncode}: {' '.join(command)}: "
                          f"{(done.stderr or done.stdout)[-300:]}")
        return {name: {"rps": told["answered"] / told["seconds"], **told}
                for name, told in self.figures(done.stdout, load).items()}


class Loadgen(AgreeClient):
    name, statuses = OURS, LOADGEN_STATUSES

    def limit(self, load):
        return ["-n", load.requests] if load.requests else ["--duration", load.seconds]

    def arguments(self, load):
        return ["-q", *(["-k"] if load.keeps else []), "-c", load.connections, *self.limit(load), "--json", "loadgen.json"]

    def figures(self, text, load):
        cell = json.loads((self.folder / "loadgen.json").read_text())["cells"][0]
        if cell["failed"] or cell["non_2xx"]:
            raise Failure(f"{self.name} failed: {cell['failed']} requests failed, {cell['non_2xx']} were not 2xx")
        latency = cell["latency_ms"]
        values = cell["complete"] + cell["overdue"]
        times = in_ms([latency[f"p{percent}"] for percent in PERCENTS], latency["max"], values, latency["mean"])
        return {self.name: {"answered": cell["complete"], "seconds": cell["duration_s"], **times}}


class LoadgenAgain(Loadgen):
    name = AGAIN


class DueLoadgen(Loadgen):
    """An open loop: requests are due, whatever the server does."""

    name = DUE

    def limit(self, load):
        return ["--duration", load.seconds, "--rate", load.rate]


class Wrk(AgreeClient):
    """RAW: its times without those that it made up."""

    name, package, rows = WRK, "wrk", (WRK, RAW)

    def arguments(self, load):
        (self.folder / "wrk.lua").write_text(WRK_LUA)
        return ["-t", 1, "-c", load.connections, "-d", load.seconds, "--latency", "-s", "wrk.lua",
                *([] if load.keeps else ["-H", "Connection: close"])]

    def figures(self, text, load):
        self.refuse(r"(connect [1-9]|read [1-9]|write [1-9]|Non-2xx).*", text)  # timeouts are what it calls slow answers
        took_us, answered, *histogram = json.loads((self.folder / "wrk.json").read_text())
        whole = {"answered": answered, "seconds": took_us / 1e6}
        corrected = {time: count for time, count in histogram}
        raw = uncorrected(corrected, took_us // max(1, answered // load.connections))
        return {WRK: {**whole, **distribution(corrected)}, RAW: {**whole, **distribution(raw)}}


def uncorrected(histogram, expected_us):
    """Takes back what wrk's stats_correct did to a histogram of microseconds: beside each time from twice EXPECTED_US on it
    puts those of requests that would have been sent every EXPECTED_US meanwhile, down to EXPECTED_US."""
    raw, made_up = {}, collections.Counter()
    for time in sorted(histogram, reverse=True):
        count = histogram[time] - made_up[time]
        if count > 0:
            raw[time] = count
            if time >= 2 * expected_us:
                made_up.update(dict.fromkeys(range(time - expected_us, expected_us, -expected_us), count))
    return raw


def distribution(histogram):
    """As in_ms, of a histogram of microseconds."""
    values = sum(histogram.values())
    if values == 0:
        return in_ms([0] * len(PERCENTS), 0, 0, 0)
    times = [time for time in sorted(histogram) for _ in range(histogram[time])]
    return in_ms([percentile(times, percent) / 1000 for percent in PERCENTS], times[-1] / 1000, values,
                 sum(times) / values / 1000)


class Ab(AgreeClient):
    """It tells percentiles to the microsecond in the file of -e alone, and a mean nowhere. Its first request goes alone, and
    takes as long as the fastest. PRINTED, EXACT: percent ->
    milliseconds of the last run, as it printed them and as its -e has them."""

    name, package = AB, "apache2-utils"

    def arguments(self, load):
        limit = ["-n", load.requests] if load.requests else ["-t", load.seconds, "-n", AB_REQUESTS]
        return ["-q", *(["-k"] if load.keeps else []), "-c", load.connections, *limit, "-e", "ab.csv"]

    def figures(self, text, load):
        self.refuse(r"^(Failed requests: +[1-9]|Non-2xx responses:).*", text)
        rows = (line.split(",") for line in (self.folder / "ab.csv").read_text().splitlines()[1:])
        self.exact = {int(percent): float(time) for percent, time in rows}
        self.printed = {int(percent): int(time) for percent, time in re.findall(r"^ +(\d+)% +(\d+)", text, re.M)}
        answered = self.found(r"^Complete requests: +(\d+)", text)
        times = in_ms([self.exact[percent] for percent in PERCENTS], self.exact[100], answered)
        seconds = self.found(r"^Time taken for tests: +([\d.]+)", text)
        return {AB: {"answered": answered, "seconds": seconds, "alone_ms": self.exact[0], **times}}


class H2load(AgreeClient):
    """Its log has a line for each request: when it was sent, its status, and the microseconds until its end."""

    name, package = H2LOAD, "nghttp2-client"

    def arguments(self, load):
        (self.folder / "h2load.log").unlink(missing_ok=True)  # it appends
        limit = ["-n", load.requests] if load.requests else ["-D", load.seconds]
        return ["--h1", "-t", 1, "-m", 1, "-c", load.connections, *limit, "--log-file", "h2load.log",
                *([] if load.keeps else ["-H", "Connection: close"])]

    def figures(self, text, load):
        self.refuse(r"[1-9]\d* (failed|errored|timeout)", text)
        answered = self.found(r"(\d+) succeeded", text)
        times = sorted(int(line.split("\t")[2]) / 1000 for line in (self.folder / "h2load.log").read_text().splitlines())
        mean_ms = math.fsum(times) / len(times)
        told = in_ms([percentile(times, percent) for percent in PERCENTS], times[-1], len(times), mean_ms)
        # It prints its time with three digits, but the rate, which is answered / time, to the hundredth.
        seconds = answered / self.found(r"^finished in .*, ([\d.]+) req/s", text)
        return {H2LOAD: {"answered": answered, "seconds": seconds, **told}}


class AgreeClients(Entrants):
    """Ours first."""

    def __init__(self, programs, folder):
        super().__init__()
        self.all = [kind(programs / "loadgen", folder) for kind in (Loadgen, LoadgenAgain, DueLoadgen)]
        for kind in (Wrk, Ab, H2load):
            path = program(kind.name)
            if path:
                self.all.append(kind(path, folder))
            else:
                self.leave_out(kind.name, kind.package)
