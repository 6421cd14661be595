"""The HTTP contract over both servers: what goes over the wire, and what must not get in (RFC 9110, RFC 9112)."""

import concurrent.futures
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from servers import BIN, PATIENCE, PreforkServer, parse_response, read_all, read_response, wait_until

HELLO = b"Hello, Anonymous"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
GET_CLOSE = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def server(start_server):
    return start_server("--sleep", "0")


def count_answers(data):
    return len(re.findall(rb"HTTP/1\.1 \d\d\d ", data))


def assert_refused(server, request, statuses=(400,)):
    """One error answer, Connection: close, and nothing of what follows is taken for a request."""
    data = server.exchange(request + GET)
    status, head, _ = parse_response(data)
    assert status in statuses, data[:300]
    assert b"Connection: close" in head
    assert count_answers(data) == 1, data
    assert server.get("/")[0] == 200


def fields_of(head):
    return {name.lower(): value for name, value in
            (line.split(b": ", 1) for line in head.split(b"\r\n")[1:])}


class TestRoutes:
    @pytest.mark.parametrize("target", ["/", "/name", "/?", "/x?y=z", "/%41", "http://test/", "http://other:1/name"])
    def test_hello(self, server, target):
        status, head, body = server.get(target)
        assert (status, body) == (200, HELLO)
        fields = fields_of(head)
        assert fields[b"content-type"] == b"text/plain; charset=utf-8"
        assert fields[b"content-length"] == b"16"

    def test_every_answer_has_date_server_and_a_length(self, server):
        for request in ["GET /", "HEAD /", "POST /", "GET /a/b", "GET /?sleep=x", "PUT /echo"]:
            method, target = request.split()
            _, head, _ = server.get(target, method=method)
            names = [line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]]
            assert len(names) == len(set(names)), head
            fields = fields_of(head)
            assert re.fullmatch(rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", fields[b"date"])
            assert re.match(rb"(async|prefork)_server/\d", fields[b"server"])
            assert b"content-length" in fields

    def test_head_has_the_fields_of_get_and_no_body(self, server):
        _, head, _ = server.get("/")
        status, head_only, body = server.get("/", method="HEAD")
        assert (status, body) == (200, b"")
        drop_date = lambda head: re.sub(rb"Date: [^\r]*", b"", head)
        assert drop_date(head) == drop_date(head_only)

    @pytest.mark.parametrize("target", ["/a/b", "/echo/", "//", "/echo/x?y"])
    def test_not_found(self, server, target):
        status, _, body = server.get(target)
        assert (status, body) == (404, b"404: Not Found")

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_method_not_allowed(self, server, method):
        status, head, body = server.get("/name", method=method)
        assert (status, body) == (405, b"405: Method Not Allowed")
        assert fields_of(head)[b"allow"] == b"GET,HEAD"

    @pytest.mark.parametrize("query", ["sleep=x", "sleep=-1", "sleep=61", "sleep=", "mode=fast", "sleep=0&mode="])
    def test_a_wrong_override_is_explained(self, server, query):
        status, _, body = server.get("/?" + query)
        assert status == 400 and len(body) > len("400: Bad Request: ")

    def test_errors_do_not_repeat_what_the_client_sent(self, server):
        for target in ["/?sleep=%3Cscript%3E", "/?sleep=<script>", "/a/<script>", "/<script>\x01"]:
            data = server.exchange(f"GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            assert b"script" not in data


class TestSleep:
    @pytest.mark.parametrize("sleep", [0.001, 0.0123, 0.1])
    def test_is_never_shorter_than_asked(self, server, sleep):
        """Measured at the client, which sees a little more than the handler."""
        def one(_):
            start = time.monotonic()
            assert server.get(f"/?sleep={sleep}")[0] == 200
            return time.monotonic() - start

        count = 200 if sleep < 0.1 or server.keeps_alive else 20
        with concurrent.futures.ThreadPoolExecutor(10) as executor:
            assert min(executor.map(one, range(count))) >= sleep

    def test_the_default_comes_from_the_command_line(self, start_server):
        server = start_server("--sleep", "0.3")
        start = time.monotonic()
        assert server.get("/")[0] == 200
        assert time.monotonic() - start >= 0.3

    def test_echo_and_errors_do_not_sleep(self, start_server):
        server = start_server("--sleep", "50")
        assert server.get("/echo", method="POST", body=b"x")[2] == b"x"
        assert server.get("/", method="POST")[0] == 405


class TestConnection:
    def test_http_11_stays_open(self, server):
        with server.connect() as peer:
            for _ in range(3 if server.keeps_alive else 1):
                peer.sendall(GET)
                status, head, body = read_response(peer)
                assert (status, body) == (200, HELLO)
                assert (b"Connection: close" in head) != server.keeps_alive
            if not server.keeps_alive:
                assert peer.recv(1) == b""

    def test_http_11_close(self, server):
        with server.connect() as peer:
            peer.sendall(GET_CLOSE)
            _, head, _ = read_response(peer)
            assert b"Connection: close" in head
            assert peer.recv(1) == b""

    def test_http_10_closes(self, server):
        data = server.exchange(b"GET / HTTP/1.0\r\n\r\n")
        status, head, body = parse_response(data)
        assert (status, body) == (200, HELLO)
        assert b"keep-alive" not in head

    def test_http_10_keep_alive(self, server):
        with server.connect() as peer:
            for _ in range(2 if server.keeps_alive else 1):
                peer.sendall(b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
                status, head, body = read_response(peer)
                assert (status, body) == (200, HELLO)
                assert (b"Connection: keep-alive" in head) == server.keeps_alive
            if not server.keeps_alive:
                assert peer.recv(1) == b""

    def test_close_wins_over_keep_alive(self, server):
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n"
        assert count_answers(server.exchange(request + GET)) == 1

    def test_pipelined_requests_are_answered_in_order(self, server):
        requests = b"".join(POST + b"Content-Length: 2\r\n\r\n%02d" % i for i in range(20))
        data = server.exchange(requests + GET_CLOSE)
        bodies = re.findall(rb"\r\n\r\n(\d\d|Hello, Anonymous)", data)
        expected = [b"%02d" % i for i in range(20)] + [HELLO]
        assert bodies == (expected if server.keeps_alive else expected[:1])

    def test_a_request_behind_a_sleeping_one_waits_its_turn(self, server):
        slow = b"GET /?sleep=0.3 HTTP/1.1\r\nHost: a\r\n\r\n"
        data = server.exchange(slow + POST + b"Connection: close\r\nContent-Length: 1\r\n\r\nx")
        if server.keeps_alive:
            assert data.index(HELLO) < data.index(b"\r\n\r\nx")
        else:
            assert count_answers(data) == 1

    def test_a_half_closed_client_gets_its_answer(self, server):
        for request in [GET, b"GET /?sleep=0.2 HTTP/1.1\r\nHost: a\r\n\r\n",
                        POST + b"Content-Length: 16\r\n\r\n" + HELLO]:
            with server.connect() as peer:
                peer.sendall(request)
                peer.shutdown(socket.SHUT_WR)
                assert parse_response(read_all(peer))[2] == HELLO

    def test_a_client_that_ends_in_the_middle_harms_nobody(self, server):
        for part in [b"", b"G", b"GET / HTTP/1.1\r\nHost", POST + b"Content-Length: 9\r\n\r\n123"]:
            with server.connect() as peer:
                peer.sendall(part)
                peer.shutdown(socket.SHUT_WR)
                read_all(peer)
        assert server.get("/")[0] == 200

    def test_resets_in_the_middle_harm_nobody(self, server):
        """RST while the header comes, while the handler sleeps, while a large answer leaves."""
        large = POST + b"Content-Length: 50000000\r\n\r\n" + b"x" * 3000000
        for request in [b"GET / HT", b"GET /?sleep=0.1 HTTP/1.1\r\nHost: a\r\n\r\n", large, GET * 100]:
            for _ in range(3):
                with server.connect() as peer:
                    peer.settimeout(0.2)
                    try:
                        peer.sendall(request)
                    except TimeoutError:
                        pass  # both directions are full, as nobody reads the echo
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert server.get("/")[0] == 200
        assert "Traceback" not in server.log() and "ERROR" not in server.log()


class TestSplitting:
    REQUESTS = {
        "get": (GET_CLOSE, HELLO),
        "length": (POST + b"Connection: close\r\nContent-Length: 5\r\n\r\nabcde", b"abcde"),
    }

    @pytest.mark.parametrize("name", REQUESTS)
    def test_byte_by_byte(self, server, name):
        request, expected = self.REQUESTS[name]
        with server.connect() as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in request:
                peer.sendall(bytes([byte]))
                time.sleep(0.0005)
            assert parse_response(read_all(peer))[2] == expected

    def test_at_every_split_point(self, server):
        request = (POST + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                   b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n")
        for cut in range(1, len(request)):
            with server.connect() as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                peer.sendall(request[:cut])
                time.sleep(0.001)
                peer.sendall(request[cut:])
                status, _, body = parse_response(read_all(peer))
                assert status == 200 and dechunk(body) == b"abcde", cut

    def test_empty_lines_before_a_request_are_passed_over(self, server):
        assert parse_response(server.exchange(b"\r\n\r\n" + GET_CLOSE))[0] == 200


SMUGGLING = {
    "length and chunked": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
    "two equal lengths": POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde",
    "list of lengths": POST + b"Content-Length: 5, 5\r\n\r\nabcde",
    "signed length": POST + b"Content-Length: +5\r\n\r\nabcde",
    "negative length": POST + b"Content-Length: -5\r\n\r\nabcde",
    "hex length": POST + b"Content-Length: 0x5\r\n\r\nabcde",
    "blank in length": POST + b"Content-Length: 1 1\r\n\r\nabcde",
    "empty length": POST + b"Content-Length: \r\n\r\n",
    "huge length": POST + b"Content-Length: 9223372036854775808\r\n\r\n",
    "length past 64 bits": POST + b"Content-Length: 18446744073709551621\r\n\r\nabcde",
    "blank before the name": POST + b" Content-Length: 5\r\n\r\nabcde",
    "blank before the colon": POST + b"Content-Length : 5\r\n\r\nabcde",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "gzip first": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": POST + b"Transfer-Encoding: identity\r\n\r\n",
    "xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked on 1.0": b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "obs-fold": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    "NUL in a field": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "bare CR in a field": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rContent-Length: 5\r\n\r\n",
    "bare LF line": b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "bare LF end": b"GET / HTTP/1.1\r\nHost: a\r\n\n",
    "CR instead of CRLF": b"GET / HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n",
    "CRLF CR X": b"GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n",
    "control in the target": b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
    "blank in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "version 2.0": b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
    "version 1.11": b"GET / HTTP/1.11\r\nHost: a\r\n\r\n",
    "lower case version": b"GET / http/1.1\r\nHost: a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
    "unknown method": b"NONSENSE / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a line of another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "three empty lines": b"\r\n\r\n\r\n",
    "chunk size that overflows": CHUNKED + b"10000000000000001\r\na\r\n0\r\n\r\n",
    "chunk size with a sign": CHUNKED + b"+1\r\na\r\n0\r\n\r\n",
    "chunk size 0x": CHUNKED + b"0x1\r\na\r\n0\r\n\r\n",
    "chunk size missing": CHUNKED + b"\r\n",
    "chunk line ends with LF": CHUNKED + b"1\na\r\n0\r\n\r\n",
    "long chunk extension": CHUNKED + b"1;" + b"x" * 20000 + b"\r\na\r\n0\r\n\r\n",
}


class TestRefusals:
    @pytest.mark.parametrize("name", SMUGGLING)
    def test_doubtful_requests_are_refused_and_the_connection_ends(self, server, name):
        assert_refused(server, SMUGGLING[name], (400, 413, 431, 501, 505))

    def test_a_chunk_that_is_longer_than_it_says(self, server):
        """The answer may have begun: then it ends short, and nothing behind is taken for a request."""
        data = server.exchange(CHUNKED + b"1\r\nab\r\n0\r\n\r\n" + GET)
        assert count_answers(data) == 1
        assert not data.endswith(b"0\r\n\r\n") and HELLO not in data
        assert server.get("/")[0] == 200

    def test_header_names_and_values_of_any_allowed_byte_pass(self, server):
        value = bytes(range(0x21, 0x7f)) + b"\t" + bytes(range(0x80, 0x100))
        assert parse_response(server.exchange(
            b"GET / HTTP/1.1\r\nHost: a\r\nX-!#$%&'*+.^_`|~9: " + value + b"\r\nConnection: close\r\n\r\n"))[0] == 200


class TestLimits:
    def test_a_long_request_line(self, server):
        assert server.get("/" + "a" * 3000)[0] == 200
        assert_refused(server, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", (414,))

    def test_a_request_line_without_end(self, server):
        assert_refused(server, b"GET /" + b"a" * 300000, (414,))

    def test_a_long_field(self, server):
        assert server.get("/", fields=f"X: {'a' * 8000}\r\n")[0] == 200
        assert_refused(server, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n", (431,))

    def test_too_many_fields(self, server):
        assert server.get("/", fields="X: 1\r\n" * 90)[0] == 200
        assert_refused(server, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 1000 + b"\r\n", (431,))

    def test_a_header_without_end_in_small_pieces(self, server):
        """Sizes are counted over all reads."""
        with server.connect() as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
            for i in range(100000):
                if can_read(peer):
                    break
                peer.sendall(b"X%d: %s\r\n" % (i, b"a" * 50))
            assert read_response(peer)[0] == 431
        assert server.get("/")[0] == 200

    def test_trailers_past_the_limits(self, server):
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        assert parse_response(server.exchange(head + b"X: " + b"a" * 9000 + b"\r\n\r\n"))[0] in (405, 431)
        head = head.replace(b"POST / ", b"GET / ")
        assert_refused(server, head + b"X: " + b"a" * 9000 + b"\r\n\r\n", (431,))

    def test_a_body_that_the_handler_does_not_want(self, server):
        """Dropped up to 1 MiB (aiohttp's client_max_size), told or found to be larger: 413."""
        small = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000000
        assert parse_response(server.exchange(small))[2] == HELLO
        told = b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n"
        assert parse_response(server.exchange(told + b"x" * 2000000))[0] == 413
        found = CHUNKED.replace(b"POST /echo", b"GET /") + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 20
        assert parse_response(server.exchange(found))[0] == 413


class TestExpect:
    HEAD = POST + b"Connection: close\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"

    def test_100_comes_before_the_body(self, server):
        with server.connect() as peer:
            peer.sendall(self.HEAD)
            assert read_exactly(peer, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.sendall(b"abcde")
            assert parse_response(read_all(peer))[2] == b"abcde"

    def test_100_for_a_body_that_is_dropped(self, server):
        with server.connect() as peer:
            peer.sendall(self.HEAD.replace(b"POST /echo", b"GET /"))
            assert read_exactly(peer, 25) == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.sendall(b"abcde")
            assert parse_response(read_all(peer))[2] == HELLO

    def test_no_100_where_the_answer_does_not_want_the_body(self, server):
        with server.connect() as peer:
            peer.sendall(self.HEAD.replace(b"/echo", b"/"))
            status, head, _ = read_response(peer)
            assert status == 405 and b"Connection: close" in head

    def test_no_100_on_http_10_or_without_a_body(self, server):
        data = server.exchange(b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx")
        assert data.startswith(b"HTTP/1.1 200")
        data = server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n")
        assert data.startswith(b"HTTP/1.1 200")

    def test_anything_else_is_417(self, server):
        for target in ["/", "/echo", "/a/b"]:
            assert server.get(target, fields="Expect: miracles\r\n")[0] == 417
            assert server.get(target, fields="Expect: miracles\r\n", method="POST", body=b"abc")[0] == 417

    def test_nothing_is_expected_of_http_10_or_by_an_empty_field(self, server):
        assert parse_response(server.exchange(b"GET / HTTP/1.0\r\nExpect: miracles\r\n\r\n"))[0] == 200
        assert server.get("/", fields="Expect:\r\n")[0] == 200


class TestEcho:
    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_any_method(self, server, method):
        status, head, body = server.get("/echo", method=method, body=b"abc", fields="Content-Type: text/x-y; z=1\r\n")
        assert (status, body) == (200, b"abc")
        assert fields_of(head)[b"content-type"] == b"text/x-y; z=1"
        assert fields_of(head)[b"content-length"] == b"3"

    def test_an_empty_body(self, server):
        status, head, body = server.get("/echo", method="POST")
        assert (status, body) == (200, b"") and fields_of(head)[b"content-length"] == b"0"

    def test_head(self, server):
        status, _, body = server.get("/echo", method="HEAD", body=b"abc")
        assert (status, body) == (200, b"")

    def test_chunked(self, server):
        data = server.exchange(POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                               b"3\r\nabc\r\n000a;name=\"value\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n")
        _, head, body = parse_response(data)
        assert b"Transfer-Encoding: chunked" in head and b"Content-Length" not in head
        assert dechunk(body) == b"abc0123456789"

    def test_the_answer_begins_before_the_body_has_ended(self, server):
        with server.connect() as peer:
            peer.sendall(POST + b"Connection: close\r\nContent-Length: 6\r\n\r\nabc")
            data = b""
            while not data.endswith(b"abc"):
                data += read_exactly(peer, 1)
            peer.sendall(b"def")
            assert read_all(peer) == b"def"

    @pytest.mark.parametrize("chunked", [False, True])
    def test_50_mb_stream_through(self, server, chunked):
        """In bounded memory, in both framings."""
        size = 50_000_000
        block = os.urandom(1_000_000)
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % size
        with server.connect(60) as peer:
            def send():
                peer.sendall(POST + b"Connection: close\r\n" + framing + b"\r\n\r\n")
                for _ in range(size // len(block)):
                    peer.sendall(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
                if chunked:
                    peer.sendall(b"0\r\n\r\n")

            sender = threading.Thread(target=send)
            sender.start()
            body = parse_response(read_all(peer))[2]
            sender.join()
        assert (dechunk(body) if chunked else body) == block * (size // len(block))
        assert peak_rss(server) < 64_000_000

    def test_a_peer_that_does_not_read_stops_being_read_from(self, server):
        """Memory stays bounded; and once it reads, all of it comes."""
        size = 30_000_000
        with server.connect(60) as peer:
            peer.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size)
            peer.setblocking(False)
            sent = 0
            idle_since = time.monotonic()
            while time.monotonic() - idle_since < 1 and sent < size:
                try:
                    sent += peer.send(b"x" * min(65536, size - sent))
                    idle_since = time.monotonic()
                except BlockingIOError:
                    time.sleep(0.01)
            assert sent < size, "the server took everything, though nobody read"
            assert peak_rss(server) < 64_000_000
            peer.settimeout(60)
            sender = threading.Thread(target=lambda: peer.sendall(b"x" * (size - sent)))
            sender.start()
            assert len(parse_response(read_all(peer))[2]) == size
            sender.join()


class TestTime:
    def test_a_slow_header_gets_408(self, start_server):
        server = start_server("--header-timeout", "0.5")
        with server.connect() as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHo")
            status, head, _ = parse_response(read_all(peer))
            assert status == 408 and b"Connection: close" in head
        assert server.get("/")[0] == 200

    def test_bytes_that_trickle_in_do_not_prolong_it(self, start_server):
        server = start_server("--header-timeout", "0.5")
        start = time.monotonic()
        with server.connect() as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n")
            try:
                while time.monotonic() - start < PATIENCE and not can_read(peer):
                    peer.sendall(b"X: y\r\n")
                    time.sleep(0.05)
            except ConnectionError:
                pass
        assert time.monotonic() - start < PATIENCE

    def test_a_connection_that_says_nothing_is_closed(self, start_server):
        server = start_server("--header-timeout", "0.3")
        with server.connect() as peer:
            data = read_all(peer)
            assert data == b"" or parse_response(data)[0] == 408

    def test_an_error_answer_survives_what_the_client_still_sends(self, server):
        """Lingering close: no RST eats the answer while the client is busy sending."""
        for _ in range(5):
            with server.connect() as peer:
                peer.sendall(b"nonsense\r\n\r\n")
                try:
                    for _ in range(50):
                        peer.sendall(b"x" * 10000)
                except ConnectionError:
                    pass
                time.sleep(0.05)
                assert parse_response(read_all(peer))[0] == 400


class TestNeighbours:
    def test_nothing_from_a_client_reaches_a_log_unescaped(self, start_server, tmp_path):
        access = tmp_path / "access.log"
        server = start_server("--sleep", "0", "--access-logfile", access)
        server.exchange(b'GET /"\\ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: a"b\\c\xff\t\r\n\r\n')
        server.exchange(b"GET /\x1b[31m\n HTTP/1.1\r\n\r\n")
        text = wait_lines(access, 2)
        assert 'a\\"b\\\\c\\xff' in text
        assert all(32 <= ord(c) < 127 or c == "\n" for c in text)
        assert "\x1b" not in server.log()

    def test_the_access_log_has_a_line_for_each_request(self, start_server, tmp_path):
        access = tmp_path / "access.log"
        server = start_server("--sleep", "0", "--access-logfile", access)
        _, head, body = server.get("/name?x=1", fields="Referer: http://r/\r\nUser-Agent: agent\r\n")
        server.get("/", method="POST")
        server.get("/?sleep=0.05", fields="User-Agent: sleeper\r\n")
        server.exchange(b"nonsense\r\n\r\n")
        lines = wait_lines(access, 4)
        # aiohttp logs the bytes of the whole answer, gunicorn those of its body.
        size = len(head) + 4 + len(body) if server.name == "async_server" else 16
        assert re.search(rf'^127\.0\.0\.1 .*\[\d\d/\w{{3}}/\d{{4}}:.*\] "GET /name\?x=1 HTTP/1\.1" 200 {size} '
                         r'"http://r/" "agent"$', lines, re.M)
        assert re.search(r'"POST / HTTP/1\.1" 405 ', lines)
        assert re.search(rf'"GET /\?sleep=0.05 HTTP/1\.1" 200 {size} "-" "sleeper"$', lines, re.M)
        assert re.search(r'"- .*" 400 ', lines)

    def test_an_access_log_that_is_full_does_not_stop_the_server(self, start_server):
        server = start_server("--sleep", "0", "--access-logfile", "/dev/full")
        for _ in range(3):
            assert server.get("/")[0] == 200

    def test_ipv6(self, start_server):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
        server = start_server("--sleep", "0", bind="[::1]:0")
        server.host = "::1"
        assert server.get("/")[0] == 200

    def test_a_unix_socket_and_its_file(self, start_server, tmp_path):
        path = tmp_path / "socket"
        server = start_server("--sleep", "0", bind=f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(str(path))
            peer.sendall(GET_CLOSE)
            assert parse_response(read_all(peer))[2] == HELLO
        assert server.stop() == 0
        assert not path.exists()

    def test_term_ends_it_with_status_0(self, start_server):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = start_server("--sleep", "0")
            assert server.get("/")[0] == 200
            server.signal(number)
            assert server.wait() == 0

    def test_a_request_in_flight_survives_term(self, start_server):
        server = start_server("--sleep", "1")
        with server.connect() as peer:
            peer.sendall(GET)
            time.sleep(0.3)
            server.signal(signal.SIGTERM)
            assert parse_response(read_all(peer))[2] == HELLO
        assert server.wait() == 0


@pytest.mark.parametrize("program", ["async_server", "prefork_server"])
class TestCommandLine:
    @pytest.mark.parametrize("arguments", [
        ["--no-such-option"], ["-Z"], ["operand"], ["--sleep"], ["--sleep", "-1"], ["--sleep", "x"], ["--sleep", "1e9"],
        ["--sleep", "nan"], ["--sleep", "10", "--max-sleep", "5"], ["--bind", "nonsense"],
        ["--bind", "127.0.0.1:99999"], ["--bind", "127.0.0.1:0", "--admin", "x:y"], ["--backlog", "0"],
        ["--backlog", "99999"], ["--log-level", "loud"], ["--header-timeout", "0"],
    ], ids=" ".join)
    def test_a_mistake_gets_one_line_and_status_2(self, program, arguments):
        done = subprocess.run([BIN / program, *arguments], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 2, done
        assert done.stdout == ""
        assert re.fullmatch(rf"{program}: [^\n]{{10,}}\n", done.stderr), done.stderr

    def test_a_port_in_use_gets_one_line_and_status_1(self, program):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            done = subprocess.run([BIN / program, "--bind", address], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1, done
        assert re.fullmatch(rf"{program}: [^\n]*{address}[^\n]*in use[^\n]*\n", done.stderr), done.stderr

    @pytest.mark.parametrize("option", ["--access-logfile", "--error-logfile"])
    def test_a_log_that_cannot_be_opened_gets_one_line_and_status_1(self, program, option):
        done = subprocess.run([BIN / program, "--bind", "127.0.0.1:0", option, "/nonexistent/log"],
                              capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1, done
        assert re.fullmatch(rf"{program}: [^\n]*/nonexistent/log[^\n]*\n", done.stderr), done.stderr

    def test_help_and_version(self, program):
        usage = subprocess.run([BIN / program, "--help"], capture_output=True, text=True, timeout=PATIENCE)
        assert usage.returncode == 0 and usage.stderr == ""
        for option in ["--bind", "--sleep", "--max-sleep", "--admin", "--backlog"]:
            assert option in usage.stdout
        version = subprocess.run([BIN / program, "--version"], capture_output=True, text=True, timeout=PATIENCE)
        assert version.returncode == 0 and re.fullmatch(rf"{program} \d+\.\d+\.\d+\n", version.stdout)


class TestClients:
    @pytest.mark.skipif(not shutil.which("ab"), reason="no ab (Debian package apache2-utils)")
    @pytest.mark.parametrize("flags", [[], ["-k"]], ids=["close", "keep-alive"])
    def test_ab(self, start_server, flags):
        server = start_server("--sleep", "0.01")
        done = subprocess.run(["ab", "-q", *flags, "-n", "100", "-c", "10", server.url],
                              capture_output=True, text=True, timeout=60)
        assert re.search(r"Complete requests: +100\n", done.stdout), done.stdout + done.stderr
        assert re.search(r"Failed requests: +0\n", done.stdout), done.stdout
        assert "Non-2xx" not in done.stdout

    @pytest.mark.skipif(not shutil.which("wrk"), reason="no wrk")
    def test_wrk(self, start_server):
        server = start_server("--sleep", "0")
        done = subprocess.run(["wrk", "-d", "1", "-t", "1", "-c", "8", server.url],
                              capture_output=True, text=True, timeout=60)
        assert int(re.search(r"(\d+) requests in", done.stdout).group(1)) > 0, done.stdout
        assert "Non-2xx" not in done.stdout
        if server.keeps_alive:
            assert "Socket errors" not in done.stdout, done.stdout

    @pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
    def test_curl(self, start_server):
        server = start_server("--sleep", "0")
        for more in [[], ["--http1.0"], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"]]:
            done = subprocess.run(["curl", "-sS", *more, "--data-binary", "@-", server.url + "echo"],
                                  input=b"x" * 2_000_000, capture_output=True, timeout=60)
            assert done.stdout == b"x" * 2_000_000, (more, done.stderr)


def read_exactly(peer, count):
    data = b""
    while len(data) < count:
        part = peer.recv(count - len(data))
        assert part, f"closed after {data!r}"
        data += part
    return data


def dechunk(body):
    joined = []
    at = 0
    while True:
        end = body.index(b"\r\n", at)
        size = int(body[at:end].split(b";")[0], 16)
        if size == 0:
            assert body[end:] == b"\r\n\r\n"
            return b"".join(joined)
        joined.append(body[end + 2:end + 2 + size])
        assert body[end + 2 + size:end + 4 + size] == b"\r\n"
        at = end + 4 + size


def wait_lines(path, count):
    return wait_until(lambda: path.exists() and path.read_text().count("\n") >= count and path.read_text(), "its lines")


def can_read(peer):
    return bool(select.select([peer], [], [], 0)[0])


def peak_rss(server):
    """The largest resident set of the server's processes, in bytes. Sanitizers keep freed memory: they are let off."""
    peaks = []
    for pid in [server.pid, *(server.worker_pids() if isinstance(server, PreforkServer) else [])]:
        status = open(f"/proc/{pid}/status").read()
        maps = open(f"/proc/{pid}/maps").read()
        sanitized = re.search("lib[at]san", maps)
        peaks.append(0 if sanitized else int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) * 1024)
    return max(peaks)
