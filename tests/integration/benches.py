"""The benchmarks of bench/: a run of one for a moment, and what every run must keep to. Their harness can be imported."""

import json
import re
import subprocess
import sys

import pytest

from servers import BIN, ROOT

sys.path.insert(0, str(ROOT / "bench"))


def command(name, *arguments):
    return [ROOT / "bench" / name, "--bin", BIN, *map(str, arguments)]


def run(name, *arguments, **more):
    return subprocess.run(command(name, *arguments), capture_output=True, text=True, timeout=110, **more)


def tell(name, path, *arguments):
    """A short run of bench/NAME, its JSON at PATH. Returns (what it printed, its JSON): all within 80 columns, each goal once,
    and the exit status that of the goals."""
    done = run(name, *arguments, "--json", path)
    if "is missing" in done.stderr or "needs two CPUs" in done.stderr:
        pytest.skip(done.stderr)
    assert done.stderr == "", done.stderr
    told = json.loads(path.read_text())
    assert told["failure"] is None and told["not_measured"] == []
    assert max(map(len, done.stdout.splitlines())) <= 80, done.stdout
    assert len(told["goals"]) == len(verdicts(done.stdout)) > 0, done.stdout
    assert done.returncode == (0 if all(goal["reached"] for goal in told["goals"]) else 1)
    return done.stdout, told


def verdicts(output):
    """Of the goals that OUTPUT lists."""
    return re.findall(r"^.{70}  (reached|MISSED|UNKNOWN)\??$", output, re.M)


def judged(goals):
    """(measured, reached) of each."""
    return [(row.measured, row.reached) for row in goals.rows]
