"""Sends the entries of aiohttp_corpus.py to a server, and takes its answers apart, so that two servers' can be compared."""

import hashlib
import re
import socket
import threading

PROBE = b"GET /is/it/open HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"  # 404 where the connection goes on
FRAMES = bytes.fromhex("8182000000006869 88820000000003e8")  # a WebSocket's: the text "hi", and close with 1000
DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
SHOWN = 4096  # of a body above it the chunks are not compared: they depend on how it came


class Peer:
    """One connection; what the server sends comes out as answers."""

    def __init__(self, server):
        self.socket = server.connect()
        self.data = b""
        self.sender = None

    def send(self, data):
        """Sends while the caller reads: a server that echoes a large body takes no more of it than it gets rid of."""
        self.finish_sending()
        self.sender = threading.Thread(target=self.send_all, args=[data])
        self.sender.start()

    def send_all(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # it answered and closed before it had it all; what is missing is seen in what it answers

    def finish_sending(self):
        if self.sender is not None:
            self.sender.join()

    def more(self):
        """Whether anything came; a silence of 20 s (servers.PATIENCE) raises TimeoutError."""
        try:
            part = self.socket.recv(65536)
        except ConnectionResetError:
            part = b""
        self.data += part
        return part != b""

    def take(self, count):
        while len(self.data) < count and self.more():
            pass
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def take_line(self):
        """A line without its end; what there is, where the connection ends first."""
        while b"\r\n" not in self.data and self.more():
            pass
        line, _, self.data = self.data.partition(b"\r\n")
        return line

    def take_chunks(self):
        """The joined body, and the sizes as they were written; the last is 0 where it came to its end."""
        body, sizes = b"", []
        while not sizes or sizes[-1] != b"0":
            size = self.take_line()
            if not re.fullmatch(rb"[0-9a-f]+", size):
                break
            sizes.append(size)
            body += self.take(int(size, 16))
            self.take_line()
        return body, b" ".join(sizes)

    def take_answer(self, method):
        """(status line, [(name, value)], body, chunk sizes or None); None where the connection ended."""
        status = self.take_line()
        if not status:
            return None
        fields = []
        for line in iter(self.take_line, b""):
            name, _, value = line.partition(b": ")
            fields.append((name.decode(), value.decode("latin-1")))
        values = {name.lower(): value for name, value in fields}
        body, chunks = b"", None
        if method == "HEAD" or status.split()[1:2] in ([b"100"], [b"101"]):
            pass
        elif values.get("transfer-encoding") == "chunked":
            body, chunks = self.take_chunks()
        elif "content-length" in values:
            body = self.take(int(values["content-length"]))
        else:
            body = self.take(1 << 30)
        return status.decode("latin-1"), fields, body, chunks


def parts_of(number, answer):
    """An answer as the parts that aiohttp_corpus.py tells of."""
    status, fields, body, chunks = answer
    text = body.decode("latin-1")
    if len(body) > SHOWN:
        text = f"{len(body)} bytes of SHA-256 {hashlib.sha256(body).hexdigest()}"
    # How much aiohttp had read when it saw that it is too much is a matter of chance.
    text = re.sub(r"(?<=actual body size 1)\d{6}$", "......", text)
    parts = {"status": status, "order": [name for name, _ in fields], "body": text}
    for name, value in fields:
        assert name not in parts, f"{name} came twice"
        if name == "Date":
            assert re.fullmatch(DATE, value)
        elif name != "Server":
            parts[name] = value
    if chunks is not None and len(body) <= SHOWN:
        parts["chunks"] = chunks.decode()
    return {f"{number} {name}": value for name, value in parts.items()}


def converse(peer, entry):
    """Sends the requests of ENTRY and reads their answers. Returns them in parts."""
    parts = {}
    number = 1
    pieces = list(entry.pieces)
    peer.send(pieces.pop(0))
    if entry.half_close:
        peer.finish_sending()
        peer.socket.shutdown(socket.SHUT_WR)
    while number <= len(entry.methods):
        answer = peer.take_answer(entry.methods[number - 1])
        if answer is None:
            break
        if answer[0].split()[1] == "100":
            parts[f"{number} interim"] = answer[0]
        else:
            parts |= parts_of(number, answer)
            number += 1
        if pieces and f"{number} interim" in parts:
            peer.send(pieces.pop(0))
    if parts.get("1 status", "").startswith("HTTP/1.1 101"):
        peer.send(FRAMES)
        parts["then"] = f"frames {peer.take(1 << 30).hex(' ')}"
        return parts
    if not entry.half_close:
        peer.send(PROBE)
    last = peer.take_answer("GET")
    rest = peer.take(1 << 30)
    if last is None:
        parts["then"] = "closed"
    elif last[0] == "HTTP/1.1 404 Not Found" and not rest:
        parts["then"] = "open"
    else:
        parts["then"] = f"a further answer that begins with {last[0]!r}"
    return parts


def ask(server, entry):
    peer = Peer(server)
    with peer.socket:
        try:
            return converse(peer, entry)
        except TimeoutError:
            return {"then": f"silence behind {peer.data[:SHOWN]!r}"}
        finally:
            peer.finish_sending()


def compare(theirs, ours):
    """{part: (theirs, ours)} for each part that is not the same; of the order of fields, for those that both have."""
    differences = {}
    for part in {**theirs, **ours}:
        pair = theirs.get(part), ours.get(part)
        if part.endswith(" order") and None not in pair:
            pair = tuple([name for name in one if name in other] for one, other in (pair, pair[::-1]))
        if pair[0] != pair[1]:
            differences[part] = pair
    return differences
