"""What the tests of prefork_server share: how one is started, looked at and loaded."""

import pathlib
import re
import subprocess
import threading

import pytest

from servers import BIN, PATIENCE, PreforkServer, parent_of, parse_response, read_all, wait_until

PROGRAM = BIN / "prefork_server"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture
def start():
    """start(*arguments) starts a server; all are stopped at the end of the test."""
    running = []

    def start_one(*arguments, **more):
        running.append(PreforkServer(*arguments, **more))
        return running[-1]

    yield start_one
    for server in running:
        server.stop()


def workers(server, count):
    """Waits until COUNT workers live; returns their pids, oldest first."""
    return wait_until(lambda: len(pids := server.worker_pids()) == count and pids, f"{count} workers")


def children_of(parent):
    """The pids of PARENT's live children."""
    return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*") if parent_of(path.name) == parent]


def is_alive(pid):
    return parent_of(pid) is not None


def send(server, data=GET):
    """A connection on which DATA was sent."""
    peer = server.connect()
    peer.sendall(data)
    return peer


def status_of(peer):
    with peer:
        return parse_response(read_all(peer))[0]


def asleep(server, count=1):
    """Waits until COUNT workers are in the middle of a sleep, as the metrics tell."""
    admin = server.admin_port()

    def sleeping():
        text = server.get("/metrics", port=admin)[2].decode()
        return float(re.search(r"(?m)^loopfork_sleeping (\S+)", text).group(1)) == count

    wait_until(sleeping, f"{count} asleep")


def queue_length(server):
    """Connections that wait to be accepted."""
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == server.port:
            return int(fields[4].split(":")[1], 16)
    return 0


def metric(server, name):
    text = server.get("/metrics", port=server.admin_port())[2].decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)", text).group(1))


class Load:
    """COUNT clients that each ask again and again; `lost` are the requests that got no answer of 200."""

    def __init__(self, server, count, target="/"):
        self.server, self.target = server, target
        self.done, self.lost, self.stopped = 0, [], False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopped:
            try:
                status = self.server.get(self.target)[0]
                failure = None if status == 200 else status
            except (OSError, AssertionError) as error:
                failure = repr(error)
            with self.lock:
                self.done += failure is None
                if failure is not None:
                    self.lost.append(failure)

    def wait(self, count):
        wait_until(lambda: self.done >= count, f"{count} answers; lost: {self.lost}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        for thread in self.threads:
            thread.join(PATIENCE)


def run(*arguments, **more):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, **more)
