"""--expect and the exit status: what a script learns from loadgen."""

import itertools
import re
import time

import pytest

from load import OK, ScriptedServer, answering, free_port, loadgen, loadgen_json, one_cell

REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nhello"


def slow(seconds):
    def script(peer):
        while peer.request():
            time.sleep(seconds)
            peer.send(OK)

    return script


def resetting(peer):
    peer.request()
    peer.reset()


class TestExpectations:
    def test_all_that_hold_are_silent(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("-n", 20, "-c", 2, "-k", "--expect", "errors=0", "--expect", "complete=20", "--expect", "p99<20s",
                           "--expect", "rps>0.1", "--expect", "failed<1%", server.url)
        assert (done.returncode, done.stderr) == (0, "")

    UNMET = ("--expect", "p50<10ms", "--expect", "errors=0", "--expect", "min<0.001s", "--expect", "complete>4")

    def test_each_that_does_not_is_a_line_and_exit_status_1(self):
        with ScriptedServer(slow(0.03)) as server:
            done = loadgen("-n", 4, "-c", 2, "-k", *self.UNMET, server.url)
        assert (done.returncode, done.stderr) == (1, "")
        lines = [line for line in done.stdout.splitlines() if "Not as expected" in line]
        assert len(lines) == 3
        assert re.search(r"p50<10ms, but it was [0-9.]+ ms$", lines[0])
        assert re.search(r"min<0.001s, but it was 0.0[0-9]+ s$", lines[1])
        assert lines[2].endswith("complete>4, but it was 4")

    def test_without_a_report_the_lines_go_to_standard_error(self):
        with ScriptedServer(slow(0.03)) as server:
            done = loadgen("--csv", "-", "-n", 4, "-c", 2, "-k", *self.UNMET, server.url)
        assert done.returncode == 1
        lines = done.stderr.splitlines()
        assert len(lines) == 3
        assert re.fullmatch(rf"loadgen: {server.url}, c 2: expected p50<10ms, but it was [0-9.]+ ms", lines[0])
        assert lines[2].endswith("expected complete>4, but it was 4")

    def test_answers_other_than_2xx_are_errors_though_not_failed(self):
        with ScriptedServer(answering(REFUSED)) as server:
            assert loadgen("-n", 5, "--expect", "failed=0", server.url).returncode == 0
            done = loadgen("-n", 5, "--expect", "errors<=10%", server.url)
        assert done.returncode == 1
        assert "errors<=10%, but it was 100%\n" in done.stdout

    def test_one_that_is_refused_with_a_body_of_another_length_is_one_error(self):
        answers = itertools.cycle([OK, REFUSED.replace(b"Length: 5", b"Length: 9") + b" you"])
        with ScriptedServer(answering(lambda _: next(answers))) as server:
            cell = one_cell("-n", 10, "-k", "--expect", "errors<=50%", server.url, status=1)
        assert (cell["failed"], cell["non_2xx"], cell["errors"]) == (5, 5, 5)
        assert cell["expectations"] == [{"expect": "errors<=50%", "met": True, "measured": 0.5}]

    def test_in_a_sweep_the_line_names_the_cell(self):
        with ScriptedServer(slow(0.2)) as slow_server, ScriptedServer(answering()) as server:
            sweep = ("-n", 2, "-c", "1,2", "-k", "--sleep", 0.1, "--expect", "p50<150ms", server.url, slow_server.url)
            done, silent = loadgen(*sweep), loadgen("--json", "-", *sweep)
        assert (done.returncode, silent.returncode) == (1, 1)
        for c in 1, 2:
            assert re.search(rf"^Not as expected: B, c {c}, sleep 0.1 s: p50<150ms, but it was [0-9.]+ ms$", done.stdout, re.MULTILINE)
            assert f"loadgen: {slow_server.url}, c {c}, sleep 0.1 s: expected p50<150ms, but it was " in silent.stderr
        assert done.stdout.count("Not as expected") == len(silent.stderr.splitlines()) == 2

    def test_a_cell_that_was_never_measured_is_a_failure_by_itself(self):
        done = loadgen("-n", 4, "--expect", "errors=0", f"http://127.0.0.1:{free_port()}/")
        assert done.returncode == 1
        assert "is the server running?" in done.stderr and "expected" not in done.stderr + done.stdout

    @pytest.mark.parametrize("text, why", [
        ("p99<50", "a time has a unit: us, ms or s"), ("p99>>1ms", 'is not a number'), ("latency<5ms", "is not a figure"),
        ("p99=5ms", "use < or >"), ("errors<0.5", "written with %")])
    def test_a_mistake_is_found_before_any_load(self, text, why):
        done = loadgen("--expect", text, f"http://127.0.0.1:{free_port()}/")
        assert done.returncode == 2
        assert done.stderr.startswith(f"loadgen: --expect {text}: ") and why in done.stderr

    def test_no_more_than_there_is_room_for(self):
        done = loadgen(*["--expect", "errors=0"] * 33, f"http://127.0.0.1:{free_port()}/")
        assert done.returncode == 2 and "more than 32 expectations" in done.stderr


class TestExitStatus:
    """0 all well; 1 failures and broken expectations; 3 loadgen's own checks, where nothing else went wrong."""

    OVERLOAD = ("--rate", 100, "-c", 1, "-k", "--duration", 0.6)  # of a server that takes 20 a second

    def test_a_failed_check_is_3(self):
        with ScriptedServer(slow(0.05)) as server:
            done = loadgen(*self.OVERLOAD, server.url)
        assert done.returncode == 3, done.stderr

    def test_without_a_report_standard_error_says_which(self):
        with ScriptedServer(slow(0.05)) as server:
            done = loadgen("--json", "-", *self.OVERLOAD, server.url)
        assert done.returncode == 3
        assert done.stderr.startswith(f"loadgen: {server.url}, 100 requests/s: ")

    def test_a_broken_expectation_weighs_more(self):
        with ScriptedServer(slow(0.05)) as server:
            assert loadgen(*self.OVERLOAD, "--expect", "p99<1ms", server.url).returncode == 1

    def test_and_so_do_failed_requests(self):
        with ScriptedServer(resetting) as server:
            done = loadgen("-r", "-n", 10, "--expect", "p50<20s", server.url)
        assert done.returncode == 1 and "expected" not in done.stdout

    def test_a_sweep_without_trouble_is_0(self):
        with ScriptedServer(answering()) as server:
            assert len(loadgen_json("-n", 4, "-c", "1,2", server.url, status=0)["cells"]) == 2
