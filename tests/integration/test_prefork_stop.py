"""prefork_server's stop: no connection that was established is lost, whatever ends a worker or the server."""

import errno
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from prefork import asleep, queue_length, send, start, status_of, workers
from servers import PATIENCE, parse_response, read_all, wait_until


LAST = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"  # gthread keeps connections alive


class Senders:
    """COUNT clients with a connection a request, for as long as the server takes any. `lost` are the established connections
    without a whole answer; a connection that is refused is none, and ends the client where ENDS is set."""

    def __init__(self, address, count=6, ends=True, family=socket.AF_INET):
        self.address, self.family, self.ends = address, family, ends
        self.lost, self.done, self.stopped = [], 0, False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        """One request. Returns whether the server took it."""
        with socket.socket(self.family) as peer:
            peer.settimeout(PATIENCE)
            try:
                peer.connect(self.address)
            except OSError as error:
                if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                    return False
                raise
            peer.sendall(LAST)
            data = b""
            while part := peer.recv(65536):  # a reset is an exception
                data += part
        status, head, body = parse_response(data)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert status == 200 and len(body) == int(length.group(1)), data
        return True

    def run(self):
        while not self.stopped:
            try:
                taken = self.ask()
            except (OSError, AssertionError) as error:
                with self.lock:
                    self.lost.append(repr(error))
                continue
            with self.lock:
                self.done += taken
            if not taken and self.ends:
                return
            if not taken:
                time.sleep(0.01)

    def wait(self, more):
        goal = self.done + more
        wait_until(lambda: self.done >= goal or self.lost, f"{more} more answers")

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.join()


# What a worker does, and how: the queue is short where there are enough of them, long where there are not.
SETUPS = [("--workers", 4, "--sleep", 0), ("--workers", 2, "--sleep", 0.01), ("--workers", 1, "--cpu", 2),
          ("--workers", 2, "--threads", 3, "--sleep", 0.01)]


@pytest.mark.parametrize("options", SETUPS, ids=["idle", "sleeping", "computing", "threads"])
def test_term_loses_nobody_who_keeps_sending(start, options):
    for _ in range(3):
        server = start(*options)
        with Senders((server.host, server.port)) as senders:
            senders.wait(30)
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            senders.join()  # all were refused in the end
        assert senders.lost == []
        assert "SIGKILL" not in server.log()


def test_term_loses_nobody_over_ipv6(start):
    server = start("--workers", 2, "--sleep", 0.005, bind="[::1]:0")
    port = int(re.search(r"http://\[::1\]:(\d+)", server.log()).group(1))
    with Senders(("::1", port), family=socket.AF_INET6) as senders:
        senders.wait(20)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        senders.join()
    assert senders.lost == []


def test_term_loses_nobody_over_a_unix_socket(start, tmp_path):
    path = tmp_path / "socket"
    for _ in range(3):
        server = start("--workers", 2, "--sleep", 0.005, bind=f"unix:{path}")
        with Senders(str(path), family=socket.AF_UNIX) as senders:
            senders.wait(20)
            server.signal(signal.SIGTERM)
            assert server.wait() == 0
            senders.join()
        assert senders.lost == []
        assert not path.exists()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTTOU], ids=["hup", "ttou"])
def test_a_worker_that_is_told_to_end_loses_nobody(start, number, threads):
    server = start("--workers", 3, "--threads", threads, "--sleep", 0.002)
    workers(server, 3)
    with Senders((server.host, server.port), ends=False) as senders:
        for _ in range(5):
            senders.wait(20)
            if number == signal.SIGTTOU:
                server.signal(signal.SIGTTIN)
                workers(server, 4)
            old = set(workers(server, 4 if number == signal.SIGTTOU else 3))
            server.signal(number)
            kept = 3 if number == signal.SIGTTOU else 0
            wait_until(lambda: len(old & set(server.worker_pids())) == kept, "the end of the oldest")
        senders.wait(20)
    assert senders.lost == []


def test_who_is_held_back_meets_the_next_server(start):
    """The port is free as soon as the queue is empty, whatever request a worker is in the middle of."""
    server = start("--workers", 1, "--sleep", 0.3, "--admin", "127.0.0.1:0")
    first = send(server)
    asleep(server)
    waiting = send(server)
    wait_until(lambda: queue_length(server) == 1, "the queue")
    server.signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    answers = []
    late = threading.Thread(target=lambda: answers.append(server.get()[0]))
    late.start()
    assert status_of(first) == 200 and status_of(waiting) == 200
    assert server.wait() == 0
    start("--sleep", 0, bind=f"127.0.0.1:{server.port}")
    late.join(PATIENCE)
    assert answers in ([200], [])  # or it was refused, between the two servers


def refused(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_port_is_free_while_the_last_request_goes_on(start):
    server = start("--workers", 2, "--sleep", 2, "--admin", "127.0.0.1:0")
    peer = send(server)
    asleep(server)
    server.signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    wait_until(lambda: refused(server), "a refusal")
    assert len(server.worker_pids()) >= 1  # it sleeps still
    following = start("--sleep", 0, bind=f"127.0.0.1:{server.port}")
    assert following.get()[0] == 200
    assert status_of(peer) == 200
    assert server.wait() == 0


def test_a_worker_that_dies_during_the_stop_is_replaced_while_somebody_waits(start):
    server = start("--workers", 1, "--sleep", 1, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    first = send(server)
    asleep(server)
    waiting = send(server)
    wait_until(lambda: queue_length(server) == 1, "the queue")
    server.signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    os.kill(worker, signal.SIGKILL)
    assert read_all(first) == b""
    first.close()
    assert status_of(waiting) == 200
    assert server.wait() == 0
    server.wait_log("Booting worker", count=2)


def test_int_during_the_drain_ends_it(start):
    server = start("--workers", 1, "--sleep", 60, "--admin", "127.0.0.1:0")
    first = send(server)
    asleep(server)
    with first, send(server):
        wait_until(lambda: queue_length(server) == 1, "the queue")
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        server.signal(signal.SIGINT)
        assert server.wait() == 0
    assert "SIGKILL" not in server.log()


def test_graceful_timeout_ends_the_drain(start):
    server = start("--workers", 1, "--sleep", 60, "--graceful-timeout", 0.5, "--admin", "127.0.0.1:0")
    first = send(server)
    asleep(server)
    with first, send(server):
        wait_until(lambda: queue_length(server) == 1, "the queue")
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert time.monotonic() - begin >= 0.5


def test_logs_are_opened_again_during_a_stop(start, tmp_path):
    access = tmp_path / "access"
    server = start("--workers", 1, "--sleep", 0.5, "--access-logfile", access, "--admin", "127.0.0.1:0")
    peer = send(server)
    asleep(server)
    waiting = send(server)
    wait_until(lambda: queue_length(server) == 1, "the queue")
    server.signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    access.rename(tmp_path / "access.1")
    server.signal(signal.SIGUSR1)
    assert status_of(peer) == 200 and status_of(waiting) == 200
    assert server.wait() == 0
    assert access.exists()


REFUSES = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

/* A kernel, or a sandbox, without socket filters. */
int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	int (*real)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");

	if (level == SOL_SOCKET && name == SO_ATTACH_FILTER) {
		errno = EPERM;
		return -1;
	}
	return real(fd, level, name, value, len);
}
"""


def without_filters(folder):
    """The environment of a server whose kernel refuses socket filters."""
    source, library = folder / "refuses.c", folder / "refuses.so"
    source.write_text(REFUSES)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".lstrip(":")}


def test_without_a_filter_those_who_wait_are_served_all_the_same(start, tmp_path):
    server = start("--sleep", 0.1, "--workers", 2, "--admin", "127.0.0.1:0", env=without_filters(tmp_path))
    workers(server, 2)
    peers = [send(server) for _ in range(10)]
    asleep(server, 2)
    server.signal(signal.SIGTERM)
    assert [status_of(peer) for peer in peers] == [200] * 10
    assert server.wait() == 0
    assert "Cannot hold new connections back: Operation not permitted" in server.log()
