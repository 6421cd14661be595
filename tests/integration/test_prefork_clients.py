"""prefork_server and clients that are slow, or leave."""

import os
import signal
import socket
import time

from prefork import GET, send, start, workers
from servers import PATIENCE, parse_response, read_all


def test_a_header_that_does_not_come(start):
    server = start("--header-timeout", 0.3, "--sleep", 0)
    begin = time.monotonic()
    status, _, body = parse_response(server.exchange(b"GET /half HTTP/1.1\r\nHo"))
    assert status == 408 and time.monotonic() - begin >= 0.3
    server.wait_log(r'\[WARNING\] Request from 127\.0\.0\.1 timed out after \d+(\.\d+)? s: 22 bytes came, '
                    r'"GET /half HTTP/1\.1\\x0d\\x0aHo"')
    assert server.get()[0] == 200


def test_a_header_that_trickles(start):
    """The deadline is for the whole header: progress does not move it."""
    server = start("--header-timeout", 0.5, "--sleep", 0)
    with server.connect() as peer:
        begin = time.monotonic()
        peer.settimeout(0.05)
        answer = b""
        peer.sendall(b"GET / HTTP/1.1\r\nX: ")
        while not answer:
            assert time.monotonic() - begin < PATIENCE
            try:
                peer.sendall(b"x")
                answer = peer.recv(1000)
            except socket.timeout:
                pass
    assert answer.startswith(b"HTTP/1.1 408") and time.monotonic() - begin >= 0.5


def test_a_body_that_does_not_come(start):
    server = start("--body-timeout", 0.3, "--sleep", 0)
    for target in ("/", "/echo"):
        answer = server.exchange(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert parse_response(answer)[0] == 408
    cut = server.exchange(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc")
    assert parse_response(cut)[::2] == (200, b"abc")  # fewer than the 5 bytes promised: the client can tell
    server.wait_log("timed out", count=3)


def test_a_client_that_does_not_read(start):
    server = start("--drain-timeout", 0.3, "--sleep", 0)
    with server.connect() as peer:
        peer.settimeout(0.1)
        peer.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            for _ in range(10_000):
                peer.sendall(b"x" * 65536)
        except OSError:
            pass
        server.wait_log(r'127\.0\.0\.1 does not read its answer to "POST /echo HTTP/1\.1": cut off after \d+(\.\d+)? s '
                        r"\(--drain-timeout, --min-rate, --timeout\)\n")
    assert server.get()[0] == 200


def test_a_slow_client_ends_before_its_worker(start):
    """However long a client may take, it takes less than the worker's --timeout: no worker dies of a client."""
    # Long, as an eighth of it is all the time that a worker has left when its client's is over.
    server = start("--timeout", 24, "--header-timeout", 60, "--body-timeout", 60, "--sleep", 0, "--workers", 3)
    old = workers(server, 3)
    slow = [b"", b"GET / HT", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"]
    peers = [send(server, data) for data in slow]
    for peer in peers:
        peer.settimeout(24 + PATIENCE)
        with peer:
            read_all(peer)
    assert server.get()[0] == 200
    assert workers(server, 3) == old
    assert "WORKER TIMEOUT" not in server.log()


def test_clients_that_leave(start):
    server = start("--sleep", 0.05)
    (worker,) = workers(server, 1)
    for data in (b"", b"GET", GET, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12"):
        peer = send(server, data)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()  # by a reset
        send(server, data).close()
    with server.connect() as peer:
        peer.sendall(GET)
        peer.shutdown(socket.SHUT_WR)  # it has sent all, and still listens
        assert parse_response(read_all(peer))[0] == 200
    assert workers(server, 1) == [worker]


def test_what_was_sent_ahead_costs_nobody_an_answer(start):
    """The worker closes behind an answer: with bytes unread that would be a reset, which overtakes what the client has
    not taken yet.  The body ends where a read of the worker's does, so that it has seen nothing of the next request."""
    server = start("--sleep", 0)
    body = b"x" * 3 * 16384
    peer = socket.socket()
    peer.settimeout(PATIENCE)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with peer:
        peer.connect((server.host, server.port))
        peer.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert peer.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        pid = workers(server, 1)[0]
        os.kill(pid, signal.SIGSTOP)
        peer.sendall(body + GET)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.1)
        assert parse_response(read_all(peer))[::2] == (200, body)
