"""loadgen and all that a server may answer: where a response ends, what follows it, and what counts as which failure."""

import itertools
import socket
import time

import pytest

from load import OK, ScriptedServer, answering, failures, one_cell

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"

# Name, answer, bytes of its body, and whether the connection goes on behind it.
ANSWERS = [
    ("length", OK, 5, True),
    ("no body", HEAD + b"Content-Length: 0\r\n\r\n", 0, True),
    ("chunked", CHUNKED, 13, True),
    ("coded and chunked", HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n", 1, True),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", 0, True),
    ("304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 0, True),
    ("interim", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 5, True),
    ("strange interim", b"HTTP/1.1 102 x\r\nConnection: close\r\nContent-Length: 9\r\n\r\n" + OK, 5, True),
    ("upgrade offered", HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx", 1, True),
    ("1.0 keep-alive", b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 2, True),
    ("1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 2, False),
    ("1.0 chunked", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CHUNKED[len(HEAD):], 13, False),
    ("denied", HEAD + b"Connection: close\r\nContent-Length: 2\r\n\r\nok", 2, False),
    ("denied among others", HEAD + b"Connection: x, Close\r\nContent-Length: 2\r\n\r\nok", 2, False),
    ("denied and chunked", HEAD + b"Connection: close\r\n" + CHUNKED[len(HEAD):], 13, False),
    ("switched", b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 0, False),
]
UNTIL_CLOSE = [
    ("1.0", b"HTTP/1.0 200 OK\r\n\r\n"),
    ("1.1", HEAD + b"Connection: keep-alive\r\n\r\n"),
    ("unknown coding", HEAD + b"Transfer-Encoding: gzip\r\n\r\n"),
]
names = [name for name, *_ in ANSWERS]


def at_once(peer):
    """Lets each send be a packet of its own."""
    peer.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def patient(answer):
    """A script that answers, and leaves the closing to the client."""
    def script(peer):
        while peer.request():
            peer.send(answer)

    return script


def trickling(answer):
    """A script that sends each byte in a packet of its own."""
    def script(peer):
        at_once(peer)
        while peer.request():
            for byte in answer:
                peer.send(bytes([byte]))
                time.sleep(0.0002)

    return script


class TestEnds:
    """Where a response ends, and whether another may follow on its connection."""

    @pytest.mark.parametrize("answer,body,keep", [rest for _, *rest in ANSWERS], ids=names)
    @pytest.mark.parametrize("script", [patient, trickling])
    def test_it_ends_where_it_says(self, script, answer, body, keep):
        with ScriptedServer(script(answer)) as server:
            cell = one_cell("-n", 6, "-c", 2, "-k", server.url)
            assert server.connections == (2 if keep else 6)
        assert (cell["complete"], cell["failed"], cell["document_length"]) == (6, 0, body)
        assert cell["keepalive_requests"] == (6 if keep else 0)
        assert (cell["bytes"]["received"], cell["bytes"]["body"]) == (6 * len(answer), 6 * body)

    @pytest.mark.parametrize("head", [head for _, head in UNTIL_CLOSE], ids=[name for name, _ in UNTIL_CLOSE])
    @pytest.mark.parametrize("size", [0, 1, 200000])
    def test_a_body_without_a_length_lasts_until_the_close(self, head, size):
        with ScriptedServer(answering(head + b"x" * size, keep=False)) as server:
            cell = one_cell("-n", 6, "-c", 2, "-k", server.url)
            assert server.connections == 6
        assert (cell["complete"], cell["failed"], cell["document_length"], cell["keepalive_requests"]) == (6, 0, size, 0)

    @pytest.mark.parametrize("answer", [HEAD + b"Content-Length: 99\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
                                        HEAD + b"\r\n"], ids=["length", "chunked", "neither"])
    def test_an_answer_to_head_has_no_body_whatever_it_says(self, answer):
        with ScriptedServer(patient(answer)) as server:
            cell = one_cell("-n", 6, "-c", 2, "-k", "-i", server.url)
            assert server.connections == 2
        assert (cell["complete"], cell["failed"], cell["document_length"], cell["keepalive_requests"]) == (6, 0, 0, 6)

    @pytest.mark.parametrize("field", [b"X-Long: " + b"x" * 1000000, b"\r\n".join(b"X-%d: y" % i for i in range(20000))],
                             ids=["one field", "many fields"])
    def test_a_header_may_be_huge(self, field):
        with ScriptedServer(patient(HEAD + field + b"\r\nContent-Length: 2\r\n\r\nok")) as server:
            cell = one_cell("-n", 6, "-c", 2, "-k", server.url)
            assert server.connections == 2
        assert (cell["complete"], cell["failed"], cell["document_length"]) == (6, 0, 2)

    @pytest.mark.parametrize("options", [["-c", 2], ["-c", 1, "--rate", 100]], ids=["closed loop", "open loop"])
    def test_nothing_is_asked_behind_the_end_of_what_a_server_says(self, options):
        """It ends its side with the answer, without a word, and goes on to read: nothing else will ever tell of that end."""

        def script(peer):
            peer.request()
            peer.send(OK)
            peer.socket.shutdown(socket.SHUT_WR)
            peer.request()

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 30, "-k", "-s", 5, *options, server.url)
        assert (cell["complete"], cell["failed"]) == (30, 0)

    @pytest.mark.parametrize("framing", ["length", "chunked"])
    @pytest.mark.parametrize("depth", [1, 4])
    def test_large_bodies_follow_each_other(self, framing, depth):
        size = 700001
        body = b"x" * size if framing == "length" else b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
        field = b"Content-Length: %d" % size if framing == "length" else b"Transfer-Encoding: chunked"
        with ScriptedServer(patient(HEAD + field + b"\r\n\r\n" + body)) as server:
            cell = one_cell("-n", 24, "-c", 2, "-k", "--pipeline", depth, server.url)
            assert server.connections == 2
        assert (cell["complete"], cell["failed"], cell["bytes"]["body"]) == (24, 0, 24 * size)
        assert cell["keepalive_requests"] == 24


    def test_time_is_up_in_the_midst_of_answers_without_end(self):
        """They come faster than they are read: there is always more to do, and yet the clock must be looked at."""

        def script(peer):
            if peer.request():
                peer.send(HEAD + b"\r\n")
                while True:
                    peer.send(endless)

        endless = bytes(64 << 20)
        with ScriptedServer(script) as server:
            cell = one_cell("-c", 64, "--duration", 0.5, server.url, status=1)
        assert (cell["complete"], cell["unfinished"]) == (0, 64)
        assert cell["duration_s"] < 5  # without the bound on two CPUs: 12 and more


class TestPipeline:
    @staticmethod
    def in_groups(depth, answer):
        """A script that takes DEPTH requests, and then calls ANSWER(peer, number of the group)."""
        def script(peer):
            at_once(peer)
            for group in itertools.count():
                for _ in range(depth):
                    if not peer.request():
                        return
                if answer(peer, group) is False:
                    return

        return script

    def test_answers_may_be_cut_anywhere(self):
        """Three different answers in two packets: every cut once."""
        blob = OK + CHUNKED + b"HTTP/1.1 204 No Content\r\n\r\n"

        def answer(peer, group):
            cut = group % len(blob)
            if cut > 0:
                peer.send(blob[:cut])
                time.sleep(0.001)
            peer.send(blob[cut:])

        with ScriptedServer(self.in_groups(3, answer)) as server:
            cell = one_cell("-n", 3 * len(blob), "-k", "-l", "--pipeline", 3, server.url)
            assert server.connections == 1
        assert (cell["complete"], cell["failed"]) == (3 * len(blob), 0)
        assert cell["bytes"]["body"] == (5 + 13) * len(blob)
        assert cell["bytes"]["received"] == len(blob) ** 2

    @pytest.mark.parametrize("answered", [1, 2, 3])
    @pytest.mark.parametrize("how", ["told", "untold", "reset"])
    def test_what_a_closing_server_left_is_sent_again(self, answered, how):
        last = OK.replace(b"Server: toy/1", b"Connection: close") if how == "told" else OK

        def script(peer):
            for _ in range(answered):
                if not peer.request():
                    return
            peer.send(OK * (answered - 1) + last)
            if how == "reset":
                peer.reset()
                return
            peer.socket.shutdown(socket.SHUT_WR)
            while peer.socket.recv(65536):  # what was sent ahead, and then the client's own end
                pass

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 12, "-k", "--pipeline", 4, server.url)
            assert server.connections == 12 // answered
        assert (cell["complete"], cell["failed"]) == (12, 0)

    def test_a_server_that_closes_unanswered_fails_one_request_at_a_time(self):
        def script(peer):
            peer.request()

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 8, "-k", "-r", "--pipeline", 4, server.url, status=1)
        assert cell["complete"] == cell["failed"] == 8
        assert set(failures(cell)) <= {"truncated", "reset"}  # a close with requests unread is a reset

    def test_more_answers_than_requests_are_malformed(self):
        def answer(peer, _):
            peer.send(OK * 3)
            peer.request()  # until the client closes

        with ScriptedServer(self.in_groups(2, answer)) as server:
            cell = one_cell("-n", 8, "-k", "--pipeline", 2, server.url, status=1)
        assert (cell["complete"], cell["failed"], failures(cell)) == (8, 4, {"malformed": 4})


class TestEarly:
    """Answers that come before the request has left."""

    @pytest.mark.parametrize("chunked", [[], ["--chunked"]], ids=["length", "chunked"])
    def test_a_large_body_that_the_server_refuses(self, chunked, tmp_path):
        body = tmp_path / "body"
        with body.open("wb") as file:
            file.truncate(64 << 20)

        def script(peer):
            peer.socket.recv(1000)
            peer.send(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch")

        with ScriptedServer(script) as server:  # closed with bytes unread: a reset follows the answer
            cell = one_cell("-n", 6, "-c", 2, "-k", "-p", body, *chunked, server.url)
        assert (cell["complete"], cell["failed"], cell["non_2xx"], cell["document_length"]) == (6, 0, 6, 4)
        assert cell["bytes"]["sent"] < 6 * (64 << 20)

    def test_a_connection_with_a_request_half_sent_is_not_used_again(self, tmp_path):
        body = tmp_path / "body"
        with body.open("wb") as file:
            file.truncate(64 << 20)

        def script(peer):
            peer.socket.recv(1000)
            peer.send(OK)  # and takes no more: the client has to close
            peer.socket.settimeout(30)
            while peer.socket.recv(1 << 16):
                time.sleep(0.01)

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 4, "-c", 2, "-k", "-p", body, server.url)
            assert server.connections == 4
        assert (cell["complete"], cell["failed"], cell["keepalive_requests"]) == (4, 0, 0)


class TestFailures:
    """What is no response, and what counts as which failure."""

    @pytest.mark.parametrize("answer,failure", [
        (OK + b"x", "malformed"),
        (OK + OK, "malformed"),
        (OK + b"\r\n", "malformed"),
        (CHUNKED + b"x", "malformed"),
        (HEAD + b"Content-Length: 4\r\n\r\nhello", "malformed"),
        (HEAD + b"Content-Length: 6\r\n\r\nhello", "truncated"),
        (HEAD + b"Content-Length: 99999999\r\n\r\n", "truncated"),
        (HEAD + b"Content-Length: five\r\n\r\nhello", "malformed"),
        (HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "malformed"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\nhello", "malformed"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello", "truncated"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "truncated"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello world\r\n0\r\n\r\n", "malformed"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfive\r\nhello\r\n0\r\n\r\n", "malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "truncated"),
        (b"HTTP/1.1 100 Continue\r\n\r\nhello\r\n", "malformed"),
        (b"HTTP/2 200 OK\r\n\r\n", "malformed"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", "malformed"),
        (b"\x16\x03\x01\x02\x00\x01", "malformed"),
    ])
    @pytest.mark.parametrize("keep", [[], ["-k"]], ids=["close", "keep"])
    def test_each_has_its_class(self, answer, failure, keep):
        with ScriptedServer(answering(answer, keep=False)) as server:
            cell = one_cell("-n", 4, "-c", 2, "-l", *keep, server.url, status=1)
            assert server.connections == 4
        assert (cell["complete"], cell["failed"], failures(cell)) == (4, 4, {failure: 4})

    @pytest.mark.parametrize("threads", [1, 2])
    def test_all_classes_side_by_side(self, threads):
        """Every seventh connection does the same; all of them are counted, each in its class."""
        def script(peer):
            peer.request()
            kind = peer.number % 7
            if kind == 1:
                peer.reset()
            elif kind == 2:
                peer.send(OK[:-1])
            elif kind == 3:
                peer.send(OK + b"x")
            elif kind == 4:
                peer.send(HEAD + b"Content-Length: 1\r\n\r\nx")
            elif kind == 5:
                peer.request()  # waits for the client to give up
            elif kind == 6:
                peer.send(OK.replace(b"200 OK", b"500 No"))
            else:
                peer.send(OK)

        with ScriptedServer(script) as server:
            first = one_cell("-n", 1, server.url)  # the length that the others differ from is that of the first good one
            cell = one_cell("-n", 70, "-c", 4 * threads, "--threads", threads, "-r", "-s", 1, server.url, status=1)
            assert server.connections == 71
        assert first["failed"] == 0
        counts = failures(cell)
        assert counts.pop("status") == 10  # not failed, as in ab
        assert cell["complete"] == 70 and cell["failed"] == sum(counts.values())
        assert (counts["reset"], counts["truncated"], counts["malformed"], counts["timeout"]) == (10, 10, 10, 10)
        assert cell["non_2xx"] == 10
        assert counts["length"] in (10, 20)  # should the short one have been the first, the others are the wrong ones
