"""The measurements of bench/agree, in the form of harness/measure.py: what several clients say of the same server."""

import contextlib
import math
import os
import signal
import threading

from harness.admin import AdminServer
from harness.agree_clients import DUE, Load
from harness.load_clients import AB, WRK
from harness.machine import Failure
from harness.measure import note, rounds

TIMES_LEAST = 10  # requests of a connection, however long that takes
TIMES_TIMED = 70  # of wrk: those under way at the end are not counted, up to one of each connection; 1.4% then
AB_LEAST = 50  # requests of ab, and one more: of fewer its -e reads p99 from behind the end of the times
QUEUE_S = 0.0002  # sleep of the server whose requests sleep one after another
STALL_S, STALL_AT_S, STALL_RUN_S = 0.4, 1, 3  # for how long the server stands still, when, and how long the run is
STALL_CONNECTIONS = 500  # of the one that has a rate: enough that no request waits for another
CONNECTING = 10000  # requests with a connection each, without a sleep: about a second
SLOW_S = 2.1  # an answer that takes longer than wrk's default --timeout


def sleeping(programs, folder, sleep):
    """Each request waits for SLEEP seconds."""
    return AdminServer(programs, folder, "--sleep", f"{sleep:g}")


def queueing(programs, folder):
    """Each request waits for those before it, because one thread sleeps for all: QUEUE_S for each, and what the kernel takes
    to wake it. It takes many times what an answer costs a client or the loop."""
    return AdminServer(programs, folder, "--sleep", f"{QUEUE_S:g}", "--mode", "threadpool", "--threads", "1")


def rows(clients):
    """As that of harness/measure.py; a client may have several."""
    return {name: {} for client in clients for name in client.rows}


def ask(table, client, peer, load, meanwhile=contextlib.nullcontext):
    """Adds what CLIENT says of LOAD. The server counts what it answers: a client that counts others is refused. MEANWHILE:
    what is done to the server's process."""
    with peer.running() as server, meanwhile(server.process.pid):
        before = peer.answered()
        told = client.run(load, server)
        count = peer.answered() - before
    for name, figures in told.items():
        if not count - load.connections <= figures["answered"] <= count:
            raise Failure(f"{name} says that {figures['answered']:.0f} were answered, and the server {count}")
        note(table, name, **figures)


def load_of(client, connections, seconds, cycle, keeps):
    """SECONDS or more, when a connection has an answer every CYCLE seconds."""
    times = max(TIMES_LEAST, round(seconds / cycle))
    if client.name == WRK:
        return Load(connections, seconds=math.ceil(max(TIMES_TIMED, times) * cycle), keeps=keeps)
    alone = 0
    if client.name == AB:
        alone = 1  # the first request, so that the others are whole rounds
        times = max(times, math.ceil(AB_LEAST / connections))
    return Load(connections, alone + connections * times, math.ceil(times * cycle), keeps)


def compared(title, count, clients, peer, connections, cycle, seconds, keeps=True):
    """All figures of each, in COUNT rounds. CYCLE: seconds from a request to the next on its connection."""
    table = rows(clients)
    for client in rounds(title, count, clients):
        ask(table, client, peer, load_of(client, connections, seconds, cycle, keeps))
    return table


def saturated(title, count, clients, peer, connections):
    """A second of the most that each can do."""
    table, load = rows(clients), Load(connections)
    for client in rounds(title, count, clients):
        ask(table, client, peer, load)
    return table


def windows(title, clients, peer, connections, requests):
    """What becomes of the same second when it is asked for as REQUESTS, or as a time."""
    loads = {f"-n {requests}": Load(connections, requests), "1 s": Load(connections, seconds=1)}
    known = {client: [words for words in loads if client.name != WRK or not loads[words].requests] for client in clients}
    table = {f"{client.name}, {words}": {} for client in clients for words in known[client]}
    for client in rounds(title, 1, clients):
        for words in known[client]:
            part = {}
            ask(part, client, peer, loads[words])
            table[f"{client.name}, {words}"] = part[client.name]
    return table


def stalled(title, clients, peer, connections, rate):
    """The server stands still for a while in the midst of the run. RATE: of the one that has a rate."""
    table = rows(clients)
    for client in rounds(title, 1, clients):
        load = Load(STALL_CONNECTIONS if client.name == DUE else connections, seconds=STALL_RUN_S, rate=rate)
        ask(table, client, peer, load, still)
    return table


@contextlib.contextmanager
def still(pid):
    """In STALL_AT_S the process PID is stopped, and goes on STALL_S later, or at the end of the block."""
    timers = [threading.Timer(STALL_AT_S, os.kill, (pid, signal.SIGSTOP)),
              threading.Timer(STALL_AT_S + STALL_S, os.kill, (pid, signal.SIGCONT))]
    try:
        for timer in timers:
            timer.start()
        yield
    finally:
        for timer in timers:
            timer.cancel()
            timer.join()
        os.kill(pid, signal.SIGCONT)


def slow(title, clients, peer, connections):
    """An answer on each connection; by the time it takes where a client knows no other."""
    return each(title, clients, peer, Load(connections, connections, math.ceil(SLOW_S)))


def connecting(title, clients, peer, connections):
    """A connection for each request, as fast as they come. By their number: h2load does not end by the time then."""
    return each(title, clients, peer, Load(connections, CONNECTING, keeps=False))


def each(title, clients, peer, load):
    """What each says of LOAD, once."""
    table = rows(clients)
    for client in rounds(title, 1, clients):
        ask(table, client, peer, load)
    return table
