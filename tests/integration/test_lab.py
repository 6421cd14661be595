"""The lab against fake servers and a fake loadgen: what it writes, what it says, and that it leaves nothing behind."""

import csv
import html
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
import uuid
import xml.etree.ElementTree as ElementTree

import pytest

from servers import BIN, PATIENCE, ROOT, wait_until

FAKES = ROOT / "tests/integration/fakes"

EXPERIMENT = """[experiment]
title = A test
task = See what happens.
vary = concurrency
values = {values}
sleep = 0.01
requests = 100
restart = {restart}
questions = concurrency
"""

SERVER = """[server {name}]
command = fake_server --bind {{address}} --mark {mark} {flags}
url = http://{{address}}/
ready = GET /ready/check 404
ideal = loop
options = --mark {mark} {options}
{more}
"""


class Lab:
    """A folder with the lab, the fakes beside it, an experiments folder and a results folder."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / "bin"
        self.experiments = folder / "experiments"
        self.results = folder / "results"
        self.log = folder / "log"
        self.mark = f"mark-{uuid.uuid4().hex}"
        self.bin.mkdir()
        self.experiments.mkdir()
        shutil.copy(BIN / "lab", self.bin / "lab")
        for fake in FAKES.iterdir():
            shutil.copy(fake, self.bin / fake.name)

    def define(self, name, *servers, values="1, 2", restart="cell"):
        """Writes an experiment of such servers: (name, flags, options for loadgen, further keys)."""
        text = EXPERIMENT.format(values=values, restart=restart)
        for server in servers:
            title, flags, options, more = (*server, "", "", "")[:4]
            text += SERVER.format(name=title, flags=flags, options=options, more=more, mark=self.mark)
        (self.experiments / f"{name}.ini").write_text(text)

    def environment(self, **more):
        return dict(os.environ, LOOPFORK_EXPERIMENTS=str(self.experiments), FAKE_LOG=str(self.log), **more)

    def start(self, *arguments, env=None, **more):
        return subprocess.Popen([self.bin / "lab", *arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=env or self.environment(), **more)

    def run(self, *arguments, status=0, env=None):
        """Runs the lab to its end; returns (stdout, stderr)."""
        process = self.start(*arguments, env=env)
        try:
            out, err = process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == status, f"status {process.returncode}\n{out}\n{err}"
        self.expect_nothing_left()
        return out, err

    def marked(self):
        """The processes that this lab started and that still run."""
        found = []
        for process in pathlib.Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            try:
                if self.mark.encode() in (process / "cmdline").read_bytes():
                    found.append(int(process.name))
            except OSError:
                pass
        return found

    def expect_nothing_left(self):
        wait_until(lambda: not self.marked(), "every process of the lab to be gone")

    def runs(self):
        return sorted(path for path in self.results.iterdir() if path.is_dir()) if self.results.exists() else []

    def rows(self, sql):
        with sqlite3.connect(self.results / "lab.sqlite") as database:
            return database.execute(sql).fetchall()

    def events(self):
        """What the fakes logged: [(time, what, port), ...]."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return sorted((float(when), what, re.search(r"(\d+)/?$", where).group(1)) for when, what, where in lines)


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path)
    yield lab
    for pid in lab.marked():
        os.kill(pid, signal.SIGKILL)


class TestAWholeRun:
    def test_tables_files_and_rows(self, lab):
        lab.define("one", ("first", "", "--rps 90"), ("second", "", "--rps 9"), values="1, 2, 4")
        out, err = lab.run("run", "one")
        assert "first (sleep 0.01 s, 100 requests)" in out
        assert re.search(r"^ +4 +11\.111 +2\.778 +360\.00$", out, re.M)
        assert "1. How does first behave as concurrency grows?" in out
        tables = out[:out.index("Report: ")]
        assert all(len(line) <= 80 and not line.endswith(" ") for line in tables.splitlines())
        assert len(re.findall(r"^\[ *\d+/6\] one ", err, re.M)) == 6
        (run,) = lab.runs()
        assert f"Report: results/{run.name}/report.html" in out
        assert sorted(path.name for path in run.iterdir()) == [
            "cells.csv", "one_rps.png", "one_rps.svg", "one_time.png", "one_time.svg", "report.html", "report.md"]
        columns = "experiment, server, concurrency, rps, state, requests"
        assert lab.rows(f"SELECT {columns} FROM cell ORDER BY server, concurrency") == [
            ("one", "first", c, 90.0 * c, "done", 100) for c in (1, 2, 4)] + [
            ("one", "second", c, 9.0 * c, "done", 100) for c in (1, 2, 4)]
        assert lab.rows("SELECT state, count(*) FROM run GROUP BY state") == [("complete", 1)]
        assert lab.rows("SELECT DISTINCT run, version, kernel IS NOT NULL FROM cells")[0][0] == run.name

    def test_the_files_are_what_they_say(self, lab):
        lab.define("one", ("first",))
        lab.run("run", "one")
        (run,) = lab.runs()
        for name in ("one_time", "one_rps"):
            assert (run / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
            svg = ElementTree.parse(run / f"{name}.svg").getroot()
            assert svg.tag.endswith("svg")
        page = (run / "report.html").read_text()
        assert page.count("<svg") == 2
        assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:|//)""", page)
        assert not re.search(r"<(?:script|link|img|iframe)", page)
        ids = re.findall(r"""\bid=["']([^"']+)""", page)
        assert len(ids) == len(set(ids))
        with open(run / "cells.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["concurrency"] for row in rows] == ["1", "2"]
        assert rows[0]["rps"] == "100" and rows[0]["state"] == "done" and rows[0]["failed"] == "0"
        assert "![A test: requests per second](one_rps.png)" in (run / "report.md").read_text()

    def test_each_cell_has_its_own_server(self, lab):
        lab.define("one", ("first",), values="1, 2, 4")
        lab.run("run", "one")
        starts = [port for _, what, port in lab.events() if what == "server-start"]
        assert len(starts) == 3 and len(set(starts)) == 3

    def test_one_server_for_all_values_where_the_experiment_says_so(self, lab):
        lab.define("one", ("first",), values="1, 2, 4", restart="experiment")
        lab.run("run", "one")
        what = [what for _, what, _ in lab.events()]
        assert what.count("server-start") == 1 and what.count("load-begin") == 3

    def test_borrowed_cells_are_measured_once(self, lab):
        lab.define("one", ("first",))
        text = EXPERIMENT.format(values="1, 2", restart="cell") + "[server first]\nfrom = one/first\n"
        (lab.experiments / "two.ini").write_text(text)
        lab.run("run", "one", "two")
        assert lab.rows("SELECT count(*) FROM cell") == [(2,)]
        lab.run("run", "two")
        assert lab.rows("SELECT experiment, count(*) FROM cell GROUP BY run_id") == [("one", 2), ("one", 2)]

    def test_a_file_can_be_named(self, lab, tmp_path):
        lab.define("one", ("first",))
        (lab.experiments / "one.ini").rename(tmp_path / "mine.ini")
        lab.run("run", "./mine.ini", "--quiet")
        assert lab.rows("SELECT DISTINCT experiment FROM cell") == [("mine",)]

    def test_all_runs_every_experiment(self, lab):
        lab.define("one", ("first",), values="1")
        lab.define("two", ("first",), values="1")
        lab.run("run", "all", "--no-plots")
        assert lab.rows("SELECT experiment FROM cell ORDER BY experiment") == [("one",), ("two",)]

    def test_a_short_cell_has_its_quiet(self, lab):
        """While a short cell is measured no server starts or stops, and no other short one is measured."""
        lab.define("short", ("first", "", "--log-as short"), values="1, 2, 3, 4")
        # 1000 s expected of each: these are long, though the fake takes half a second.
        text = EXPERIMENT.format(values="1, 2, 3, 4", restart="cell").replace("sleep = 0.01", "sleep = 10")
        slow = SERVER.format(name="slow", flags="", options="--take 0.5", more="", mark=lab.mark)
        text += slow.replace("loop", "workers:1")
        (lab.experiments / "long.ini").write_text(text)
        lab.run("run", "short", "long", "--jobs", "4", "--no-plots")
        events = lab.events()
        short = [(begin, next(end for end, other, where in events if other == "short-end" and where == port))
                 for begin, what, port in events if what == "short-begin"]
        assert len(short) == 4 and [what for _, what, _ in events].count("load-end") == 4
        disturbing = [when for when, what, _ in events if what in ("server-start", "server-stop")]
        for begin, end in short:
            assert not [when for when in disturbing if begin < when < end]
            assert not [other for other in short if begin < other[0] < end]


class TestTrouble:
    def test_failed_requests_make_a_failed_cell(self, lab):
        lab.define("one", ("first", "", "--failed 3"), ("second",))
        out, err = lab.run("run", "one", status=1)
        assert "100 of 100 requests complete, 3 failed, 0 not 2xx, connect 3" in err
        assert "lab: 2 of 4 cells failed" in err
        assert "failed: 100 of 100 requests complete, 3 failed" in out
        assert "This run cannot tell: only 0 of 2 cells of first" in " ".join(out.split())
        assert lab.rows("SELECT server, state, failed FROM cell ORDER BY id, server") != []
        assert dict(lab.rows("SELECT server, state FROM cell")) == {"first": "failed", "second": "done"}
        (run,) = lab.runs()
        assert "3 failed" in (run / "report.html").read_text() and "3 failed" in (run / "report.md").read_text()

    def test_figures_that_loadgen_doubts_are_shown_with_its_reason(self, lab):
        lab.define("one", ("first", "", "--status 3 --doubt overworked"), ("second",))
        out, err = lab.run("run", "one")
        assert re.search(r"lab: the figures of one first c=\d+ are in doubt: overworked", err)
        assert "in doubt: overworked" in out
        assert dict(lab.rows("SELECT server, state FROM cell")) == {"first": "done", "second": "done"}
        (run,) = lab.runs()
        for name in ("report.html", "report.md"):
            assert "in doubt: overworked" in (run / name).read_text()

    @pytest.mark.parametrize("options, message", [
        ("--status 3", "loadgen ended with status 3: it went wrong"),
        ("--status 1", "loadgen ended with status 1: it went wrong"),
        ("--garbage", "loadgen wrote no JSON"),
    ])
    def test_a_loadgen_that_fails(self, lab, options, message):
        lab.define("one", ("first", "", options), values="1")
        _, err = lab.run("run", "one", status=1)
        assert f"lab: one first c=1 failed: {message}" in err

    def test_a_loadgen_that_hangs_is_killed(self, lab):
        lab.define("one", ("first", "", "--take 600", "timeout = 0.5"), values="1")
        _, err = lab.run("run", "one", status=1)
        assert "loadgen was not done within" in err

    @pytest.mark.parametrize("flags, more, message", [
        ("--die 0", "", "first ended with status 3 before it was ready: first line | cannot find my shoes"),
        ("--deaf", "deadline = 0.5", "did not get ready on port"),
        ("--status 500", "", "first is not ready: it answers 500 to GET /ready/check, where its definition says 404"),
    ])
    def test_a_server_that_does_not_get_ready(self, lab, flags, more, message):
        lab.define("one", ("first", flags, "", more), ("second",), values="1")
        _, err = lab.run("run", "one", status=1)
        assert message in err
        assert dict(lab.rows("SELECT server, state FROM cell")) == {"first": "failed", "second": "done"}

    def test_a_server_that_dies_under_load(self, lab):
        lab.define("one", ("first", "--die 2", "--take 4"), values="1")
        _, err = lab.run("run", "one", status=1)
        assert "first ended with status 3 while it was loaded: first line | cannot find my shoes" in err

    def test_a_server_that_ignores_sigterm_and_its_child_are_killed(self, lab):
        lab.define("one", ("first", "--stubborn --child"), values="1")
        lab.run("run", "one")

    def test_a_child_that_outlives_its_server_is_killed(self, lab):
        lab.define("one", ("first", "--child"), values="1, 2")
        lab.run("run", "one")


class TestInterrupted:
    def wait_for_a_cell(self, lab):
        def some():
            try:
                return lab.rows("SELECT count(*) FROM cell WHERE state = 'done'")[0][0] >= 1 and lab.marked()
            except sqlite3.OperationalError:
                return False
        wait_until(some, "a first cell in the store")

    def start(self, lab):
        lab.define("one", ("first",), ("slow", "--child", "--take 600"), values="1, 2")
        process = lab.start("run", "one", "--jobs", "1")
        wait_until(lambda: lab.log.exists() and "load-begin" in lab.log.read_text(), "a load")
        return process

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_a_signal_stops_everything_and_keeps_what_was_measured(self, lab, number):
        process = self.start(lab)
        self.wait_for_a_cell(lab)
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        lab.expect_nothing_left()
        assert re.search(r"lab: interrupted; \d of 4 cells are kept in results/lab.sqlite", err)
        assert lab.runs() == []
        assert not [path for path in lab.results.iterdir() if path.name != "lab.sqlite"]
        assert lab.rows("SELECT state FROM run") == [("interrupted",)]
        out, _ = lab.run("report")
        assert "not measured: the run was interrupted" in out
        (run,) = lab.runs()
        assert "This run was interrupted" in (run / "report.html").read_text()

    def test_a_killed_lab_leaves_nothing_running(self, lab):
        process = self.start(lab)
        self.wait_for_a_cell(lab)
        process.kill()
        process.communicate(timeout=PATIENCE)
        lab.expect_nothing_left()
        assert lab.rows("SELECT state FROM run") == [("running",)]
        assert lab.rows("SELECT count(*) FROM cell")[0][0] >= 1

    def test_a_lab_killed_while_a_server_starts_leaves_nothing_running(self, lab):
        lab.define("one", ("first", "--deaf --stubborn --child"), values="1")
        process = lab.start("run", "one")
        wait_until(lambda: len(lab.marked()) >= 2, "the server and its child")
        process.kill()
        process.communicate(timeout=PATIENCE)
        lab.expect_nothing_left()


class TestWrongInput:
    def expect(self, lab, arguments, status, message, env=None):
        out, err = lab.run(*arguments, status=status, env=env)
        assert out == ""
        assert err.count("\n") == 1 and err.endswith("\n"), err
        assert message in err
        assert lab.runs() == [] and not (lab.results / "lab.sqlite").exists()

    @pytest.mark.parametrize("arguments, message", [
        ([], "which command?"),
        (["fly"], "unknown command fly"),
        (["--fly"], "--fly"),
        (["run"], "which experiment?"),
        (["run", "none"], "unknown experiment none; there are one"),
        (["run", "./none.ini"], "./none.ini: No such file"),
        (["run", "one", "one"], "experiment one was given twice"),
        (["run", "--jobs", "0", "one"], "--jobs 0: must be a whole number from 1 to 64"),
        (["run", "--jobs", "x", "one"], "--jobs x: must be"),
        (["run", "--fly", "one"], "--fly"),
        (["report", "a", "b"], "one run at a time"),
        (["report"], "results/lab.sqlite: unable to open"),
        (["compare", "a"], "give two runs"),
        (["compare", "--threshold", "-1", "a", "b"], "--threshold"),
        (["list", "x"], "takes no names"),
    ])
    def test_on_the_command_line(self, lab, arguments, message):
        lab.define("one", ("first",))
        self.expect(lab, arguments, 2, message)

    def test_in_a_file(self, lab):
        lab.define("one", ("first", "", "", "colour = red"))
        where = f"{lab.experiments}/one.ini:16: "
        self.expect(lab, ["run", "one"], 2, f"{where}unknown key colour; use one of label, command,")

    def test_in_a_file_that_another_borrows_from(self, lab):
        (lab.experiments / "one.ini").write_text("[experiment]\nvalues = x\n")
        (lab.experiments / "two.ini").write_text("[experiment]\ntitle = T\nvalues = 1\n[server a]\nfrom = one/a\n")
        self.expect(lab, ["run", "two"], 2, f"{lab.experiments}/one.ini:2: values = x: ")

    def test_a_results_folder_that_cannot_be_written(self, lab):
        lab.define("one", ("first",))
        (lab.folder / "file").write_text("")
        self.expect(lab, ["run", "one", "--results", "file/x"], 2, "cannot write into the results folder file/x")
        self.expect(lab, ["run", "one", "--results", "file"], 2, "results folder file")
        self.expect(lab, ["run", "one", "--results", "/proc/1"], 2, "/proc/1")

    def test_a_program_that_is_not_there(self, lab):
        lab.define("one", ("first",))
        text = (lab.experiments / "one.ini").read_text()
        (lab.experiments / "one.ini").write_text(text.replace("command = fake_server", "command = no_such_server"))
        self.expect(lab, ["run", "one"], 1, "the program no_such_server of [server first] in one is not there")

    def test_no_loadgen(self, lab):
        lab.define("one", ("first",))
        (lab.bin / "loadgen").unlink()
        self.expect(lab, ["run", "one"], 1, "loadgen is neither in", env=lab.environment(PATH="/nowhere"))

    def test_no_gnuplot(self, lab):
        lab.define("one", ("first",), values="1")
        bare = lab.folder / "path"
        bare.mkdir()
        env = lab.environment(PATH=str(bare))
        self.expect(lab, ["run", "one"], 1, "apt-get install gnuplot-nox", env=env)
        lab.run("run", "one", "--no-plots", env=env)
        (run,) = lab.runs()
        assert sorted(path.name for path in run.iterdir()) == ["cells.csv", "report.html", "report.md"]

    def test_a_gnuplot_that_fails_leaves_no_folder(self, lab):
        lab.define("one", ("first",), values="1")
        bad = lab.folder / "path"
        bad.mkdir()
        (bad / "gnuplot").write_text("#!/bin/sh\necho no fonts here >&2\nexit 1\n")
        (bad / "gnuplot").chmod(0o755)
        out, err = lab.run("run", "one", status=1, env=lab.environment(PATH=f"{bad}:{os.environ['PATH']}"))
        assert "lab: gnuplot: no fonts here" in err
        assert "100.00" in out, "the tables are printed all the same"
        assert [path.name for path in lab.results.iterdir()] == ["lab.sqlite"]
        lab.run("report")
        assert len(lab.runs()) == 1

    def test_a_port_in_use(self, lab):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            lab.define("one", ("first", "", "", f"port = {port}"))
            self.expect(lab, ["run", "one"], 1, f"port {port}, which one names for first, is in use")

    def test_a_port_that_is_told_is_used_by_one_cell_at_a_time(self, lab):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        lab.define("one", ("first", "", "", f"port = {port}"), values="1, 2, 3")
        lab.run("run", "one", "--jobs", "4")
        assert {where for _, _, where in lab.events()} == {str(port)}


class TestRequirements:
    def test_a_missing_package_is_named_and_its_server_skipped(self, lab):
        missing = "requires = libfly:command:no-such-command, python3-no:python:no_such_module"
        there = "requires = coreutils:command:ls, python3:python:json"
        lab.define("one", ("first",), ("second", "", "", missing), ("third", "", "", there))
        out, err = lab.run("run", "one")
        what = "needs what is not installed; as root: apt-get install libfly python3-no"
        assert f"lab: one: second is skipped: it {what}" in err
        assert "skipped: needs what is not installed; as root: apt-get install libfly" in " ".join(out.split())
        states = dict(lab.rows("SELECT server, state FROM cell"))
        assert states == {"first": "done", "second": "skipped", "third": "done"}

    def test_an_experiment_without_its_point_is_skipped(self, lab):
        lab.define("one", ("first",), ("second", "", "", "requires = libfly:command:no-such-command"))
        lab.define("two", ("third",))
        _, err = lab.run("run", "one", "two")
        assert "lab: one is skipped: none of the programs that it compares with is there" in err
        states = dict(lab.rows("SELECT server, state FROM cell"))
        assert states == {"first": "skipped", "second": "skipped", "third": "done"}
        _, err = lab.run("run", "one", status=1)
        assert err.endswith("lab: nothing is left to measure\n")


class TestStoredRuns:
    def test_labs_that_start_at_once_in_a_new_folder(self, lab):
        lab.define("one", ("first",), values="1")
        labs = [lab.start("run", "one", "--no-plots") for _ in range(6)]
        for process in labs:
            _, err = process.communicate(timeout=90)
            assert process.returncode == 0, err
        lab.expect_nothing_left()
        assert len(lab.runs()) == 6
        assert lab.rows("SELECT state, count(*), count(DISTINCT name) FROM run GROUP BY state") == [("complete", 6, 6)]

    @pytest.mark.parametrize("table", ["run", "cell"])
    def test_a_broken_store_makes_no_report(self, lab, table):
        lab.define("one", ("first",), values="1")
        lab.run("run", "one", "--no-plots")
        shutil.rmtree(lab.runs()[0])
        ((page, size),) = lab.rows("SELECT rootpage, page_size FROM sqlite_master, pragma_page_size "
                                   f"WHERE name = '{table}'")
        with open(lab.results / "lab.sqlite", "r+b") as file:
            file.seek((page - 1) * size)
            file.write(bytes(size))
        out, err = lab.run("report", status=1)
        assert (out, lab.runs()) == ("", [])
        assert re.fullmatch(r"lab: \S+/lab\.sqlite: database disk image is malformed\n", err)

    def test_the_command_line_can_be_typed_again(self, lab):
        lab.define("one", ("first",), values="1")
        folder = "it's $HOME; a|`b` <i>"
        lab.results = lab.folder / folder
        lab.run("run", "--no-plots", "--results", folder, "one")
        ((command,),) = lab.rows("SELECT command FROM run")
        assert command == r"lab run --no-plots --results 'it'\''s $HOME; a|`b` <i>' one"
        assert shlex.split(command)[1:] == ["run", "--no-plots", "--results", folder, "one"]
        (run,) = lab.runs()
        (row,) = [line for line in (run / "report.md").read_text().splitlines() if line.startswith("command ")]
        assert row == r"command | <code>lab run --no-plots --results 'it'\\''s \$HOME; a\|\`b\` \<i\>' one</code>"
        assert html.escape(command, quote=False) in (run / "report.html").read_text().replace("&#39;", "'")

    def test_a_report_is_made_again(self, lab):
        lab.define("one", ("first",))
        lab.run("run", "one")
        (run,) = lab.runs()

        def texts():
            return {path.name: path.read_text() for path in run.iterdir() if path.suffix in (".csv", ".md", ".html")}

        before = texts()
        shutil.rmtree(run)
        (lab.experiments / "one.ini").unlink()
        out, _ = lab.run("report", run.name)
        assert f"Report: results/{run.name}/report.html" in out
        assert texts() == before
        assert (run / "one_rps.svg").exists()
        lab.run("report")
        _, err = lab.run("report", "yesterday", status=2)
        assert err == "lab: no run is called yesterday; lab list shows the runs\n"

    def test_runs_are_listed_and_compared(self, lab):
        lab.define("one", ("first", "", "--rps 100"))
        lab.run("run", "one", "--no-plots")
        lab.define("one", ("first", "", "--rps 90"))
        lab.run("run", "one", "--no-plots")
        first, second = [run.name for run in lab.runs()]
        out, _ = lab.run("list")
        assert re.search(r"^one +A test$", out, re.M)
        assert re.search(rf"^{second} +complete +2 +one\n{first} ", out, re.M)
        out, _ = lab.run("compare", first, "latest", status=1)
        assert re.search(r"^one first c=1 +100\.00 +90\.00 +0\.900 +10\.0 +11\.1 +1\.111 \*$", out, re.M)
        assert "2 cells in both; 2 marked * differ by more than 5%" in out
        out, _ = lab.run("compare", "--threshold", "20", first, second)
        assert "none differs by more than 20%" in out

    def test_a_store_of_a_later_lab_is_left_alone(self, lab):
        lab.define("one", ("first",), values="1")
        lab.run("run", "one", "--no-plots")
        with sqlite3.connect(lab.results / "lab.sqlite") as database:
            database.execute("PRAGMA user_version = 7")
        _, err = lab.run("run", "one", status=2)
        assert "its tables have version 7, this lab reads 1" in err

    def test_help_and_version(self, lab):
        for command in ([], ["run"], ["list"], ["report"], ["compare"]):
            out, _ = lab.run(*command, "--help")
            assert out.startswith(f"usage: {' '.join(['lab', *command])} ")
            assert all(len(line) <= 80 for line in out.splitlines())
        out, _ = lab.run("--version")
        assert re.fullmatch(r"lab \d+\.\d+\.\d+\n", out)


def test_progress_on_a_terminal(lab):
    lab.define("one", ("first", "", "--take 1"))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([lab.bin / "lab", "run", "one", "--no-plots"], cwd=lab.folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=theirs, env=lab.environment())
    os.close(theirs)
    seen = b""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and select.select([ours], [], [], PATIENCE)[0]:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    assert re.search(rb"\r\x1b\[K\[\d/2\] about \d+ s left; measuring one first c=[12]", seen), seen
    assert seen.endswith(b"\r\x1b[K"), "the line is taken away at the end"


class TestWithTheRealPrograms:
    """One short experiment with our servers and our loadgen: the lab drives what a person would."""

    TEXT = """[experiment]
title = Short
values = 2, 4
sleep = 0.02
requests = 8
questions = concurrency, blocking
[server loop]
command = async_server --bind {address} --sleep {sleep}
url = http://{address}/
ready = GET /ready/check 404
ideal = loop
[server fork]
command = prefork_server --bind {address} --sleep {sleep} --workers 1
url = http://{address}/
ready = GET /ready/check 404
ideal = workers:1
[server blocked]
command = async_server --bind {address} --sleep {sleep} --mode blocking
url = http://{address}/
ready = GET /ready/check 404
ideal = blocked-loop
"""

    def test_no_figure_beats_the_ideal(self, lab):
        for program in ("async_server", "prefork_server", "loadgen"):
            if not (BIN / program).exists():
                pytest.skip(f"{program} is not built")
        (lab.folder / "short.ini").write_text(self.TEXT)
        done = subprocess.run([BIN / "lab", "run", "./short.ini", "--no-plots"], cwd=lab.folder, capture_output=True,
                              text=True, timeout=90, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        rows = lab.rows("SELECT server, concurrency, rps, complete, failed FROM cell")
        assert len(rows) == 6
        for server, concurrency, rps, complete, failed in rows:
            assert (complete, failed) == (8, 0)
            # A sleep is never short: eight requests take at least so long.
            assert rps <= (concurrency if server == "loop" else 1) / 0.02 * 1.001
        assert "1. How does loop behave" in done.stdout

    def test_the_shipped_experiments_are_found_in_the_tree(self):
        done = subprocess.run([BIN / "lab", "list"], cwd=ROOT, capture_output=True, text=True, timeout=60,
                              env={key: value for key, value in os.environ.items() if key != "LOOPFORK_EXPERIMENTS"})
        for name in ("task7", "task8", "task9", "real7", "real8", "real9"):
            assert re.search(rf"^{name} +Task", done.stdout, re.M), done.stdout


class TestFidelity:
    PROGRAM = ROOT / "bench/fidelity"

    def test_it_has_the_eighteen_cells_of_the_reference(self):
        with open(ROOT / "bench/lab_reference.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == 18
        assert {(row["task"], row["server"]) for row in rows} == {
            ("7", "aiohttp"), ("7", "django"), ("8", "aiohttp"), ("8", "django"), ("9", "aiohttp_blocking")}

    def test_it_says_what_is_missing(self, tmp_path):
        done = subprocess.run([self.PROGRAM, "--bin", tmp_path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr == f"fidelity: {tmp_path}/async_server is not there; build it with make\n"

    def test_it_leaves_nothing_when_it_is_stopped(self, lab):
        for program in ("async_server", "prefork_server"):
            (lab.bin / program).write_text(
                f"#!/bin/sh\nexec {lab.bin}/fake_server --mark {lab.mark} --status 200 --bind $2\n")
            (lab.bin / program).chmod(0o755)
        process = subprocess.Popen([self.PROGRAM, "--bin", lab.bin], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        try:
            wait_until(lambda: lab.marked() or process.poll() is not None, "the first server")
            process.terminate()
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
        if process.returncode == 1 and "apt-get install" in out:
            pytest.skip(out)
        assert process.returncode in (130, 1), out
        lab.expect_nothing_left()


class TestManPage:
    PAGE = ROOT / "docs/man/lab.1"

    def test_it_tells_every_option_and_key(self):
        page = self.PAGE.read_text()
        for command in ("run", "list", "report", "compare"):
            usage = subprocess.run([BIN / "lab", command, "--help"], capture_output=True, text=True, timeout=60).stdout
            for option in re.findall(r"--([a-z-]+)", usage):
                assert f"Fl -{option}" in page.replace("\\-", "-"), f"--{option} is not in lab.1"
        for source in re.findall(r'\{"([a-z]+)", parse_', (ROOT / "experiments/definition_keys.c").read_text()):
            assert re.search(rf"^\.It Cm {source}\b", page, re.M), f"the key {source} is not in lab.1"

    def test_mandoc_finds_nothing(self):
        if shutil.which("mandoc") is None:
            pytest.skip("mandoc is not installed")
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", self.PAGE], capture_output=True, text=True,
                              timeout=60)
        assert done.stdout + done.stderr == ""
