"""async_server's WebSocket at /ws: aiohttp's own client, raw sockets for what no good client sends, and aiohttp's server beside it."""

import asyncio
import contextlib
import os
import re
import socket
import struct
import threading
import time
import zlib

import aiohttp
import pytest
from aiohttp import web

from servers import PATIENCE, AsyncServer, read_all, read_response, wait_until

MIB = 1024 * 1024
MESSAGE_MAX = 4 * MIB
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN, RSV1 = 0x80, 0x40
MASK = b"\x37\xfa\x21\x3d"

HANDSHAKE = {
    "Host": "test",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.fixture
def start():
    running = []

    def start_one(*arguments):
        server = AsyncServer("--admin", "127.0.0.1:0", *arguments)
        running.append(server)
        server.admin = server.admin_port()
        return server

    yield start_one
    for server in running:
        server.stop()


@pytest.fixture
def server(start):
    return start()


def metric(server, name):
    text = server.get("/metrics", port=server.admin)[2].decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", text).group(1))


def request(method="GET", version="1.1", target="/ws", body=b"", **changes):
    """The bytes of a handshake; a change with None leaves the field out. Underscores stand for hyphens."""
    fields = dict(HANDSHAKE, **{name.replace("_", "-"): value for name, value in changes.items()})
    lines = [f"{method} {target} HTTP/{version}"] + [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def masked(payload):
    whole = MASK * (len(payload) // 4 + 1)
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole[:len(payload)], "big")).to_bytes(len(payload), "big")


def frame(first, payload=b""):
    """A masked frame with FIRST as its first byte."""
    if len(payload) < 126:
        length = struct.pack("!B", 0x80 | len(payload))
    elif len(payload) < 65536:
        length = struct.pack("!BH", 0xfe, len(payload))
    else:
        length = struct.pack("!BQ", 0xff, len(payload))
    return bytes([first]) + length + MASK + masked(payload)


class RawClient:
    """A WebSocket over a plain socket."""

    def __init__(self, server, more=b"", **fields):
        self.peer = server.connect()
        self.peer.sendall(request(**fields) + more)
        self.data = b""
        head = self.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), head
        assert ACCEPT in head
        self.head = head

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.close()

    def more(self):
        part = self.peer.recv(MIB)
        assert part, f"closed behind {self.data[:100]!r}"
        self.data += part

    def take(self, count):
        parts, have = [self.data], len(self.data)
        while have < count:
            part = self.peer.recv(MIB)
            assert part, f"closed after {have} of {count} bytes"
            parts.append(part)
            have += len(part)
        self.data = b"".join(parts)
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def read_until(self, end):
        while end not in self.data:
            self.more()
        taken, _, self.data = self.data.partition(end)
        return taken + end

    def send(self, first, payload=b""):
        self.peer.sendall(frame(first, payload))

    def frame(self):
        """The next frame: its first byte and its payload."""
        first, length = self.take(2)
        assert length < 128, "a server does not mask"
        if length == 126:
            length, = struct.unpack("!H", self.take(2))
        elif length == 127:
            length, = struct.unpack("!Q", self.take(8))
        return first, self.take(length)

    def expect(self, first, payload=b""):
        assert self.frame() == (first, payload)

    def expect_close(self, code):
        self.expect(FIN | CLOSE, struct.pack("!H", code))

    def expect_end(self):
        """Nothing more, and then the end of the connection."""
        assert self.data + read_all(self.peer) == b""


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE * 3))


@contextlib.asynccontextmanager
async def connected(server, **options):
    """aiohttp's client on SERVER's /ws."""
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{server.url}ws", max_msg_size=0, **options) as ws:
            yield ws


class TestEcho:
    @pytest.mark.parametrize("compress", [0, 9, 15])
    def test_messages_come_back_as_they_were(self, server, compress):
        # Not with compression: aiohttp's compressor makes an empty payload of the second empty message, which cannot be inflated.
        empty = [""] * 2 if compress == 0 else []
        texts = ["Hello", "Hello", *empty, "grüß dich, κόσμε \U0001f600", "x" * 125, "y" * 126, "z" * 65535, "ä" * 65536]

        async def talk():
            async with connected(server, compress=compress) as ws:
                assert bool(ws.compress) == bool(compress)
                for text in texts:
                    await ws.send_str(text)
                    message = await ws.receive()
                    assert (message.type, message.data) == (aiohttp.WSMsgType.TEXT, text)
                for size in (1, 127, 65526, 65527, 65536, 100000, MIB):
                    data = os.urandom(size // 2) + bytes(size - size // 2)
                    await ws.send_bytes(data)
                    message = await ws.receive()
                    assert (message.type, message.data) == (aiohttp.WSMsgType.BINARY, data)

        run(talk())

    def test_fragments_come_back_as_one_frame(self, server):
        with RawClient(server) as ws:
            ws.send(TEXT, "gr".encode() + b"\xc3")
            ws.send(FIN | PING, b"between")
            ws.expect(FIN | PONG, b"between")
            ws.send(0, b"\xbc\xc3\x9f ")
            ws.send(0)
            ws.send(FIN | 0, b"dich")
            ws.expect(FIN | TEXT, "grüß dich".encode())

    def test_frames_right_behind_the_handshake_and_in_one_packet(self, server):
        frames = b"".join(frame(FIN | TEXT, b"%d" % i) for i in range(3)) + frame(FIN | PING, b"p")
        with RawClient(server, more=frames) as ws:
            for i in range(3):
                ws.expect(FIN | TEXT, b"%d" % i)
            ws.expect(FIN | PONG, b"p")

    def test_everything_byte_by_byte(self, server):
        with server.connect() as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request() + frame(FIN | TEXT, "grüß dich".encode()) + frame(FIN | CLOSE, struct.pack("!H", 1000)):
                peer.sendall(bytes([byte]))
            answer = read_all(peer)
        assert answer.endswith(b"\r\n\r\n" + b"\x81\x0b" + "grüß dich".encode() + b"\x88\x02\x03\xe8")

    def test_behind_other_requests_of_the_connection(self, server):
        with server.connect() as peer:
            peer.sendall(b"GET /?sleep=0 HTTP/1.1\r\nHost: test\r\n\r\n" + request() + frame(FIN | BINARY, b"\xff"))
            assert read_response(peer)[2] == b"Hello, Anonymous"
            data = b""
            while not data.endswith(b"\x82\x01\xff"):
                part = peer.recv(65536)
                assert part
                data += part
            assert data.startswith(b"HTTP/1.1 101 ")

    def test_with_a_body_and_a_query(self, server):
        with RawClient(server, target="/ws?token=1&sleep=nonsense", Content_Length="5", body=b"hello",
                       more=frame(FIN | TEXT, b"x")) as ws:
            ws.expect(FIN | TEXT, b"x")

    def test_many_at_once_and_several_loops(self, start):
        server = start("--loops", "2")

        async def one(session, number):
            async with session.ws_connect(f"{server.url}ws") as ws:
                for turn in range(5):
                    await ws.send_str(f"{number} {turn}")
                    assert (await ws.receive()).data == f"{number} {turn}"

        async def all_of_them():
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                await asyncio.gather(*(one(session, number) for number in range(300)))

        run(all_of_them())
        wait_until(lambda: metric(server, "loopfork_websockets_open") == 0, "no WebSocket is open")
        assert metric(server, "loopfork_websockets_total") == 300
        assert metric(server, "loopfork_websocket_messages_total") == 1500
        assert metric(server, 'loopfork_responses_total{code="101"}') == 300
        assert metric(server, "loopfork_requests_in_flight") == 0

    def test_pings_of_a_client_and_pongs_that_nobody_asked_for(self, server):
        with RawClient(server) as ws:
            ws.send(FIN | PONG, b"unasked")
            for payload in (b"", b"x", b"\xff" * 125):
                ws.send(FIN | PING, payload)
                ws.expect(FIN | PONG, payload)

    def test_an_idle_websocket_has_no_time_limit(self, start):
        server = start("--header-timeout", "0.3", "--keep-alive", "0.3", "--body-timeout", "0.3", "--drain-timeout", "0.3")
        with RawClient(server) as ws:
            time.sleep(1)
            ws.peer.sendall(frame(FIN | TEXT, b"still here")[:5])
            time.sleep(0.7)
            ws.peer.sendall(frame(FIN | TEXT, b"still here")[5:])
            ws.expect(FIN | TEXT, b"still here")


class TestLimits:
    @pytest.mark.parametrize("compress", [0, 15])
    def test_4_mib_come_back_and_a_byte_more_is_1009(self, server, compress):
        async def talk():
            async with connected(server, compress=compress) as ws:
                data = os.urandom(MESSAGE_MAX)
                await ws.send_bytes(data)
                assert (await ws.receive()).data == data
                text = "\U0001f600" * (MIB // 4 * 4)
                await ws.send_str(text)
                assert (await ws.receive()).data == text
                await ws.send_bytes(bytes(MESSAGE_MAX + 1))
                message = await ws.receive()
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)

        run(talk())

    def test_the_limit_counts_all_fragments(self, server):
        with RawClient(server) as ws:
            ws.send(BINARY, bytes(MIB))
            for _ in range(2):
                ws.send(0, bytes(MIB))
            ws.send(FIN | 0, bytes(MIB))
            first, payload = ws.frame()
            assert (first, len(payload)) == (FIN | BINARY, MESSAGE_MAX)
            ws.send(BINARY, bytes(MIB))
            for _ in range(3):
                ws.send(0, bytes(MIB))
            ws.send(FIN | 0, b"x")
            ws.expect_close(1009)
            ws.expect_end()

    def test_who_announces_too_much_is_told_at_once(self, server):
        with RawClient(server) as ws:
            ws.peer.sendall(struct.pack("!BBQ", FIN | BINARY, 0xff, MESSAGE_MAX + 1))
            ws.expect_close(1009)

    def test_who_goes_on_sending_still_hears_1009(self, server):
        """The close frame must not be lost in a reset, although the server does not want the rest."""
        with RawClient(server) as ws:
            data = frame(FIN | BINARY, bytes(MESSAGE_MAX + 1))
            sender = threading.Thread(target=lambda: ws.peer.sendall(data), daemon=True)
            sender.start()
            ws.expect_close(1009)
            sender.join(PATIENCE)
            assert not sender.is_alive()

    def test_a_zip_bomb_is_1009_and_costs_no_memory(self, server):
        with RawClient(server, Sec_WebSocket_Extensions="permessage-deflate") as ws:
            before = memory_kib(server, "VmHWM")
            deflate = zlib.compressobj(9, wbits=-15)
            bomb = b"".join([*(deflate.compress(bytes(MIB)) for _ in range(200)), deflate.flush(zlib.Z_SYNC_FLUSH)])[:-4]
            ws.send(FIN | RSV1 | BINARY, bomb)
            ws.expect_close(1009)
            assert memory_kib(server, "VmHWM") - before < 16 * 1024

    def test_who_does_not_read_is_not_read_from(self, server):
        """Backpressure: what a client sends and does not fetch stays in its own buffers and the kernel's."""
        with RawClient(server) as ws:
            before = memory_kib(server, "VmHWM")
            message = frame(FIN | BINARY, bytes(200000))
            ws.peer.settimeout(1)
            sent = 0
            with pytest.raises(socket.timeout):
                while sent < 400:
                    ws.peer.sendall(message)  # the last one leaves in part
                    sent += 1
            assert memory_kib(server, "VmHWM") - before < 16 * 1024
            ws.peer.settimeout(PATIENCE)
            for _ in range(sent):
                first, payload = ws.frame()
                assert (first, len(payload)) == (FIN | BINARY, 200000)

    def test_who_never_reads_is_closed_after_the_drain_timeout(self, start):
        server = start("--drain-timeout", "0.5")
        with RawClient(server) as ws:
            message = frame(FIN | BINARY, bytes(200000))
            ws.peer.settimeout(PATIENCE)
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                for _ in range(1000):
                    ws.peer.sendall(message)
        wait_until(lambda: metric(server, "loopfork_websockets_open") == 0, "it is closed")
        assert metric(server, "loopfork_timeouts_total") == 1


def memory_kib(server, name):
    with open(f"/proc/{server.pid}/status") as status:
        return int(re.search(rf"{name}:\s+(\d+)", status.read()).group(1))


class TestCompression:
    @staticmethod
    def inflate(payload, stream):
        return stream.decompress(payload + b"\0\0\xff\xff")

    def test_contexts_are_kept_and_empty_messages_are_valid(self, server):
        texts = [b"Hello", b"Hello", b"", b"", b"Hello", b"a longer text, again and again and again"]
        deflate, inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)
        with RawClient(server, Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits") as ws:
            assert b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n" in ws.head
            for text in texts:
                data = deflate.compress(text) + deflate.flush(zlib.Z_SYNC_FLUSH)
                ws.send(FIN | RSV1 | TEXT, data[:-4] or b"\0")
                first, payload = ws.frame()
                assert first == FIN | RSV1 | TEXT and payload
                assert self.inflate(payload, inflate) == text
            ws.send(FIN | TEXT, b"not compressed")
            first, payload = ws.frame()
            assert (first, self.inflate(payload, inflate)) == (FIN | RSV1 | TEXT, b"not compressed")

    def test_without_context_takeover_each_message_stands_alone(self, server):
        offer = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10"
        with RawClient(server, Sec_WebSocket_Extensions=offer) as ws:
            answer = b"permessage-deflate; server_max_window_bits=10; server_no_context_takeover"
            assert b"\r\nSec-WebSocket-Extensions: " + answer + b"\r\n" in ws.head
            for _ in range(3):
                ws.send(FIN | BINARY, b"the same text each time")
                first, payload = ws.frame()
                assert (first, self.inflate(payload, zlib.decompressobj(wbits=-10))) == \
                    (FIN | RSV1 | BINARY, b"the same text each time")

    def test_compressed_fragments(self, server):
        deflate = zlib.compressobj(wbits=-15)
        data = deflate.compress("grüß dich".encode() * 50) + deflate.flush(zlib.Z_SYNC_FLUSH)
        with RawClient(server, Sec_WebSocket_Extensions="permessage-deflate") as ws:
            ws.send(RSV1 | TEXT, data[:3])
            ws.send(FIN | PING, b"p")
            ws.expect(FIN | PONG, b"p")
            ws.send(0, data[3:7])
            ws.send(FIN | 0, data[7:-4])
            first, payload = ws.frame()
            assert self.inflate(payload, zlib.decompressobj(wbits=-15)) == "grüß dich".encode() * 50

    @pytest.mark.parametrize("payload", [b"\xff\xff\xff\xff", b"\xf2", b"\xf2\x00\x11\x00\x00"],
                             ids=["no deflate", "half a block", "refers to nothing"])
    def test_what_cannot_be_inflated_is_1007(self, server, payload):
        with RawClient(server, Sec_WebSocket_Extensions="permessage-deflate") as ws:
            ws.send(FIN | RSV1 | BINARY, payload)
            ws.expect_close(1007)
            ws.expect_end()


VIOLATIONS = {
    "no mask": (b"\x81\x05Hello", 1002),
    "a ping without mask": (b"\x89\x00", 1002),
    "an unknown opcode": (frame(FIN | 3), 1002),
    "an unknown control opcode": (frame(FIN | 11), 1002),
    "RSV1 without compression": (frame(FIN | RSV1 | TEXT, b"x"), 1002),
    "RSV2": (frame(FIN | 0x20 | TEXT, b"x"), 1002),
    "RSV3": (frame(FIN | 0x10 | TEXT, b"x"), 1002),
    "a ping in parts": (frame(PING, b"x"), 1002),
    "a ping of 126 bytes": (frame(FIN | PING, b"x" * 126), 1002),
    "a continuation of nothing": (frame(FIN | 0, b"x"), 1002),
    "a message within a message": (frame(TEXT, b"x") + frame(FIN | TEXT, b"y"), 1002),
    "a length of 16 bits for 5 bytes": (b"\x82\xfe\x00\x05" + MASK + masked(b"hello"), 1002),
    "a length of 64 bits for 200 bytes": (b"\x82\xff" + struct.pack("!Q", 200) + MASK + masked(b"x" * 200), 1002),
    "a length above 2^63": (b"\x82\xff" + b"\xff" * 8 + MASK, 1002),
    "text that is no UTF-8": (frame(FIN | TEXT, b"\xff"), 1007),
    "text that ends within a character": (frame(FIN | TEXT, b"x\xc3"), 1007),
    "a surrogate": (frame(FIN | TEXT, b"\xed\xa0\x80"), 1007),
    "a close frame of one byte": (frame(FIN | CLOSE, b"x"), 1002),
    "a close code of 999": (frame(FIN | CLOSE, struct.pack("!H", 999)), 1002),
    "a close code of 1005": (frame(FIN | CLOSE, struct.pack("!H", 1005)), 1002),
    "a close code of 1006": (frame(FIN | CLOSE, struct.pack("!H", 1006)), 1002),
    "a close code of 2999": (frame(FIN | CLOSE, struct.pack("!H", 2999)), 1002),
    "a close code of 5000": (frame(FIN | CLOSE, struct.pack("!H", 5000)), 1002),
    "a close reason that is no UTF-8": (frame(FIN | CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
}


class TestClosing:
    @pytest.mark.parametrize("name", VIOLATIONS)
    def test_a_violation_is_told_its_code_and_ends_the_connection(self, server, name):
        data, code = VIOLATIONS[name]
        with RawClient(server) as ws:
            ws.send(FIN | TEXT, b"before")
            ws.expect(FIN | TEXT, b"before")
            ws.peer.sendall(data + frame(FIN | TEXT, b"behind it"))
            ws.expect_close(code)
            ws.expect_end()

    @pytest.mark.parametrize("payload", [b"", struct.pack("!H", 1000), struct.pack("!H", 1001) + b"bye", struct.pack("!H", 4999)])
    def test_a_close_frame_is_answered_with_1000_and_the_server_closes_first(self, server, payload):
        with RawClient(server) as ws:
            ws.send(TEXT, b"a message that never ends")
            ws.send(FIN | CLOSE, payload)
            ws.expect_close(1000)
            ws.expect_end()

    def test_aiohttps_client_closes(self, server):
        async def talk():
            async with connected(server) as ws:
                await ws.send_str("x")
                assert (await ws.receive()).data == "x"
                assert await ws.close(code=4000, message=b"enough")
                assert ws.close_code == 1000

        run(talk())
        wait_until(lambda: metric(server, "loopfork_connections_open") == 0, "the connection is closed")

    def test_clients_that_vanish_leave_nothing_behind(self, server):
        fds = lambda: len(os.listdir(f"/proc/{server.pid}/fd"))  # noqa: E731
        before = fds()
        for data in (b"", frame(TEXT, b"half"), frame(FIN | BINARY, bytes(100000))[:50000], frame(FIN | BINARY, bytes(MIB)) * 3):
            for linger in (False, True):
                ws = RawClient(server, Sec_WebSocket_Extensions="permessage-deflate")
                if linger:  # a reset, and not an end
                    ws.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with contextlib.suppress(OSError):
                    ws.peer.settimeout(1)
                    ws.peer.sendall(data)
                ws.peer.close()
        wait_until(lambda: metric(server, "loopfork_websockets_open") == 0, "no WebSocket is open")
        wait_until(lambda: fds() <= before, "no descriptor is left")
        with RawClient(server) as ws:
            ws.send(FIN | TEXT, b"and it still serves")
            ws.expect(FIN | TEXT, b"and it still serves")


class TestHeartbeat:
    def test_a_client_that_does_not_answer_is_pinged_and_dropped(self, start):
        server = start("--ws-heartbeat", "0.4")
        with RawClient(server) as ws:
            begun = time.monotonic()
            ws.expect(FIN | PING)
            assert time.monotonic() - begun >= 0.39
            ws.expect_end()  # no close frame: 1006, as aiohttp
            assert time.monotonic() - begun >= 0.59
        wait_until(lambda: metric(server, "loopfork_websockets_open") == 0, "it is gone")
        assert metric(server, "loopfork_timeouts_total") == 1

    def test_a_client_that_answers_stays(self, start):
        server = start("--ws-heartbeat", "1")

        async def talk():
            async with connected(server) as ws:
                answer = asyncio.ensure_future(ws.receive())  # it answers pings meanwhile
                assert not (await asyncio.wait([answer], timeout=4))[0]
                await ws.send_str("still here")
                assert (await answer).data == "still here"

        run(talk())

    def test_whoever_sends_anything_is_not_pinged(self, start):
        server = start("--ws-heartbeat", "3")
        with RawClient(server) as ws:
            end = time.monotonic() + 5
            while time.monotonic() < end:
                ws.send(FIN | TEXT, b"x")
                ws.expect(FIN | TEXT, b"x")
                time.sleep(0.2)

    def test_any_byte_is_as_good_as_a_pong(self, start):
        server = start("--ws-heartbeat", "2")
        with RawClient(server) as ws:
            ws.expect(FIN | PING)
            ws.send(FIN | TEXT, b"no pong")
            ws.expect(FIN | TEXT, b"no pong")
            ws.expect(FIN | PING)


class TestStop:
    def test_open_websockets_get_1001_and_the_server_ends(self, server):
        with RawClient(server) as ws, RawClient(server) as other:
            ws.send(FIN | TEXT, b"x")
            ws.expect(FIN | TEXT, b"x")
            server.process.terminate()
            for one in (ws, other):
                one.expect_close(1001)
                one.send(FIN | CLOSE, struct.pack("!H", 1001))
                one.expect_end()
        assert server.wait() == 0

    def test_aiohttps_client_sees_1001(self, server):
        async def talk():
            async with connected(server) as ws:
                server.process.terminate()
                message = await ws.receive()
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)

        run(talk())
        assert server.wait() == 0

    def test_a_client_that_does_not_answer_1001_is_waited_for_until_the_timeout(self, start):
        server = start("--shutdown-timeout", "1")
        with RawClient(server) as ws:
            begun = time.monotonic()
            server.process.terminate()
            ws.expect_close(1001)
            ws.send(FIN | TEXT, b"nobody reads this")
            ws.send(FIN | PING, b"nor this")
            assert server.wait() == 0
            assert time.monotonic() - begun >= 0.9
            ws.expect_end()

    def test_a_client_that_does_not_answer_1001_has_the_drain_timeout(self, start):
        server = start("--drain-timeout", "0.5")
        with RawClient(server) as ws:
            server.process.terminate()
            ws.expect_close(1001)
            ws.expect_end()
        assert server.wait() == 0

    def test_what_had_come_is_answered_first(self, start):
        server = start("--mode", "blocking")
        with RawClient(server) as ws, server.connect() as other:
            other.sendall(b"GET /?sleep=1 HTTP/1.1\r\nHost: test\r\n\r\n")  # the loop is blocked
            time.sleep(0.3)
            ws.send(FIN | TEXT, b"on the way")
            server.process.terminate()
            ws.expect(FIN | TEXT, b"on the way")
            ws.expect_close(1001)
            ws.send(FIN | CLOSE)
            ws.expect_end()
        assert server.wait() == 0

    def test_who_does_not_fetch_its_output_does_not_hold_up_the_end(self, start):
        server = start("--shutdown-timeout", "1")
        with RawClient(server) as ws:
            ws.peer.settimeout(1)
            with pytest.raises(socket.timeout):
                for _ in range(400):
                    ws.send(FIN | BINARY, bytes(200000))
            server.process.terminate()
            assert server.wait() == 0


class TestLogs:
    def test_the_access_log_gets_its_line_when_it_is_over(self, start, tmp_path):
        log = tmp_path / "access.log"
        server = start("--access-logfile", log)
        with RawClient(server, User_Agent="me") as ws:
            ws.send(FIN | TEXT, b"x")
            ws.expect(FIN | TEXT, b"x")
            assert log.read_text() == ""
            assert metric(server, "loopfork_websockets_open") == 1
            ws.send(FIN | CLOSE)
            ws.expect_close(1000)
        wait_until(log.read_text, "a line")
        assert re.fullmatch(r'127\.0\.0\.1 \[[^]]+\] "GET /ws HTTP/1\.1" 101 0 "-" "me"\n', log.read_text())

    def test_a_client_that_vanishes_is_logged_too(self, start, tmp_path):
        log = tmp_path / "access.log"
        server = start("--access-logfile", log, "--access-log-format", "%r %s %b %T")
        with RawClient(server):
            time.sleep(1.1)
        wait_until(log.read_text, "a line")
        assert re.fullmatch(r"GET /ws HTTP/1\.1 101 0 [1-9]\d*\n", log.read_text())


async def echo(request):
    """The handler that ours is a mirror of."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        if message.type == aiohttp.WSMsgType.TEXT:
            await ws.send_str(message.data)
        elif message.type == aiohttp.WSMsgType.BINARY:
            await ws.send_bytes(message.data)
    return ws


@contextlib.asynccontextmanager
async def real_aiohttp():
    app = web.Application()
    app.router.add_get("/ws", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site._server.sockets[0].getsockname()[1]
    finally:
        await runner.cleanup()


HANDSHAKES = {
    "good": {},
    "Upgrade in another case": {"Upgrade": "WebSocket"},
    "several connection options": {"Connection": "keep-alive, Upgrade"},
    "version 8": {"Sec_WebSocket_Version": "8"},
    "version 7": {"Sec_WebSocket_Version": "7"},
    "a subprotocol": {"Sec_WebSocket_Protocol": "chat"},
    "POST": {"method": "POST"},
    "no Upgrade": {"Upgrade": None},
    "another Upgrade": {"Upgrade": "h2c"},
    "no Connection": {"Connection": None},
    "another Connection": {"Connection": "keep-alive"},
    "no version": {"Sec_WebSocket_Version": None},
    "version 12": {"Sec_WebSocket_Version": "12"},
    "two versions": {"Sec_WebSocket_Version": "13, 8"},
    "no key": {"Sec_WebSocket_Key": None},
    "an empty key": {"Sec_WebSocket_Key": ""},
    "a short key": {"Sec_WebSocket_Key": "abc"},
    "a key of 17 bytes": {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZSE="},
    "a key without padding": {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ"},
    "a key with quotes": {"Sec_WebSocket_Key": "it's \"x\\"},
    "a key with an apostrophe": {"Sec_WebSocket_Key": "it's"},
    **{f"extension {offer}": {"Sec_WebSocket_Extensions": offer} for offer in (
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=15",
        "permessage-deflate; server_max_window_bits=9",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=8, permessage-deflate",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown, permessage-deflate; client_no_context_takeover",
        "x-webkit-deflate-frame",
        "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=12")},
}

# What a client sends behind a good handshake, and both servers answer alike, each in one connection.
CONVERSATIONS = {
    "text": frame(FIN | TEXT, b"Hello"),
    "binary": frame(FIN | BINARY, b"\xff\x00"),
    "fragments": frame(TEXT, b"Hel") + frame(FIN | PING, b"p") + frame(FIN | 0, b"lo"),
    "close": frame(FIN | CLOSE),
    "close with a code": frame(FIN | CLOSE, struct.pack("!H", 4000) + b"reason"),
    "text behind close": frame(FIN | CLOSE) + frame(FIN | TEXT, b"x"),
    "too large": struct.pack("!BBQ", FIN | BINARY, 0xff, MESSAGE_MAX + 1) + MASK,
    **{name: VIOLATIONS[name][0] for name in (
        "an unknown opcode", "an unknown control opcode", "RSV1 without compression", "RSV2", "RSV3", "a ping in parts",
        "a ping of 126 bytes", "a continuation of nothing", "a message within a message", "text that is no UTF-8",
        "text that ends within a character", "a surrogate", "a close frame of one byte", "a close code of 999",
        "a close code of 1005", "a close code of 2999", "a close reason that is no UTF-8")},
}


@contextlib.asynccontextmanager
async def asked(port, data):
    """A connection that DATA was sent on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        yield reader
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def head_of(port, data):
    async with asked(port, data) as reader:
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)


async def answer_of(port, data, until_end):
    """What a server answers, up to the end of the connection or of the first response."""
    async with asked(port, data) as reader:
        if until_end:
            return await asyncio.wait_for(reader.read(), PATIENCE)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE)
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        return head + await asyncio.wait_for(reader.readexactly(int(length.group(1)) if length else 0), PATIENCE)


def comparable(answer):
    """Status line, sorted fields and body. Not compared: Date, Server, and the versions, which aiohttp does not tell."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    skipped = (b"date:", b"server:", b"sec-websocket-version:")
    return status, sorted(field for field in fields if not field.lower().startswith(skipped)), body


class TestBesideAiohttp:
    @pytest.mark.parametrize("name", HANDSHAKES)
    def test_a_handshake_is_answered_alike(self, server, name):
        async def compare():
            async with real_aiohttp() as port:
                data = request(**HANDSHAKES[name])
                theirs = comparable(await answer_of(port, data, False))
                assert comparable(await answer_of(server.port, data, False)) == theirs

        run(compare())

    @pytest.mark.parametrize("name", CONVERSATIONS)
    def test_frames_are_answered_alike(self, server, name):
        async def compare():
            async with real_aiohttp() as port:
                data = request() + CONVERSATIONS[name] + frame(FIN | CLOSE)
                theirs = comparable(await answer_of(port, data, True))
                assert comparable(await answer_of(server.port, data, True)) == theirs

        run(compare())

    def test_where_we_differ_on_purpose(self, server):
        """RFC 6455 and RFC 9110 say must there, and aiohttp 3.8 does not do it."""
        differing = {
            "no mask": b"\x81\x05Hello",
            "a length of 16 bits for 5 bytes": VIOLATIONS["a length of 16 bits for 5 bytes"][0],
            "a close code of 1006": VIOLATIONS["a close code of 1006"][0],
            "a close code of 5000": VIOLATIONS["a close code of 5000"][0],
        }

        async def compare():
            async with real_aiohttp() as port:
                for name, data in differing.items():
                    data = request() + data + frame(FIN | CLOSE)
                    theirs = (await answer_of(port, data, True)).partition(b"\r\n\r\n")[2]
                    ours = (await answer_of(server.port, data, True)).partition(b"\r\n\r\n")[2]
                    assert ours == b"\x88\x02\x03\xea", name
                    assert theirs.endswith(b"\x88\x02\x03\xe8"), name
                for data in (request(method="HEAD"), request(version="1.0")):
                    assert (await head_of(port, data)).split()[1] == b"101"
                    assert (await head_of(server.port, data)).split()[1] == b"400"

        run(compare())


class TestRefusals:
    def test_the_connection_goes_on_behind_a_refusal(self, server):
        with server.connect() as peer:
            for _ in range(2):
                peer.sendall(request(Upgrade=None))
                status, _, body = read_response(peer)
                assert (status, body) == (400, b'No WebSocket UPGRADE hdr: None\n Can "Upgrade" only to "WebSocket".')
            peer.sendall(request(Sec_WebSocket_Version="99"))
            status, head, body = read_response(peer)
            assert (status, body) == (400, b"Unsupported version: 99")
            assert b"\r\nSec-WebSocket-Version: 13, 8, 7\r\n" in head
            peer.sendall(request())
            assert peer.recv(65536).startswith(b"HTTP/1.1 101 ")

    def test_other_paths_do_not_upgrade(self, server):
        with server.connect() as peer:
            peer.sendall(request(target="/wsx?sleep=0"))
            assert read_response(peer)[2] == b"Hello, Anonymous"

    def test_expect_and_bodies_are_as_for_any_request(self, server):
        with server.connect() as peer:
            peer.sendall(request(Expect="100-continue", Content_Length="5"))
            assert peer.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.sendall(b"hello" + frame(FIN | TEXT, b"x"))
            data = b""
            while not data.endswith(b"\x81\x01x"):
                part = peer.recv(65536)
                assert part
                data += part
            assert data.startswith(b"HTTP/1.1 101 ")
        with server.connect() as peer:
            peer.sendall(request(Expect="something"))
            assert read_response(peer)[0] == 417
        with server.connect() as peer:
            peer.sendall(request(Content_Length=str(2 * MIB)))
            assert read_response(peer)[0] == 413
