"""Requests for async_server and real aiohttp, and what differs between the two answers on purpose.

A difference is {id: {part: (aiohttp's, ours)}}; docs/aiohttp-map.md has the reason for each id.  The parts of an answer
are "1 status", "1 Allow" (a field), "1 order" (of the fields that both have), "1 body", "1 chunks" (their sizes as
written, in hexadecimal) and "1 interim" (a 100 before it), with the number of the answer in front; "then" tells what
became of the connection.  None stands for a part that is not there.
"""

import dataclasses
import gzip

HELLO = "Hello, Anonymous"
HOST = b"Host: lab\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
FIVE = b"Content-Length: 5\r\n"
CONTINUE = b"Expect: 100-continue\r\n"
HELLO_CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
BODY_MAX = 1 << 20
TYPE = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"


@dataclasses.dataclass
class Entry:
    name: str
    pieces: tuple  # bytes; after each but the last the client waits for an answer, and sends on if it is 100
    methods: list  # of the requests: one final answer for each is waited for
    half_close: bool  # the client ends its sending side behind the last piece
    differs: dict  # see above

    def parts(self):
        """All parts that differ, of whatever difference."""
        return {part: pair for parts in self.differs.values() for part, pair in parts.items()}


CORPUS = []


def entry(name, *pieces, methods="GET", half_close=False, differs=None):
    CORPUS.append(Entry(name, pieces, methods.split(), half_close, differs or {}))


def request(method="GET", target="/", fields=b"", body=b"", version="1.1"):
    return f"{method} {target} HTTP/{version}\r\n".encode() + HOST + fields + b"\r\n" + body


def length(count):
    return b"Content-Length: %d\r\n" % count


def post(fields=b"", body=b"", target="/echo"):
    return request("POST", target, fields, body)


# --- differences that several entries have --------------------------------------------------------------------------


def status_line(*statuses):
    """aiohttp repeats the client's version in the status line; ours is always HTTP/1.1."""
    return {"status-line": {f"{number} status": (f"HTTP/1.0 {status}", f"HTTP/1.1 {status}")
                            for number, status in enumerate(statuses or ["200 OK"], 1)}}


def text_of(status, sentence):
    return f"{status.replace(' ', ': ', 1)}: {sentence}"


def changed_text(theirs, ours, number=1):
    return {f"{number} body": (theirs, ours), f"{number} Content-Length": (str(len(theirs)), str(len(ours)))}


def both_refuse(theirs, ours, status="400 Bad Request"):
    """Neither can read it: ours has other words, HTTP/1.1 with Connection: close, and perhaps a better status."""
    refusal = changed_text(theirs, text_of(status, ours))
    refusal["1 Connection"] = (None, "close")
    parts = {"1 status": ("HTTP/1.0 400 Bad Request", f"HTTP/1.1 {status}")}
    if status.startswith("400"):
        return {"refusal": refusal | parts}
    return {"refusal": refusal, "refusal-status": parts}


def ours_refuses(reason, ours, status="400 Bad Request", theirs="HTTP/1.1 200 OK", body=HELLO, stays=True):
    """aiohttp serves it, as STATUS with BODY says; REASON is the id of why we do not."""
    parts = {"1 status": (theirs, f"HTTP/1.1 {status}"), "1 Connection": (None, "close")}
    parts |= changed_text(body, text_of(status, ours))
    if stays:
        parts["then"] = ("open", "closed")
    return {reason: parts}


def ours_refuses_echo(reason, ours, status="400 Bad Request", body="hello", chunks="5 0"):
    parts = ours_refuses(reason, ours, status, body=body)[reason]
    parts["1 Content-Type"] = (OCTETS, TYPE)
    parts["1 Content-Length"] = (None, parts["1 Content-Length"][1])
    parts |= {"1 Transfer-Encoding": ("chunked", None), "1 chunks": (chunks, None)}
    return {reason: parts}


def echo_was_cut(theirs, sent, chunks):
    """aiohttp found the fault before it began to answer; our echo had begun, and ends short of its last chunk."""
    return {"echo-begins-early": {
        "1 status": ("HTTP/1.0 400 Bad Request", "HTTP/1.1 200 OK"), "1 Content-Type": (TYPE, OCTETS),
        "1 Content-Length": (str(len(theirs)), None), "1 Transfer-Encoding": (None, "chunked"),
        "1 body": (theirs, sent), "1 chunks": (None, chunks)}}


THEIR_413 = f"Maximum request body size {BODY_MAX} exceeded, actual body size 1......"  # whatever had come by then
TOO_LARGE = {"too-large": changed_text(THEIR_413, "413: Content Too Large: The body is larger than 1048576 bytes.") | {
    "1 status": ("HTTP/1.1 413 Request Entity Too Large", "HTTP/1.1 413 Content Too Large"),
    "1 Connection": (None, "close"), "then": ("open", "closed")}}


def no_100(closes):
    """aiohttp asks for a body that nobody wants."""
    parts = {"1 interim": ("HTTP/1.1 100 Continue", None)}
    if closes:
        parts |= {"1 Connection": (None, "close"), "then": ("open", "closed")}
    return {"expect-no-100": parts}


def whole_answer(number, status, body, connection=None):
    """Ours alone answered."""
    parts = {"status": f"HTTP/1.1 {status}", "Content-Type": TYPE, "Content-Length": str(len(body)), "body": body,
             "order": ["Content-Type", "Content-Length", "Date", "Server"]}
    if connection is not None:
        parts["Connection"] = connection
        parts["order"].append("Connection")
    return {f"{number} {name}": (None, value) for name, value in parts.items()}


def unknown_expectation(closes):
    parts = changed_text("Unknown Expect: 200-ok", "417: Expectation Failed: Only 100-continue can be expected.")
    if closes:
        parts |= {"1 Connection": (None, "close"), "then": ("open", "closed")}
    return {"expect-unknown": parts}


def too_long(begin):
    """aiohttp repeats the first 100 bytes of what is too long."""
    return f"Got more than 8190 bytes when reading: bytearray(b'{(begin * 100)[:100]}...')."


# --- methods --------------------------------------------------------------------------------------------------------

entry("get", request())
entry("head", request("HEAD"), methods="HEAD")
for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND"]:
    entry(f"method-{method.lower()}", request(method))
entry("method-post-with-a-body", post(FIVE, b"hello", "/"))
entry("method-post-chunked", post(CHUNKED, HELLO_CHUNKS, "/name"))
UNKNOWN_METHOD = both_refuse(
    "Bad status line 'Invalid method encountered'", "The method is not known.", "501 Not Implemented")
entry("method-unknown", request("BREW"), differs=UNKNOWN_METHOD)
entry("method-unknown-on-echo", request("BREW", "/echo"), differs=UNKNOWN_METHOD)
entry("method-in-lower-case", request("get"), differs=UNKNOWN_METHOD)
entry("method-long", request("A" * 100), differs=UNKNOWN_METHOD)
NO_METHOD_SENTENCE = "The request line does not begin with a method and one blank."
NO_METHOD = both_refuse("Bad status line 'Invalid method encountered'", NO_METHOD_SENTENCE)
entry("method-not-a-token", request("G@T"), differs=NO_METHOD)
entry("method-missing", request(""), differs=NO_METHOD)
entry("method-connect", b"CONNECT lab:80 HTTP/1.1\r\n" + HOST + b"\r\n",
      differs=ours_refuses("target-form", "CONNECT is not offered: this is not a proxy.",
                           theirs="HTTP/1.1 404 Not Found", body="404: Not Found"))

# --- targets --------------------------------------------------------------------------------------------------------

for name, target in {
        "name": "/name", "two-segments": "/a/b", "slash-at-the-end": "/name/", "two-slashes": "//",
        "percent": "/%41%20b",
        "percent-slash": "/a%2Fb", "percent-bad": "/%zz", "percent-nul": "/%00", "query": "/?x=1&y=2",
        "empty-query": "/?",
        "query-with-a-slash": "/?a/b", "query-with-a-question-mark": "/?a?b", "dot": "/..", "dots": "/a/../b",
        "semicolon": "/a;b", "quote": '/"a"', "pipe": "/a|b", "absolute": "http://lab/name",
        "absolute-with-a-port": "http://other:81/", "setting": "/?sleep=0.002"}.items():
    entry(f"target-{name}", request(target=target))
entry("target-star-for-options", request("OPTIONS", "*"))
entry("target-braces", request(target="/{name}"), differs={"braces": changed_text("404: Not Found", HELLO) | {
    "1 status": ("HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK")}})
entry("target-absolute-without-a-path", request(target="http://lab"), differs={
    "target-form": changed_text("404: Not Found", HELLO) | {"1 status": ("HTTP/1.1 404 Not Found", "HTTP/1.1 200 OK")}})
entry("target-absolute-https", request(target="https://lab/"),
      differs=ours_refuses("target-form", "The request target is not in origin form."))
entry("target-star-for-get", request(target="*"), differs=ours_refuses(
    "target-form", "The request target is not in origin form.", theirs="HTTP/1.1 404 Not Found", body="404: Not Found"))
BAD_TARGET = "The request target is empty, is not followed by one blank, or holds a byte it must not hold."
entry("target-not-ascii", request(target="/caf\u00e9"), differs=ours_refuses("target-bytes", BAD_TARGET))
entry("target-fragment", request(target="/a#b"), differs=ours_refuses("target-bytes", BAD_TARGET))
entry("target-control-byte", request(target="/a\x01b"), differs=both_refuse("Invalid char in url path", BAD_TARGET))
entry("target-missing", b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
      differs=both_refuse("Unexpected char in url schema", BAD_TARGET))
entry("target-without-a-slash", request(target="name"),
      differs=both_refuse("Invalid characters in url", "The request target is not in origin form."))
entry("target-bad-setting", request(target="/?sleep=x"), differs={"settings": changed_text(
    "500 Internal Server Error\n\nServer got itself in trouble",
    "400: Bad Request: sleep must be a number of seconds from 0 to 60 (--max-sleep)") | {
    "1 status": ("HTTP/1.1 500 Internal Server Error", "HTTP/1.1 400 Bad Request"),
    "1 Connection": ("close", None), "then": ("closed", "open")}})

# --- versions -------------------------------------------------------------------------------------------------------

entry("version-1.0", request(version="1.0"), differs=status_line())
entry("version-1.0-head", request("HEAD", version="1.0"), methods="HEAD", differs=status_line())
entry("version-1.0-without-host", b"GET / HTTP/1.0\r\n\r\n", differs=status_line())
entry("version-1.0-not-found", request(target="/a/b", version="1.0"), differs=status_line("404 Not Found"))
entry("version-1.0-not-allowed", request("POST", version="1.0"), differs=status_line("405 Method Not Allowed"))
ONLY = "Only HTTP/1.0 and HTTP/1.1 are offered."
UNSUPPORTED = "505 HTTP Version Not Supported"
entry("version-0.9", b"GET /\r\n\r\n",
      differs=ours_refuses("version", BAD_TARGET, theirs="HTTP/0.9 200 OK", stays=False))
entry("version-0.9-named", request(version="0.9"),
      differs=ours_refuses("version", ONLY, UNSUPPORTED, theirs="HTTP/0.9 200 OK", stays=False))
entry("version-1.2", request(version="1.2"),
      differs=ours_refuses("version", ONLY, UNSUPPORTED, theirs="HTTP/1.2 200 OK"))
entry("version-2.0", request(version="2.0"),
      differs=ours_refuses("version", ONLY, UNSUPPORTED, theirs="HTTP/2.0 200 OK", stays=False))
entry("version-2.0-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      differs=both_refuse("Pause on PRI/Upgrade", ONLY, UNSUPPORTED))
entry("version-1.10", request(version="1.10"), differs=both_refuse(
    "Bad status line 'Expected CRLF after version'", "The request line does not end behind the HTTP version."))
NO_VERSION = "The request line does not end with an HTTP version."
entry("version-in-lower-case", b"GET / http/1.1\r\n" + HOST + b"\r\n",
      differs=both_refuse("Expected HTTP/", NO_VERSION))
entry("version-of-icecast", b"SOURCE / ICE/1.0\r\n" + HOST + b"\r\n", differs={
    "version": ours_refuses("", NO_VERSION, theirs="HTTP/1.0 405 Method Not Allowed", body="405: Method Not Allowed",
                            stays=False)[""] | {"1 Allow": ("GET,HEAD", None)}})
entry("version-not-a-number", request(version="x.y"),
      differs=both_refuse("Bad status line 'Invalid major version'", NO_VERSION))
entry("version-behind-two-blanks", b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n", differs=ours_refuses("blanks", NO_VERSION))

# --- how long a connection is kept ----------------------------------------------------------------------------------

for value in ["close", "keep-alive", "keep-alive, close", "close, keep-alive", "Close", "foo, close", "foo", ""]:
    field = f"Connection: {value}\r\n".encode()
    name = value.replace(", ", "-and-") or "empty"
    entry(f"connection-1.1-{name}", request(fields=field))
    differs = status_line()
    if "keep-alive" in value and "close" in value:
        differs["close-wins"] = {"1 Connection": ("keep-alive", None), "then": ("open", "closed")}
    entry(f"connection-1.0-{name}", request(fields=field, version="1.0"), differs=differs)
entry("connection-in-two-fields", request(fields=b"Connection: keep-alive\r\nConnection: close\r\n"))
entry("connection-close-not-found", request(target="/a/b", fields=b"Connection: close\r\n"))
entry("connection-close-not-allowed", post(b"Connection: close\r\n", target="/"))
entry("connection-close-head", request("HEAD", fields=b"Connection: close\r\n"), methods="HEAD")

# --- Host -----------------------------------------------------------------------------------------------------------

entry("host-with-a-port", b"GET / HTTP/1.1\r\nHost: lab:8088\r\n\r\n")
entry("host-ipv6", b"GET / HTTP/1.1\r\nHost: [::1]:8088\r\n\r\n")
entry("host-empty", b"GET / HTTP/1.1\r\nHost:\r\n\r\n")
entry("host-missing", b"GET / HTTP/1.1\r\n\r\n", differs=ours_refuses("host", "HTTP/1.1 needs a Host."))
entry("host-not-a-host", b"GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n",
      differs=ours_refuses("host", "Host is not a host and port."))
TWO_HOSTS = both_refuse("Duplicate 'Host' header found.", "There is more than one Host.")
entry("host-twice", request(fields=HOST), differs=TWO_HOSTS)
entry("host-of-two-names", request(fields=b"Host: other\r\n"), differs=TWO_HOSTS)

# --- bodies with a length -------------------------------------------------------------------------------------------

entry("body-of-get", request(fields=FIVE, body=b"hello"))
entry("body-of-get-chunked", request(fields=CHUNKED, body=HELLO_CHUNKS))
entry("body-of-head", request("HEAD", fields=FIVE, body=b"hello"), methods="HEAD")
entry("body-not-found", post(FIVE, b"hello", "/a/b"))
entry("body-then-a-request", request(fields=FIVE, body=b"hello") + request(target="/a/b"), methods="GET GET")
entry("body-of-length-0", request(fields=length(0)))
entry("body-below-the-limit", request(fields=length(BODY_MAX - 1), body=b"x" * (BODY_MAX - 1)))
entry("body-at-the-limit", request(fields=length(BODY_MAX), body=b"x" * BODY_MAX),
      differs={"body-limit": changed_text(THEIR_413, HELLO) | {
          "1 status": ("HTTP/1.1 413 Request Entity Too Large", "HTTP/1.1 200 OK")}})
entry("body-too-large", request(fields=length(BODY_MAX + 1), body=b"x" * (BODY_MAX + 1)), differs=TOO_LARGE)
entry("body-too-large-not-found", post(length(BODY_MAX + 1), b"x" * (BODY_MAX + 1), "/a/b"),
      differs={"unread-body": {"1 Connection": (None, "close"), "then": ("open", "closed")}})
entry("body-too-large-not-allowed", post(length(BODY_MAX + 1), b"x" * (BODY_MAX + 1), "/"),
      differs={"unread-body": {"1 Connection": (None, "close"), "then": ("open", "closed")}})
entry("length-with-zeros", post(b"Content-Length: 0005\r\n", b"hello"))
for name, value in {"plus": "+5", "minus": "-5", "hexadecimal": "0x5", "text": "five", "list": "5, 5", "blank": "5 5",
                    "fraction": "5.0"}.items():
    entry(f"length-{name}", post(f"Content-Length: {value}\r\n".encode(), b"hello"), differs=both_refuse(
        "Invalid character in Content-Length", "Content-Length is not a plain decimal number."))
entry("length-empty", post(b"Content-Length:\r\n", b"hello"),
      differs=both_refuse("Empty Content-Length", "Content-Length is empty."))
entry("length-huge", post(b"Content-Length: 99999999999999999999\r\n", b"hello"),
      differs=both_refuse("Content-Length overflow", "Content-Length is too large."))
TWO_LENGTHS = both_refuse("Duplicate Content-Length", "There is more than one Content-Length.")
entry("length-twice", post(FIVE + length(6), b"hello!"), differs=TWO_LENGTHS)
entry("length-twice-the-same", post(FIVE * 2, b"hello"), differs=TWO_LENGTHS)
LENGTH_AND_CHUNKED = both_refuse("Content-Length can't be present with Transfer-Encoding",
                                 "Content-Length stands beside Transfer-Encoding.")
entry("length-and-chunked", post(FIVE + CHUNKED, HELLO_CHUNKS), differs=LENGTH_AND_CHUNKED)
entry("chunked-and-length", post(CHUNKED + FIVE, HELLO_CHUNKS), differs=LENGTH_AND_CHUNKED)

# --- chunked bodies -------------------------------------------------------------------------------------------------

entry("chunked", post(CHUNKED, HELLO_CHUNKS))
entry("chunked-two", post(CHUNKED, b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"))
entry("chunked-empty", post(CHUNKED, b"0\r\n\r\n"))
entry("chunked-in-upper-case", post(b"TRANSFER-ENCODING: CHUNKED\r\n", b"A\r\n0123456789\r\n0\r\n\r\n"))
entry("chunked-with-zeros", post(CHUNKED, b"0005\r\nhello\r\n000\r\n\r\n"))
entry("chunked-trailer", post(CHUNKED, b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"))
entry("chunked-extension", post(CHUNKED, b'5;a="b"\r\nhello\r\n0;c\r\n\r\n'))
entry("chunked-too-large", request(fields=CHUNKED, body=(b"10000\r\n" + b"x" * 65536 + b"\r\n") * 17 + b"0\r\n\r\n"),
      differs=TOO_LARGE)
entry("chunked-large-echo", post(CHUNKED, (b"8000\r\n" + bytes(range(256)) * 128 + b"\r\n") * 40 + b"0\r\n\r\n"))
entry("chunked-trailer-of-framing", request(fields=CHUNKED, body=b"5\r\nhello\r\n0\r\nContent-Length: 7\r\n\r\n"),
      differs=ours_refuses("trailer", "A trailer holds a field of the header's framing."))
entry("chunked-trailer-bad", request(fields=CHUNKED, body=b"5\r\nhello\r\n0\r\nno colon\r\n\r\n"), differs=both_refuse(
    "Invalid header token", "A name of a trailer field holds a byte it must not hold."))
entry("chunked-extension-with-lf", post(CHUNKED, b"5;a\nb\r\nhello\r\n0\r\n\r\n"), differs=both_refuse(
    "Invalid character in chunk parameters", "A chunk extension holds a control byte."))
entry("chunked-1.0", request("POST", "/echo", CHUNKED, HELLO_CHUNKS, "1.0"), differs={"coding": ours_refuses(
    "", "HTTP/1.0 has no Transfer-Encoding.", theirs="HTTP/1.0 200 OK", body="hello", stays=False)[""] | {
    "1 Content-Type": (OCTETS, TYPE), "1 Content-Length": (None, "52")}})
for name, (size, sentence) in {
        "text": ("x", "A chunk does not begin with its size."),
        "negative": ("-5", "A chunk does not begin with its size."),
        "hexadecimal": ("0x5", "A chunk size is not a hexadecimal number."),
        "empty": ("", "A chunk does not begin with its size.")}.items():
    entry(f"chunk-size-{name}", post(CHUNKED, size.encode() + b"\r\nhello\r\n0\r\n\r\n"),
          differs=both_refuse("Invalid character in chunk size", sentence))
entry("chunk-size-huge", post(CHUNKED, b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
      differs=both_refuse("Chunk size overflow", "A chunk size is too large."))
entry("chunk-size-before-lf", post(CHUNKED, b"5\nhello\r\n0\r\n\r\n"),
      differs=both_refuse("Invalid character in chunk size", "A chunk size is not a hexadecimal number."))
entry("chunk-size-before-a-blank", post(CHUNKED, b"5 \r\nhello\r\n0\r\n\r\n"),
      differs=ours_refuses_echo("blanks", "A chunk size is not a hexadecimal number."))
entry("chunk-shorter-than-told", post(CHUNKED, b"6\r\nhello\r\n0\r\n\r\n"),
      differs=echo_was_cut("Invalid character in chunk size", "hello\r", "6"))
entry("chunk-longer-than-told", post(CHUNKED, b"4\r\nhello\r\n0\r\n\r\n"),
      differs=echo_was_cut("Invalid character in chunk size", "hell", "4"))

# --- codings --------------------------------------------------------------------------------------------------------

NOT_CHUNKED_LAST = "Transfer-Encoding does not end with chunked."
for coding in ["gzip", "identity", "chunked, gzip", "xchunked", '"chunked"']:
    name = coding.replace(", ", "-and-").replace('"', "quote-", 1).replace('"', "")
    entry(f"coding-{name}", post(b"Transfer-Encoding: " + coding.encode() + b"\r\n", HELLO_CHUNKS),
          differs=both_refuse("Request has invalid `Transfer-Encoding`", NOT_CHUNKED_LAST))
entry("coding-gzip-and-chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", HELLO_CHUNKS), differs=ours_refuses_echo(
    "coding", "No transfer coding but chunked is offered.", "501 Not Implemented"))
entry("coding-chunked-and-chunked", post(b"Transfer-Encoding: chunked, chunked\r\n", HELLO_CHUNKS),
      differs=ours_refuses_echo("coding", NOT_CHUNKED_LAST))
entry("coding-in-two-fields", post(CHUNKED * 2, HELLO_CHUNKS), differs=both_refuse(
    "Duplicate 'Transfer-Encoding' header found.", "There is more than one Transfer-Encoding."))
PACKED = gzip.compress(b"hello", mtime=0)
entry("content-encoding",
      post(b"Content-Encoding: gzip\r\n" + CHUNKED, b"%x\r\n%s\r\n0\r\n\r\n" % (len(PACKED), PACKED)),
      differs={"content-encoding": {"1 body": ("hello", PACKED.decode("latin-1")),
                                    "1 chunks": ("5 0", f"{len(PACKED):x} 0")}})

# --- Expect ---------------------------------------------------------------------------------------------------------

entry("expect", post(CONTINUE + FIVE), b"hello")
entry("expect-of-hello", request(fields=CONTINUE + FIVE), b"hello")
entry("expect-in-other-case", post(b"EXPECT: 100-Continue\r\n" + FIVE), b"hello")
entry("expect-chunked", post(CONTINUE + CHUNKED), HELLO_CHUNKS)
entry("expect-with-the-body-at-once", post(CONTINUE + FIVE, b"hello"))
entry("expect-empty", request(fields=b"Expect:\r\n"))
entry("expect-1.0", request("POST", "/echo", CONTINUE + FIVE, b"hello", "1.0"), differs=status_line())
entry("expect-without-a-body", request(fields=CONTINUE), differs=no_100(closes=False))
entry("expect-not-found", post(CONTINUE + FIVE, target="/a/b"), b"hello", differs=no_100(closes=True))
entry("expect-not-found-without-a-body", request(target="/a/b", fields=CONTINUE), differs=no_100(closes=False))
entry("expect-not-allowed", post(CONTINUE + FIVE, target="/"), b"hello", differs=no_100(closes=True))
entry("expect-too-large", request(fields=CONTINUE + length(BODY_MAX + 1)), b"x" * (BODY_MAX + 1), differs=TOO_LARGE | {
    "expect-no-100": {"1 interim": ("HTTP/1.1 100 Continue", None)}})
OTHER = b"Expect: 200-ok\r\n"
entry("expect-other", request(fields=OTHER), differs=unknown_expectation(closes=False))
entry("expect-other-not-found", request(target="/a/b", fields=OTHER), differs=unknown_expectation(closes=False))
entry("expect-other-with-a-body", post(OTHER + FIVE, b"hello"), differs=unknown_expectation(closes=True))
entry("expect-other-1.0", request(fields=OTHER, version="1.0"), differs=status_line())

# --- pipelining -----------------------------------------------------------------------------------------------------

entry("pipelined-2", request() * 2, methods="GET GET")
entry("pipelined-3", request() + request(target="/a/b") + request("HEAD"), methods="GET GET HEAD")
entry("pipelined-10", b"".join(request(target=f"/{number}") for number in range(10)), methods="GET " * 10)
entry("pipelined-echo", post(length(3), b"one") + post(CHUNKED, b"3\r\ntwo\r\n0\r\n\r\n") + request(),
      methods="POST POST GET")
entry("pipelined-not-allowed", post(FIVE, b"hello", "/") + request(), methods="POST GET")
entry("pipelined-behind-a-close", request() + request(fields=b"Connection: close\r\n") + request(),
      methods="GET GET GET")
entry("pipelined-1.0", request(fields=b"Connection: keep-alive\r\n", version="1.0") * 2, methods="GET GET",
      differs=status_line("200 OK", "200 OK"))
entry("pipelined-around-garbage", request() + b"garbage\r\n\r\n" + request(), methods="GET GET GET",
      differs={"earlier-answers": {
          "1 status": ("HTTP/1.0 400 Bad Request", "HTTP/1.1 200 OK"),
          **changed_text("Bad status line 'Invalid method encountered'", HELLO),
          **whole_answer(2, "400 Bad Request", text_of("400 Bad Request", NO_METHOD_SENTENCE), "close")}})
entry("empty-lines", b"\r\n\r\n" + request())
entry("empty-line-between", request() + b"\r\n" + request(), methods="GET GET")
entry("empty-lines-too-many", b"\r\n" * 3 + request(),
      differs=ours_refuses("empty-lines", "There are too many empty lines before the request line."))
entry("empty-line-of-lf", b"\n" + request(),
      differs=ours_refuses("bare-lf", NO_METHOD_SENTENCE))

# --- header fields --------------------------------------------------------------------------------------------------

entry("field-empty", request(fields=b"X-A:\r\n"))
entry("field-between-blanks", request(fields=b"X-A: \t b \t \r\n"))
entry("field-in-other-case", b"GET / HTTP/1.1\r\nhOST: lab\r\n\r\n")
entry("field-not-ascii", request(fields=b"X-A: caf\xe9\r\n"))
entry("field-long", request(fields=b"X-A: " + b"b" * 8000 + b"\r\n"))
entry("fields-128", request(fields=b"".join(b"X-%d: 1\r\n" % number for number in range(127))))
entry("request-line-long", request(target="/" + "a" * 8000))
BLANK_LINE = "A header line begins with a blank."
entry("field-folded", request(fields=b"X-A: b\r\n c\r\n"), differs=ours_refuses("blanks", BLANK_LINE))
entry("field-behind-a-blank", b"GET / HTTP/1.1\r\n Host: lab\r\n\r\n", differs=ours_refuses("blanks", BLANK_LINE))
BLANK_NAME = "A blank stands before the colon of a field."
entry("field-name-before-a-blank", request(fields=b"X-A : b\r\n"), differs=ours_refuses("blanks", BLANK_NAME))
entry("field-name-before-a-tab", request(fields=b"X-A\t: b\r\n"),
      differs=both_refuse("Invalid header token", BLANK_NAME))
BAD_NAME = "A field name is empty, has no colon, or holds a byte it must not hold."
entry("field-without-a-name", request(fields=b": b\r\n"), differs=ours_refuses("field-name", BAD_NAME))
for name, field in {"without-a-colon": b"X-A", "name-with-a-control-byte": b"X\1A: b", "name-in-brackets": b"(A): b",
                    "name-not-ascii": b"X-\xe9: b"}.items():
    entry(f"field-{name}", request(fields=field + b"\r\n"), differs=both_refuse("Invalid header token", BAD_NAME))
for name, byte in {"nul": b"\0", "control-byte": b"\1", "delete": b"\x7f"}.items():
    entry(f"field-with-{name}", request(fields=b"X-A: b" + byte + b"c\r\n"),
          differs=both_refuse("Invalid header value char", "A field value holds a control byte."))
entry("field-with-bare-cr", request(fields=b"X-A: b\rc\r\n"),
      differs=both_refuse("Missing expected LF after header value", "The header section holds a bare CR."))
BARE_LF = "The header section holds a bare LF."
entry("field-with-bare-lf", request(fields=b"X-A: b\nX-B: c\r\n"), differs=ours_refuses("bare-lf", BARE_LF))
entry("lines-of-bare-lf", b"GET / HTTP/1.1\nHost: lab\n\n", differs=ours_refuses("bare-lf", BARE_LF))
entry("field-too-long", request(fields=b"X-A: " + b"b" * 9000 + b"\r\n"), differs=both_refuse(
    too_long("b"), "A header field is too long.", "431 Request Header Fields Too Large"))
entry("field-of-8190-behind-its-name", request(fields=b"X-A: " + b"b" * 8190 + b"\r\n"), differs=ours_refuses(
    "line-limits", "A header field is too long.", "431 Request Header Fields Too Large"))
entry("fields-129", request(fields=b"".join(b"X-%d: 1\r\n" % number for number in range(128))), differs=both_refuse(
    "Too many headers received", "There are too many header fields.", "431 Request Header Fields Too Large"))
entry("request-line-with-a-target-of-8190", request(target="/" + "a" * 8189),
      differs=ours_refuses("line-limits", "The request line is too long.", "414 URI Too Long"))
entry("request-line-too-long", request(target="/" + "a" * 9000),
      differs=both_refuse(too_long("/" + "a" * 99), "The request line is too long.", "414 URI Too Long"))
entry("header-too-large", request(fields=b"".join(b"X-%d: " % number + b"b" * 4000 + b"\r\n" for number in range(20))),
      differs=ours_refuses("header-size", "The header section is too long.", "431 Request Header Fields Too Large"))
entry("content-type-twice", post(b"Content-Type: a/b\r\n" * 2 + FIVE, b"hello"), differs=both_refuse(
    "Duplicate 'Content-Type' header found.", "A field that may come once came twice."))
entry("upgrade-not-offered", request(fields=b"Connection: Upgrade\r\nUpgrade: websocket\r\n"))
entry("upgrade-to-h2c-and-a-request", request(fields=b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n") + request(target="/a/b"), methods="GET GET")
entry("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32), differs=NO_METHOD)
entry("garbage", b"\0\1\2\3\r\n\r\n", differs=NO_METHOD)

# --- /echo ----------------------------------------------------------------------------------------------------------

entry("echo-get", request(target="/echo"))
for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]:
    entry(f"echo-{method.lower()}", request(method, "/echo", FIVE, b"hello"))
entry("echo-query", post(FIVE, b"hello", "/echo?x=y"))
entry("echo-slash", post(FIVE, b"hello", "/echo/"))
entry("echo-length-0", post(length(0)))
entry("echo-large", post(length(2_000_000), bytes(range(250)) * 8000))
entry("echo-type", post(b"Content-Type: application/json\r\n" + length(2), b"{}"))
entry("echo-type-with-a-charset", post(b"Content-Type: text/html; charset=UTF-8\r\n" + length(2), b"hi"))
entry("echo-type-that-is-none", post(b"Content-Type: not a type\r\n" + length(2), b"hi"))
entry("echo-close", post(FIVE + b"Connection: close\r\n", b"hello"))
entry("echo-1.0", request("POST", "/echo", FIVE, b"hello", "1.0"), differs=status_line())
entry("echo-1.0-kept", request("POST", "/echo", FIVE + b"Connection: keep-alive\r\n", b"hello", "1.0"),
      differs=status_line())
entry("echo-head", request("HEAD", "/echo"), methods="HEAD")
entry("echo-head-with-a-body", request("HEAD", "/echo", FIVE, b"hello"), methods="HEAD")
entry("echo-head-chunked", request("HEAD", "/echo", CHUNKED, HELLO_CHUNKS), methods="HEAD",
      differs={"head-chunked": {"then": ("a further answer that begins with '0'", "open")}})
entry("echo-type-empty", post(b"Content-Type:\r\n" + length(2), b"hi"),
      differs={"echo-type": {"1 Content-Type": ("", OCTETS)}})
entry("echo-type-not-ascii", post(b"Content-Type: a/\xff\r\n" + length(2), b"hi"),
      differs={"echo-type": {"1 Content-Type": ("a/", OCTETS)}})

# --- WebSockets: the handshake, a message and the end ---------------------------------------------------------------


def handshake(method="GET", **fields):
    fields = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
              "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", **fields}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value is not None]
    return request(method, "/ws", "".join(lines).encode())


def other_order(*more):
    """Of the fields of a 101."""
    upgrade = ["Upgrade", "Connection", "Sec-WebSocket-Accept", *more]
    return {"websocket-order": {"1 order": (upgrade + ["Content-Type", "Date", "Server"],
                                            ["Content-Type"] + upgrade + ["Date", "Server"])}}


entry("websocket", handshake(), differs=other_order())
entry("websocket-compressed", handshake(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"),
      differs=other_order("Sec-WebSocket-Extensions"))
entry("websocket-with-a-protocol", handshake(Sec_WebSocket_Protocol="chat"), differs=other_order())
entry("websocket-version-8", handshake(Sec_WebSocket_Version="8"), differs=other_order())
entry("websocket-version-9", handshake(Sec_WebSocket_Version="9"),
      differs={"websocket-version": {"1 Sec-WebSocket-Version": (None, "13, 8, 7")}})
entry("websocket-without-upgrade", handshake(Upgrade=None, Connection=None))
entry("websocket-upgrade-to-other", handshake(Upgrade="h2c"))
entry("websocket-without-connection", handshake(Connection="keep-alive"))
entry("websocket-without-key", handshake(Sec_WebSocket_Key=None))
entry("websocket-short-key", handshake(Sec_WebSocket_Key="abc"))
entry("websocket-post", handshake("POST"))
entry("websocket-head", handshake("HEAD", Upgrade=None), methods="HEAD")

# --- clients that end their side ------------------------------------------------------------------------------------

entry("half-close-of-nothing", b"", half_close=True)
entry("half-close-in-the-head", b"GET / HT", half_close=True)
entry("half-close-in-a-body", request(fields=length(9), body=b"hello"), half_close=True)
entry("half-close-behind-a-request", request(target="/?sleep=1"), half_close=True,
      differs={"half-close": whole_answer(1, "200 OK", HELLO)})
