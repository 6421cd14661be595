"""The measurements of bench/prefork_server, in the form of harness/measure.py."""

import pathlib
import time

from harness import machine
from harness.machine import Failure
from harness.measure import note, rounds, rows
from harness.peers import PATIENCE

WARM_UP = 1000  # requests, uncounted
CONNECTIONS_A_WORKER = 2  # that sleeps
USAGE = 2  # exit status of a program that does not know what it is asked for
PAUSE = 0.001  # seconds between looks at what is awaited


def cost_of(server, client, connections, seconds):
    """Server CPU, switches and rate of GET / under CONNECTIONS, as the values of a row."""
    client.warm_up(server, connections, WARM_UP)
    cpu_ns, switches = server.cpu_ns(), machine.switches(server.process.pid)
    cell = client.loadgen_for(server, connections, seconds)
    cpu_ns, switches = server.cpu_ns() - cpu_ns, machine.switches(server.process.pid) - switches
    return {"cpu_us": cpu_ns / cell["complete"] / 1000, "switches": switches / cell["complete"], "rps": cell["rps"]}


def costs(title, peers, client, connections, options):
    table = rows(peers)
    for peer in rounds(title, options.rounds, peers):
        with peer.running() as server:
            note(table, peer.name, **cost_of(server, client, connections, options.seconds))
    return table


def refusal(peer):
    """What PEER says to its options, if it does not take them."""
    server = peer.start()
    try:
        server.connect(0.01).close()
        return None
    except Failure:
        if server.process.returncode != USAGE:
            raise
        return peer.log_path.read_text().strip().splitlines()[0]
    finally:
        server.stop()


def asleep(title, peers, client, options):
    """PEERS: {workers: Peer}. The rate of requests that sleep, over the one in which only the sleep takes time. Each worker
    has two connections, so that the next waits when it has answered; the requests make whole sleeps, so that all workers
    end together."""
    table = {}
    for workers in peers:
        for peer in rounds(title, options.rounds, [peers[workers]]):
            with peer.running(sleep=options.sleep) as server:
                wait_until_idle(server, workers)
                before = server.cpu_ns()
                cell = client.loadgen(server, CONNECTIONS_A_WORKER * workers, workers * options.sleeps)
                cpu_us = (server.cpu_ns() - before) / cell["complete"] / 1000
                note(table, workers, rps=cell["rps"], share=cell["rps"] * options.sleep / workers, cpu_us=cpu_us)
    return table


def written_bytes(pid):
    """Bytes that the process PID has passed to write(2): what it sends on sockets is not among them."""
    lines = pathlib.Path(f"/proc/{pid}/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def spread(title, peer, log, client, connections, options):
    """How many of the requests each worker serves, by what it writes to the access log LOG: all lines are of one length."""
    table = {}
    for _ in rounds(title, options.rounds, [peer]):
        log.unlink(missing_ok=True)
        with peer.running() as server:
            workers = wait_until_idle(server, options.workers)
            wait_for(lambda: log.stat().st_size > 0, f"{peer.name} logs no request")
            before, log_before = list(map(written_bytes, workers)), log.stat().st_size
            client.loadgen(server, connections, options.requests)
            wait_for(lambda: log.stat().st_size - log_before == sum(map(written_bytes, workers)) - sum(before)
                     and (log.stat().st_size - log_before) % options.requests == 0, f"{peer.name} has not logged all requests")
            line = (log.stat().st_size - log_before) / options.requests
            served = [(written_bytes(pid) - was) / line for pid, was in zip(workers, before)]
            if any(count != int(count) for count in served):
                raise Failure(f"{peer.name}: lines of its access log differ in length")
            note(table, peer.name, busiest=int(max(served)), idlest=int(min(served)))
    return table


def memory(title, peers, options):
    """Private memory of the worker that has served a request and waits for the next."""
    table = rows(peers)
    for peer in rounds(title, options.rounds, peers):
        with peer.running() as server:
            worker = machine.family(server.process.pid)[-1]
            wait_for(lambda: is_asleep(worker), f"{peer.name} does not come to rest")
            note(table, peer.name, bytes=machine.private_bytes(worker))
    return table


def ready(title, peer, workers, options):
    """From exec until all have logged their boot and wait for a connection, and one has been answered."""
    table = {}
    for _ in rounds(title, options.rounds, [peer]):
        machine.set_cpu(machine.SERVER_CPU)  # inherited, as in measure.start
        server = peer.start()
        machine.set_cpu(machine.CLIENT_CPU)
        try:
            wait_for(lambda: peer.log_path.read_bytes().count(b"Booting worker") >= workers or not server.is_alive(),
                     f"{peer.name} does not boot {workers} workers")
            booted_ms = server.age_ms()
            wait_until_idle(server, workers)
            note(table, peer.name, booted_ms=booted_ms, ready_ms=server.first_answer_ms())
        finally:
            server.stop()
    return table


def is_asleep(pid):
    """Whether a process of one thread waits: for a connection, where it has nothing to do."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("S")


def wait_until_idle(server, workers):
    """Waits until the server has so many WORKERS and they wait for a connection. Returns their pids."""
    def idle():
        pids = machine.family(server.process.pid)[1:]
        return len(pids) == workers and all(map(is_asleep, pids))
    wait_for(idle, f"{server.peer.name} does not have {workers} idle workers")
    return machine.family(server.process.pid)[1:]


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"{what} within {PATIENCE} s")
        time.sleep(PAUSE)
