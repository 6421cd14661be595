"""What an operator, and bad luck, do to prefork_server during tests/soak: signals, rotated logs, workers that are killed."""

import os
import pathlib
import signal
import threading
import time

EVERY = 0.7  # seconds from one to the next, on average
EXTRA_MAX = 3  # workers more than it was started with
KILL_SHARE = 0.08  # of what is done; the other things lose no request, and must not be covered by what a kill excuses
AFTERMATH = 1.0  # seconds behind a kill in which the worker may have taken a connection, or still be dying


def children_of(parent):
    """{pid: state} of a process's children."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, its_parent = path.read_text().rsplit(")", 1)[1].split()[:2]
        except (OSError, ValueError):
            continue  # it has just ended
        if int(its_parent) == parent:
            found[int(path.parent.name)] = state
    return found


class Unrest:
    """Does to SERVER, in a thread, one thing after another."""

    def __init__(self, server, dice):
        self.server, self.dice = server, dice
        self.ended = threading.Event()
        self.kills, self.killed, self.done, self.extra = [], set(), 0, 0
        self.thread = threading.Thread(target=self.run)

    def start(self):
        self.thread.start()

    def stop(self):
        """Ends it, with a HUP that brings back the number of workers that it was started with."""
        self.ended.set()
        self.thread.join()
        if not self.server.has_ended():
            os.kill(self.server.pid, signal.SIGHUP)

    def run(self):
        while not self.ended.wait(self.dice.expovariate(1 / EVERY)) and not self.server.has_ended():
            share = self.dice.random()
            if share < KILL_SHARE:
                self.kill()
            else:
                self.dice.choice([self.reload, self.more, self.fewer, self.rotate, self.end_one])()
            self.done += 1

    def send(self, number):
        os.kill(self.server.pid, number)

    def reload(self):
        self.extra = 0
        self.send(signal.SIGHUP)

    def more(self):
        if self.extra < EXTRA_MAX:
            self.extra += 1
            self.send(signal.SIGTTIN)

    def fewer(self):
        if self.extra > 0:
            self.extra -= 1
            self.send(signal.SIGTTOU)

    def rotate(self):
        if self.server.access_path.exists():
            self.server.access_path.replace(self.server.access_path.with_suffix(".1"))
        self.send(signal.SIGUSR1)

    def a_worker(self):
        """The pid of a worker: a child that is not the admin process."""
        booted = self.server.booted()
        workers = [pid for pid, state in children_of(self.server.pid).items() if state not in "ZX" and pid in booted]
        return self.dice.choice(workers) if workers else None

    def end_one(self):
        self.signal_worker(signal.SIGTERM)

    def kill(self):
        pid = self.signal_worker(signal.SIGKILL)
        if pid is not None:
            self.killed.add(pid)

    def signal_worker(self, number):
        pid = self.a_worker()
        if pid is None:
            return None
        if number == signal.SIGKILL:
            self.kills.append(time.monotonic())
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None  # it retired at this moment
        return pid

    def excuses(self, begun, ended):
        """Whether a connection that lasted from BEGUN to ENDED may have been a killed worker's."""
        return any(begun <= when + AFTERMATH and when <= ended for when in self.kills)
