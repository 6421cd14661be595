"""The clients of tests/soak: what they ask, how they behave, and what they must get."""

import pathlib
import re
import select
import socket
import struct
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
HELLO = b"Hello, Anonymous"
PATIENCE = 30.0  # seconds that an answer may take


class Wrong(Exception):
    """An answer that a well-behaved client must not get."""


class Lost(Wrong):
    """No answer, or no whole one: the connection ended."""


# Requests and what must come back


class Request:
    """Bytes to send, and the status and body that answer them."""

    def __init__(self, data, status=200, body=HELLO, head=False):
        self.data, self.status, self.body, self.head = data, status, body, head


def chunked(dice, body):
    pieces, at = [], 0
    while at < len(body):
        size = dice.randrange(1, len(body) + 1)
        piece = body[at:at + size]
        pieces.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += size
    return b"".join(pieces) + b"0\r\n\r\n"


def make_request(dice, server, close=False):
    end = b"Connection: close\r\n" if close else b""
    kind = dice.random()
    if kind < 0.35:
        return Request(b"GET / HTTP/1.1\r\nHost: soak\r\n%s\r\n" % end)
    if kind < 0.5:
        target = f"/soak?sleep={dice.choice([0, 0.001, 0.004])}&mode={dice.choice(server.modes)}"
        return Request(b"GET %s HTTP/1.1\r\nHost: soak\r\nUser-Agent: soak\r\n%s\r\n" % (target.encode(), end))
    if kind < 0.55:
        target = f"/?cpu={dice.choice([0, 0.05, 0.2])}&mode={dice.choice(server.modes)}"
        return Request(b"GET %s HTTP/1.1\r\nHost: soak\r\n%s\r\n" % (target.encode(), end))
    if kind < 0.6:
        return Request(b"HEAD / HTTP/1.1\r\nHost: soak\r\n%s\r\n" % end, head=True)
    if kind < 0.65:
        return Request(b"GET /no/such/path HTTP/1.1\r\nHost: soak\r\n%s\r\n" % end, 404, None)
    if kind < 0.7:
        return Request(b"GET /?sleep=never HTTP/1.1\r\nHost: soak\r\n%s\r\n" % end, 400, None)
    body = dice.randbytes(dice.choice([1, 100, 5000, 150_000]))
    if kind < 0.85:
        return Request(b"POST /echo HTTP/1.1\r\nHost: soak\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), end, body), 200, body)
    return Request(b"POST /echo HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n%s\r\n%s" % (end, chunked(dice, body)),
                   200, body)


class Peer:
    """A connection to the server."""

    def __init__(self, server):
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        self.data = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def reset(self):
        """Closes with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def send(self, data):
        """Sends DATA and reads what is answered meanwhile: an echo comes while the body goes."""
        self.socket.setblocking(False)
        end = time.monotonic() + PATIENCE
        while data:
            readable, writable, _ = select.select([self.socket], [self.socket], [], PATIENCE)
            if not readable and not writable or time.monotonic() > end:
                raise Wrong("what was sent was not taken")
            if readable:
                part = self.socket.recv(262144)
                if not part:
                    raise Lost(f"closed with {len(data)} bytes to send; it had answered {self.data[:100]!r}")
                self.data += part
            elif writable:
                data = data[self.socket.send(data[:262144]):]
        self.socket.settimeout(PATIENCE)

    def more(self):
        try:
            part = self.socket.recv(262144)
        except TimeoutError:
            raise Wrong(f"no answer; so far {self.data[:100]!r}") from None
        if not part:
            raise Lost(f"closed in the middle of an answer: {self.data[:200]!r}")
        self.data += part

    def until(self, end):
        while end not in self.data:
            self.more()
        head, _, self.data = self.data.partition(end)
        return head

    def take(self, count):
        parts, have = [self.data], len(self.data)
        while have < count:
            self.data = b""
            self.more()
            parts.append(self.data)
            have += len(self.data)
        data = b"".join(parts)
        self.data = data[count:]
        return data[:count]

    def check(self, request):
        """Reads one answer, which must be REQUEST's. Returns whether the connection goes on."""
        head = self.until(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.1 (\d{3}) [A-Za-z -]+\r\n", head + b"\r\n")
        if not match or int(match.group(1)) != request.status:
            raise Wrong(f"{request.data[:60]!r} was answered {head[:100]!r}")
        body = b""
        length = re.search(rb"\r\nContent-Length: (\d+)", head)
        if request.head:
            body = request.body
        elif length:
            body = self.take(int(length.group(1)))
        elif b"\r\nTransfer-Encoding: chunked" in head:
            while (size := int(self.until(b"\r\n"), 16)) > 0:
                body += self.take(size + 2)[:-2]
            self.take(2)
        else:
            raise Wrong(f"an answer without an end: {head!r}")
        if request.body is not None and body != request.body:
            raise Wrong(f"{request.data[:60]!r} got another body: {body[:60]!r}, {len(body)} bytes")
        return b"\r\nConnection: close" not in head

    def closed(self):
        """What still comes must be nothing."""
        try:
            left = self.data or self.socket.recv(100)
        except ConnectionResetError:
            left = b""
        except TimeoutError:
            raise Wrong("not closed after the last answer") from None
        if left:
            raise Wrong(f"after the last answer came {left[:100]!r}")


# What clients do. Each takes (dice, server) and returns how many requests were answered as they should be.


def keep_alive(dice, server):
    done = 0
    with Peer(server) as peer:
        for _ in range(dice.randrange(1, 12)):
            request = make_request(dice, server)
            peer.send(request.data)
            done += 1
            if not peer.check(request):
                if server.keeps_alive and not server.restless and request.status == 200:
                    raise Wrong("a connection was closed that could go on")
                break
            if dice.random() < 0.1:
                time.sleep(0.2)
    return done


def close(dice, server):
    request = make_request(dice, server, close=True)
    with Peer(server) as peer:
        peer.send(request.data)
        peer.check(request)
        peer.closed()
    return 1


def pipelined(dice, server):
    """Many requests in one packet; only the last may end the connection."""
    requests = []
    while len(requests) < dice.randrange(2, 20):
        request = make_request(dice, server)
        if request.status == 200 and len(request.data) < 10_000:
            requests.append(request)
    requests.append(make_request(dice, server, close=True))
    if not server.keeps_alive:
        requests = requests[:1]
    with Peer(server) as peer:
        peer.send(b"".join(request.data for request in requests))
        for done, request in enumerate(requests, 1):
            if not peer.check(request) and server.restless:
                break  # its worker retires: what was sent behind is for the client to send again
        peer.closed()
    return done


def half_closed(dice, server):
    request = make_request(dice, server, close=True)
    with Peer(server) as peer:
        peer.send(request.data)
        peer.socket.shutdown(socket.SHUT_WR)
        peer.check(request)
        peer.closed()
    return 1


def byte_by_byte(dice, server):
    request = Request(b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde", 200, b"abcde")
    with Peer(server) as peer:
        for byte in request.data:
            peer.send(bytes([byte]))
            time.sleep(dice.choice([0, 0.001, 0.003]))
        peer.check(request)
        peer.closed()
    return 1


def careless(function):
    """A client that deserves no answer, and does not look at it."""

    def visit(dice, server):
        with Peer(server) as peer:
            peer.socket.settimeout(0.5)
            try:
                function(dice, server, peer)
            except OSError:
                pass
            if dice.random() < 0.5:
                peer.reset()
        return 0

    return visit


@careless
def aborted(dice, server, peer):
    """RST or FIN at any point: in the header, in the body, in a sleep, in the answer."""
    data = b"".join(make_request(dice, server).data for _ in range(dice.randrange(1, 4)))
    peer.socket.sendall(data[:dice.randrange(len(data) + 1)])
    if dice.random() < 0.5:
        peer.socket.recv(dice.choice([1, 100, 100_000]))


@careless
def stalled(dice, server, peer):
    """Says no more, until its time is over, or a little less."""
    data = make_request(dice, server).data
    peer.socket.sendall(data[:dice.randrange(len(data))])
    peer.socket.settimeout(dice.choice([0.5, 1.5, 4]))
    while peer.socket.recv(100_000):
        pass


@careless
def not_reading(dice, server, peer):
    """Its echo fills the socket; then it goes, or is cut off."""
    peer.socket.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(200):
        peer.socket.sendall(bytes(65536))
    time.sleep(dice.choice([0, 0.5, 2]))


CORPUS = [path.read_bytes()[5:] for path in sorted((ROOT / "tests/fuzz/corpus/http_request").iterdir())]


@careless
def malformed(dice, server, peer):
    data = dice.choice(CORPUS)
    if dice.random() < 0.5 and data:
        at = dice.randrange(len(data))
        data = data[:at] + dice.randbytes(dice.randrange(3)) + data[at + dice.randrange(3):]
    peer.socket.sendall(data)
    if dice.random() < 0.5:
        peer.socket.shutdown(socket.SHUT_WR)
    while peer.socket.recv(100_000):
        pass


VISITS = {keep_alive: 24, close: 16, pipelined: 12, half_closed: 8, byte_by_byte: 4, aborted: 14, stalled: 2, not_reading: 1,
          malformed: 12}
