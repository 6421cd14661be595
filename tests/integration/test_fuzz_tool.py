"""tools/fuzz: what it prints and how it exits, with targets that stand in for real ones."""

import subprocess

import pytest

from servers import ROOT

TOOL = ROOT / "tools/fuzz"


def run(*arguments):
    return subprocess.run([str(TOOL), *map(str, arguments)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def target(tmp_path):
    """target(script) makes a program of a name that has no corpus."""

    def make(script, name="stand_in"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        return program

    return make


def test_a_target_that_survives_gets_one_line(target):
    done = run(3, target('echo "$@" >"$0.arguments"; echo stat::number_of_executed_units: 42 >&2'))
    assert (done.returncode, done.stdout, done.stderr) == (0, "fuzz stand_in: 42 inputs in 3 s, no crash\n", "")


def test_the_time_is_passed_on_and_the_corpus_is_a_copy(target):
    program = target('echo "$@" >"$0.arguments"; for last; do :; done; touch "$last/new"; ls "$last" >"$0.corpus"', "http_request")
    corpus = ROOT / "tests/fuzz/corpus/http_request"
    before = sorted(path.name for path in corpus.iterdir())
    assert run(7, program).returncode == 0
    assert "-max_total_time=7 " in program.with_name("http_request.arguments").read_text()
    assert "-dict=tests/fuzz/http_request.dict" in program.with_name("http_request.arguments").read_text()
    assert set(before) < set(program.with_name("http_request.corpus").read_text().split())
    assert sorted(path.name for path in corpus.iterdir()) == before


def test_a_crash_is_told_its_input_stays_and_the_other_targets_still_run(target):
    crash = target('for word; do case $word in -artifact_prefix=*) touch "${word#*=}crash-1234";; esac; done\n'
                   "echo it went wrong; exit 77", "crashes")
    good = target("echo stat::number_of_executed_units: 1", "survives")
    done = run(1, crash, good)
    assert done.returncode == 1
    assert "fuzz crashes: FAILED" in done.stdout and str(crash) + ".crash-1234" in done.stdout
    assert "fuzz survives: 1 inputs" in done.stdout
    assert "it went wrong" in crash.with_name("crashes.log").read_text()


@pytest.mark.parametrize("arguments", [[], ["5"], ["0", "x"], ["-1", "x"], ["x", "y"], ["1.5", "x"], ["1", "/nonexistent/target"]])
def test_wrong_use_is_one_line_and_exit_status_2(arguments):
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1
