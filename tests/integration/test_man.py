"""The man pages name exactly the options that --help names, and --help fits a terminal."""

import pathlib
import re
import subprocess

import pytest

from servers import BIN, ROOT

PROGRAMS = ["async_server", "prefork_server", "loadgen", "lab"]


COMMANDS = {"lab": ["run", "list", "report", "compare"]}  # each has a --help of its own


def help_of(program):
    calls = [[], *([command] for command in COMMANDS.get(program, []))]
    return "\n".join(subprocess.run([BIN / program, *call, "--help"], capture_output=True, text=True, check=True).stdout
                     for call in calls)


def options_of_help(text):
    found = set()
    for line in text.splitlines():
        match = re.match(r"  (?:    )?((?:-\w|--[\w-]+)(?:, --[\w-]+)?)", line)
        if match:
            found.update(re.findall(r"--?[\w-]+", match.group(1)))
    return found


def options_of_man(program):
    """Options in the lists of the page: `.It Fl n , Fl -requests Ar N`."""
    found = set()
    for line in pathlib.Path(ROOT, "docs/man", f"{program}.1").read_text().splitlines():
        if line.startswith(".It Fl "):
            found.update("-" + name.replace("\\-", "-") for name in re.findall(r"Fl (\S+)", line))
    return found


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_man_page_and_the_help_name_the_same_options(program):
    assert options_of_man(program) == options_of_help(help_of(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_help_fits_80_columns(program):
    assert [line for line in help_of(program).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_names_the_program(program):
    done = subprocess.run([BIN / program, "-V" if program == "loadgen" else "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(program) or program == "loadgen" and "loadgen" in done.stdout
