"""prefork_server beside the real gunicorn: the same signals, crashes, timeouts and clients, the same log and the same outcome.

The scripts are those of gunicorn_script.py.  Where the two differ on purpose, it says in what, and docs/gunicorn-map.md says
why; a difference that changes or disappears fails as one that comes up does.
"""

import collections
import concurrent.futures

import pytest

from gunicorn_script import SCENARIOS
from gunicorn_site import GUNICORN, Ours, Theirs

gunicorn = pytest.importorskip("gunicorn")
if GUNICORN is None or not gunicorn.__version__.startswith("20.1."):
    pytest.skip(f"the script knows the differences to gunicorn 20.1 of Debian 12; this is {gunicorn.__version__}",
                allow_module_level=True)

AT_ONCE = 5  # scenarios; most of their time is waiting


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
               for scenario in SCENARIOS if scenario.name in chosen
               for kind in ([Theirs, Ours] if scenario.ours else [Theirs])}


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
    theirs = performances[scenario.name, Theirs].result()
    if not scenario.ours:
        pytest.skip("ours cannot yet")
    ours = performances[scenario.name, Ours].result()
    found, told = compare(theirs, ours), scenario.parts()
    assert found == told, "".join(f"\n{part}: (gunicorn's, ours) are {found.get(part)}, and not {told.get(part)}"
                                  for part in {**found, **told} if found.get(part) != told.get(part))


def test_no_scenario_is_told_of_twice():
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
