"""prefork_server beside the real gunicorn: the same signals, crashes, timeouts and clients, the same log and the same outcome.

The scripts are those of gunicorn_script.py.  Where the two differ on purpose, it says in what, and docs/gunicorn-map.md says
why; a difference that changes or disappears fails as one that comes up does.
"""

import collections
import concurrent.futures
import importlib
import inspect
import os
import re
import subprocess

import pytest

from gunicorn_script import SCENARIOS
from gunicorn_site import GUNICORN, Ours, Theirs
from servers import BIN, ROOT

gunicorn = pytest.importorskip("gunicorn")
if GUNICORN is None or not gunicorn.__version__.startswith("20.1."):
    pytest.skip(f"the script knows the differences to gunicorn 20.1 of Debian 12; this is {gunicorn.__version__}",
                allow_module_level=True)

DOCUMENT = ROOT / "docs/gunicorn-map.md"
AT_ONCE = 5  # scenarios; most of their time is waiting


def may_play(scenario):
    return os.geteuid() == 0 or not scenario.root


def play(scenario, kind, folder):
    """Puts one server through a scenario. Returns its parts."""
    folder.mkdir()
    site = kind(folder)
    try:
        scenario.play(site)
        parts = site.parts()
        if kind is Theirs:
            parts |= {part: [line for line in lines if line not in scenario.chance]
                      for part, lines in parts.items() if part.startswith("arbiter ")}
        return parts
    finally:
        site.close()


@pytest.fixture(scope="module")
def performances(request, tmp_path_factory):
    """{(scenario's name, kind): its parts, to come}: several run at a time, the tests look at them in turn."""
    chosen = {item.callspec.params["scenario"].name for item in request.session.items
              if "scenario" in getattr(getattr(item, "callspec", None), "params", {})}
    root = tmp_path_factory.mktemp("gunicorn")
    with concurrent.futures.ThreadPoolExecutor(2 * AT_ONCE) as pool:
        yield {(scenario.name, kind): pool.submit(play, scenario, kind, root / f"{scenario.name}-{kind.__name__}")
               for scenario in SCENARIOS if scenario.name in chosen and may_play(scenario) for kind in (Theirs, Ours)}


def missing(some, others):
    """The items of SOME that OTHERS does not have, as often as they are missing."""
    return sorted((collections.Counter(some) - collections.Counter(others)).elements())


def compare_lists(theirs, ours):
    """What each has that the other does not; where the rest is not in the same order, all of both."""
    pair = missing(theirs, ours), missing(ours, theirs)
    rests = [list(lines) for lines in (theirs, ours)]
    for rest, more in zip(rests, pair):
        for item in more:
            rest.remove(item)
    return pair if rests[0] == rests[1] else (theirs, ours)


def compare(theirs, ours):
    """{part: (theirs, ours)} for each part that is not the same."""
    differences = {}
    for part in {**theirs, **ours}:
        pair = theirs.get(part), ours.get(part)
        if any(isinstance(value, list) for value in pair):
            pair = compare_lists(*(value or [] for value in pair))
        if pair[0] != pair[1]:
            differences[part] = pair
    return differences


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_all_is_as_with_gunicorn_but_for_what_is_told(performances, scenario):
    if not may_play(scenario):
        pytest.skip("for root alone")
    theirs, ours = (performances[scenario.name, kind].result() for kind in (Theirs, Ours))
    found, told = compare(theirs, ours), scenario.parts()
    assert found == told, "".join(f"\n{part}: (gunicorn's, ours) are {found.get(part)}, and not {told.get(part)}"
                                  for part in {**found, **told} if found.get(part) != told.get(part))


def test_no_scenario_is_told_of_twice():
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 100


def section(title):
    """What stands in the document below TITLE, up to the next title of its rank."""
    text = DOCUMENT.read_text()
    rank, begin = title.split()[0], text.index(f"\n{title}")
    end = re.compile(rf"\n#{{1,{len(rank)}}} ").search(text, begin + len(title))
    return text[begin:end.start() if end else len(text)]


def first_column(title):
    """The names in backquotes in the first column of the tables of a section."""
    cells = re.findall(r"(?m)^\| ([^|]*) \|", section(title))
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_difference_has_its_reason_in_the_document():
    told = {name for scenario in SCENARIOS for name in scenario.differs}
    assert sorted(first_column("## Differences")) == sorted(told)
    assert sorted(set(re.findall(r"[Ss]ee `([a-z0-9-]+)`", DOCUMENT.read_text())) - told) == []


def test_every_setting_of_gunicorn_has_its_place_in_the_document():
    config = importlib.import_module("gunicorn.config")
    assert sorted(first_column("## Settings")) == sorted(setting.name for setting in config.KNOWN_SETTINGS)


METHODS = [("arbiter", ["Arbiter"]), ("workers.base", ["Worker"]), ("workers.sync", ["SyncWorker"]),
           ("workers.gthread", ["ThreadWorker", "TConn"]), ("workers.workertmp", ["WorkerTmp"]), ("pidfile", ["Pidfile"]),
           ("sock", ["BaseSocket", "TCPSocket", "TCP6Socket", "UnixSocket", None]), ("systemd", [None]),
           ("glogging", ["Logger", None])]


def names_in(module, owner):
    """The functions of a module, or of one of its classes; what Python calls by itself stands for its class."""
    scope = vars(module if owner is None else getattr(module, owner))
    return [name for name, value in scope.items() if not name.startswith("__") and
            (isinstance(value, (property, classmethod)) or inspect.isfunction(value) and value.__module__ == module.__name__)]


@pytest.mark.parametrize("name, owners", METHODS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_method_of_gunicorn_has_its_place_in_the_document(name, owners):
    module = importlib.import_module(f"gunicorn.{name}")
    title = next(line for line in DOCUMENT.read_text().splitlines()
                 if line.startswith("### ") and f"{name.replace('.', '/')}.py" in line)
    methods = {method for owner in owners for method in names_in(module, owner)}
    assert sorted(methods - set(first_column(title))) == []


def test_the_document_names_only_what_there_is():
    document = DOCUMENT.read_text()
    help_text = subprocess.run([BIN / "prefork_server", "--help"], capture_output=True, text=True, check=True).stdout
    options = {option for cell in re.findall(r"(?m)^\| [^|]* \| (.*) \|$", section("## Settings"))
               for option in re.findall(r"(?<![-\w])--[a-z][-a-z_]+", cell)}
    assert len(options) > 25 and sorted(options - set(re.findall(r"--[a-z][-a-z_]+", help_text))) == []
    sources = {path.relative_to(ROOT): path.read_text() for folder in ("prefork_server", "common")
               for path in (ROOT / folder).glob("*.[ch]")}
    files = {str(path) for path in sources} | {path.name for path in sources if path.parts[0] == "prefork_server"}
    assert sorted(set(re.findall(r"`((?:common/)?[a-z_]+\.[ch])`", document)) - files) == []
    functions = set(re.findall(r"`([a-z_]+)\(\)`", document))
    assert len(functions) > 30
    assert sorted(functions - set(re.findall(r"[a-z_0-9]+(?=\()", "".join(sources.values())))) == []
