"""Our answers beside real aiohttp's, byte for byte apart from the values of Date and Server.

The requests are those of aiohttp_corpus.py.
Where they differ on purpose, the corpus says in what, and docs/aiohttp-map.md says why; a difference that changes or
disappears fails as one that comes up does.
"""

import pathlib
import re
import subprocess
import sys

import pytest

from aiohttp_corpus import CORPUS
from corpus_client import ask, compare
from servers import BIN, ROOT, AsyncServer, Server

aiohttp = pytest.importorskip("aiohttp")
if not aiohttp.__version__.startswith("3.8."):
    pytest.skip(f"the corpus knows the differences to aiohttp 3.8 of Debian 12; this is {aiohttp.__version__}",
                allow_module_level=True)

DOCUMENT = ROOT / "docs/aiohttp-map.md"


class RealAiohttp(Server):
    name = "aiohttp"
    command = [sys.executable, "-B", "-u", str(pathlib.Path(__file__).with_name("aiohttp_app.py"))]
    listening = AsyncServer.listening


@pytest.fixture(scope="module")
def servers():
    """Real aiohttp and ours."""
    with RealAiohttp() as theirs, AsyncServer("--sleep", "0.001") as ours:
        yield theirs, ours


@pytest.mark.parametrize("entry", CORPUS, ids=lambda entry: entry.name)
def test_the_answer_is_aiohttps_but_for_what_is_told(servers, entry):
    theirs, ours = (ask(server, entry) for server in servers)
    found, told = compare(theirs, ours), entry.parts()
    assert found == told, "".join(f"\n{part}: (aiohttp's, ours) are {found.get(part)}, and not {told.get(part)}"
                                  for part in {**found, **told} if found.get(part) != told.get(part))


def test_no_request_and_no_part_is_told_of_twice():
    assert len({entry.name for entry in CORPUS}) == len(CORPUS) >= 60
    for entry in CORPUS:
        assert len(entry.parts()) == sum(map(len, entry.differs.values())), entry.name


def test_the_document_names_only_options_that_there_are():
    help_text = subprocess.run([BIN / "async_server", "--help"], capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"(?<![-\w])--[a-z][-a-z]+", DOCUMENT.read_text()))
    assert len(named) > 20 and named <= set(re.findall(r"--[a-z][-a-z]+", help_text))


def test_every_difference_has_its_reason_in_the_document():
    document = DOCUMENT.read_text()
    section = document[document.index("\n## Differences"):]
    section = section[:section.index("\n## ", 1)]
    explained = re.findall(r"(?m)^\| `([a-z0-9.-]+)` \|", section)
    assert sorted(explained) == sorted({reason for entry in CORPUS for reason in entry.differs})
