"""Clients that take turns on one CPU, a tenth of a second each, all at work from the beginning and stopped (SIGSTOP) while it
is another's turn. What the machine does to one it does to all: its speed drifts by a third within seconds, but hardly from one
turn to the next."""

import contextlib
import os
import random
import signal
import time
from typing import NamedTuple

from harness.load_clients import Load
from harness.machine import Failure, Stolen
from harness.measure import note, tell

TURN = 0.1  # seconds: long enough that caches going cold between turns cost nothing to speak of
QUIET = 0.002  # seconds in which a server answers nothing: it has answered all that a stopped client had asked
SETTLE = 0.5  # seconds of each client at the beginning, uncounted: connections open, and what compiles as it runs has done so
START = 0.5  # seconds that a client may take to start, and its server
TAIL = 1  # seconds that a client is to be still at work when the last turn is over
CALM = 2.0  # percent of the CPUs' time, at most, that the host of a virtual machine takes while it is calm
SPARE = 1.5  # times as many turns as are wanted, at most, so that those that count are calm
ATTEMPTS = 3  # each with more time; see EndedEarly
ADRIFT = 0.01  # of the requests: so much a client's count may differ from the server's


class EndedEarly(Failure):
    """A client was done before its last turn: turns took longer than they should, on a machine with other work to do."""


class Turn(NamedTuple):
    """What came of some of a client's time: requests answered, its CPU, and how long it went."""
    count: int = 0
    cpu_ns: int = 0
    took: float = 0.0

    def and_then(self, other):
        return Turn(self.count + other.count, self.cpu_ns + other.cpu_ns, self.took + other.took)


class Taker:
    """A client at work (load_measure.Running), and the counting server that it has for itself: another's, stopped in the
    midst of a request, cannot hold that up."""

    def __init__(self, running, server, load):
        self.running, self.server, self.load = running, server, load
        self.client, self.before = running.client, server.answered()

    def begin(self):
        """Waits until it is well at work, and stops it."""
        self.running.wait_for(lambda: self.server.answered() != self.before, "sends nothing")
        time.sleep(SETTLE)
        self.halt()

    def halt(self):
        """Stops it, and waits until all that it had asked is answered: what a turn left to answer, the next one reads."""
        pid = self.running.process.pid
        os.kill(pid, signal.SIGSTOP)
        now = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if now.si_code == os.CLD_EXITED and now.si_status in self.client.statuses:
            raise EndedEarly(f"{self.client.name} ended early: {self.running.printed()[-500:]}")
        if now.si_code != os.CLD_STOPPED:
            status = now.si_status if now.si_code == os.CLD_EXITED else -now.si_status
            raise Failure(f"{self.client.name} ended with {status}: {self.running.printed()[-500:]}")
        end, answered = time.monotonic() + TURN, None
        while answered != self.server.answered() and time.monotonic() < end:
            answered = self.server.answered()
            time.sleep(QUIET)

    def go_on(self):
        os.kill(self.running.process.pid, signal.SIGCONT)

    def turn(self, seconds):
        answered, cpu_ns, began = self.server.answered(), self.running.cpu_ns(), time.perf_counter()
        self.go_on()
        time.sleep(seconds)
        os.kill(self.running.process.pid, signal.SIGSTOP)
        took = time.perf_counter() - began
        self.halt()
        return Turn(self.server.answered() - answered, self.running.cpu_ns() - cpu_ns, took)

    def end(self, runs):
        """It ends, and says as many answers as the server."""
        text = runs.ended(self.running, self.load.seconds)
        told, answered = self.client.told(text), self.server.answered() - self.before
        under_way = self.load.connections * self.load.depth
        if not answered - under_way - ADRIFT * answered <= told <= (1 + ADRIFT) * answered:
            raise Failure(f"{self.client.name} says that {told:.0f} were answered, and the server {answered}")


def duration(clients, options):
    """Seconds from the start of the first client to the end of the last turn, on a machine with nothing else to do."""
    turns, _ = turns_of(options.seconds)
    return clients * (START + SETTLE + options.rounds * SPARE * (options.seconds + turns * 4 * QUIET))


def turns_of(seconds):
    """How many turns make up SECONDS, and how long each is."""
    count = max(1, round(seconds / TURN))
    return count, seconds / count


def calmest(takers, count, seconds):
    """COUNT cycles, {taker: its Turn of so many SECONDS}: those of the cycles in which the host took least. There are more
    than COUNT only where it took much."""
    cycles = []
    while len(cycles) < count or (sum(stolen <= CALM for stolen, _ in cycles) < count and len(cycles) < SPARE * count):
        since = Stolen()
        cycle = {taker: taker.turn(seconds) for taker in random.sample(takers, len(takers))}
        cycles.append((since.percent(), cycle))
    return [cycle for _, cycle in sorted(cycles, key=lambda one: one[0])[:count]]


def take(title, takers, options):
    """{client: {metric: [a value for each round]}}. A round is so many turns of each that each has had its seconds; within
    it they come in random order."""
    table = {}
    for number in range(options.rounds):
        tell(f"{title}: round {number + 1} of {options.rounds}")
        sums = dict.fromkeys(takers, Turn())
        for cycle in calmest(takers, *turns_of(options.seconds)):
            for taker, turn in cycle.items():
                sums[taker] = sums[taker].and_then(turn)
        for taker, turn in sums.items():
            if turn.count == 0:
                raise Failure(f"{taker.client.name} had no answer in {options.seconds} s")
            note(table, taker.client.name, cpu_us=turn.cpu_ns / turn.count / 1000, rps=turn.count / turn.took)
    tell("")
    return table


def measure(title, runs, start, clients, peer, options, connections, **more):
    """Client CPU of a request in microseconds, and requests per second, of CLIENTS at work together; each against a server
    of its own. START: makes a client run a command. MORE: of the Load."""
    able = [client for client in clients if client.can(Load(connections, 1, **more))]
    seconds = duration(len(able), options) + TAIL
    for attempt in range(ATTEMPTS):
        load = Load.lasting(seconds * 1.5**attempt, connections, **more)
        try:
            return attempt_once(title, runs, start, able, peer, options, load)
        except EndedEarly as failure:
            early = failure
    raise early


def attempt_once(title, runs, start, clients, peer, options, load):
    with contextlib.ExitStack() as stack:
        takers = []
        for client in clients:
            tell(f"{title}: {client.name} starts")
            server = stack.enter_context(peer.running())
            takers.append(Taker(stack.enter_context(start(client, client.command(load, server))), server, load))
            takers[-1].begin()
        table = take(title, takers, options)
        for taker in takers:
            taker.go_on()
        for taker in takers:
            taker.end(runs)
        return table
