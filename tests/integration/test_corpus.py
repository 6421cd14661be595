"""One corpus, both servers: prefork_server answers the requests of aiohttp_corpus.py as async_server does.

async_server's answers are compared with aiohttp's elsewhere (test_aiohttp_corpus.py); here they are the measure. The
differences below are all there are: one that changes, disappears or comes up fails.
"""

import dataclasses

import pytest

from aiohttp_corpus import CORPUS
from corpus_client import ask, compare
from servers import AsyncServer, GthreadServer, PreforkServer

# {entry: {part: (async_server's, prefork_server's)}}, by reason.
DIFFERENCES = {
    # aiohttp asks for a body that is there already; gunicorn does not, and a server may leave it (RFC 9110, 10.1.1).
    "no 100 for a body that is there": {
        "expect-with-the-body-at-once": {"1 interim": ("HTTP/1.1 100 Continue", None)},
    },
    # aiohttp limits the header section as a whole, gunicorn the number of its fields and the size of each.
    "header section": {
        "header-too-large": {
            "1 status": ("HTTP/1.1 431 Request Header Fields Too Large", "HTTP/1.1 200 OK"),
            "1 body": ("431: Request Header Fields Too Large: The header section is too long.", "Hello, Anonymous"),
            "1 Content-Length": ("69", "16"),
            "1 Connection": ("close", None),
            "then": ("closed", "open"),
        },
    },
}
# The limits that both have are set alike: gunicorn's own are lower.
LIMITS = ["--limit-request-line", 8190, "--limit-request-fields", 128, "--limit-request-field_size", 8190]


@pytest.fixture(scope="module", params=[PreforkServer, GthreadServer], ids=["sync", "gthread"])
def servers(request):
    """async_server and prefork_server."""
    with AsyncServer("--sleep", "0.001") as measure, \
            request.param("--sleep", "0.001", "--workers", 2, *LIMITS) as server:
        yield measure, server


def for_http(entry):
    """ENTRY as both servers understand it: to prefork_server /ws is a name like any other."""
    return dataclasses.replace(entry, pieces=tuple(piece.replace(b" /ws ", b" /name ") for piece in entry.pieces))


def without_order(parts):
    """Fields may come in any order; async_server keeps aiohttp's."""
    return {part: value for part, value in parts.items() if not part.endswith(" order")}


def one_a_connection(parts):
    """What is left of PARTS at a server that answers one request and closes, as gunicorn's sync worker does."""
    first = {part: value for part, value in parts.items() if part.startswith("1 ")}
    if first:
        first["1 Connection"] = "close"
    return first | {"then": "closed"}


def with_connection(parts, entry):
    """PARTS with a Connection in each answer, as gunicorn has it; aiohttp leaves out what goes without saying in the client's version."""
    default = "close" if b" HTTP/1.0\r\n" in entry.pieces[0] else "keep-alive"
    return {part.replace("status", "Connection"): default for part in parts if part.endswith(" status")} | parts


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.name)
def test_both_answer_alike(servers, entry):
    measure, server = servers
    expected = without_order(ask(measure, for_http(entry)))
    for entries in DIFFERENCES.values():
        for part, (theirs, ours) in entries.get(entry.name, {}).items():
            assert expected.pop(part, None) == theirs
            if ours is not None:
                expected[part] = ours
    expected = with_connection(expected, entry) if server.keeps_alive else one_a_connection(expected)
    found = without_order(ask(server, for_http(entry)))
    assert found == expected, "".join(f"\n{part}: (async_server's, prefork_server's) are {pair}"
                                      for part, pair in compare(expected, found).items())


def test_every_difference_is_about_an_entry():
    assert {name for entries in DIFFERENCES.values() for name in entries} <= {entry.name for entry in CORPUS}
