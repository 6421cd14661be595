"""The man pages name exactly the options that --help names, or, for loadgen, its table; and --help fits a terminal."""

import pathlib
import re
import subprocess

import pytest

from options import options_of
from servers import BIN, PATIENCE, ROOT

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


@pytest.mark.parametrize("program", [program for program in PROGRAMS if program != "loadgen"])
def test_the_man_page_and_the_help_name_the_same_options(program):
    assert options_of_man(program) == options_of_help(help_of(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_help_fits_80_columns(program):
    assert [line for line in help_of(program).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_version_names_the_program(program):
    done = subprocess.run([BIN / program, "-V" if program == "loadgen" else "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(program) or program == "loadgen" and "loadgen" in done.stdout


AB_FLAGS = "n:c:t:s:b:T:p:u:v:lrkVhwiIx:y:z:C:H:P:A:g:X:de:SqB:m:Z:f:E:"  # what ab (2.4) gives to getopt


def options_of_compact_help():
    """One list for each group: two options share a line, and the second one begins in column 41."""
    groups = []
    for line in help_of("loadgen").split("\n\n")[0].splitlines()[3:]:
        if line.startswith("  "):
            groups[-1] += [line[start:].split()[0] for start in (2, 41) if line[start - 1:start + 1] == " -"]
        else:
            groups.append([])
    return groups


class TestLoadgen:
    def test_the_man_page_names_every_option_and_no_other(self):
        assert options_of_man("loadgen") == {name for names in options_of("loadgen") for name in names}

    def test_the_help_names_every_option_once_by_its_short_name_where_it_has_one(self):
        named = [name for group in options_of_compact_help() for name in group]
        assert named == [names[0] for names in options_of("loadgen")]

    def test_the_help_fits_a_screen(self):
        lines = help_of("loadgen").splitlines()
        assert len(lines) <= 50
        assert max(map(len, lines)) < 80

    def test_ab_options_come_first_in_each_group(self):
        """An option of ab has a short name; all others have none."""
        for names in options_of_compact_help():
            assert names == sorted(names, key=lambda name: len(name) > 2)

    def test_every_flag_of_ab_is_supported(self):
        """With a value where ab's has one, and listed in the man page."""
        options = {names[0]: takes_value for names, takes_value in options_of("loadgen").items()}
        for flag, colon in re.findall(r"(\w)(:?)", AB_FLAGS):
            assert options[f"-{flag}"] == bool(colon), flag
        page = pathlib.Path(ROOT, "docs/man/loadgen.1").read_text()
        listed = page[page.index(".Sh COMPARED WITH AB"):page.index("The report has ab's lines")]
        assert sorted(re.findall(r"\.Fl (\w)\b", listed)) == sorted(re.findall(r"(\w):?", AB_FLAGS))

    @pytest.mark.parametrize("options, most", [
        (["-n"], 2147483647), (["-c"], 20000), (["--rate"], 10000000), (["--repeat"], 1000), (["--seed"], 2147483647),
        (["--sleep"], 3600), (["--threads"], 256), (["-c", "1", "--pipeline"], 1000), (["-b"], 1073741824),
    ])
    def test_the_largest_values_are_those_that_it_names(self, options, most):
        page = pathlib.Path(ROOT, "docs/man/loadgen.1").read_text()
        entry = re.search(rf"\n\.It Fl {options[-1][1:]}\b.*?\n(.*?)\n\.(?:It|El)", page, re.DOTALL).group(1)
        assert re.search(rf"\b{most}\b", entry)
        for value, status in ((most, 1), (most + 1, 2)):  # 1: nobody listens there
            done = subprocess.run([BIN / "loadgen", *([] if "-n" in options else ["-n", "20000"]), *options, str(value),
                                   "127.0.0.1:1"], capture_output=True, text=True, timeout=PATIENCE, check=False)
            assert done.returncode == status, done.stderr

    @pytest.mark.parametrize("options, most", [
        (["-H", "A: b"], 100), (["-C", "a=b"], 100), (["--expect", "errors=0"], 32), (["http://127.0.0.1:1/"], 26),
    ])
    def test_nothing_can_be_said_more_often_than_it_names(self, options, most):
        page = pathlib.Path(ROOT, "docs/man/loadgen.1").read_text()
        assert f"up to {most} times" in page or f"at most {most} URLs" in page
        for count, status in ((most, 1), (most + 1, 2)):
            done = subprocess.run([BIN / "loadgen", "-n", "1", *options * count, *([] if "//" in options[0] else ["127.0.0.1:1"])],
                                  capture_output=True, text=True, timeout=PATIENCE, check=False)
            assert done.returncode == status, done.stderr

    def test_the_examples_are_understood(self, tmp_path):
        """Each is a command line without a mistake: what fails is only that nobody listens there."""
        (tmp_path / "order.json").write_text("{}")
        (tmp_path / "requests").write_text("/a\nPOST /b\tbody=x=1\n")
        page = pathlib.Path(ROOT, "docs/man/loadgen.1").read_text()
        examples = re.findall(r"(?m)^\.Dl \$ loadgen (.*)$", page[page.index(".Sh EXAMPLES"):page.index(".Sh COMPARED")])
        assert len(examples) >= 15
        for example in examples:
            command = re.sub(r"\$URL|(?:127\.0\.0\.1|localhost):\d+|example\.org", "127.0.0.1:1", example).replace("$OTHER", "127.0.0.1:2")
            if "127.0.0.1:1" not in command and "unix:" not in command:
                command += " 127.0.0.1:1"  # rather than the lab's servers, which may be there
            done = subprocess.run(f"{BIN}/loadgen {command}", shell=True, cwd=tmp_path, capture_output=True, text=True,
                                  timeout=PATIENCE, check=False)
            assert done.returncode == 1, f"{example}: {done.stderr}"
            assert re.search("127.0.0.1|/run/app.sock|open files", done.stderr), f"{example}: {done.stderr}"
