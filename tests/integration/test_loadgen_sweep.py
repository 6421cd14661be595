"""Sweeps: their axes, repetitions in random order, and what those come to."""

import json
import re
import signal
import subprocess
import time

import pytest

from load import LOADGEN, OK, WELL, ScriptedServer, answering, default_signals, free_port, loadgen, loadgen_json
from servers import PATIENCE, wait_until


def paths_of(*arguments, paths):
    """Runs loadgen on each of PATHS of one server; returns the result and the paths as they were asked for."""
    seen = []
    with ScriptedServer(answering(lambda request: seen.append(request.split()[1].decode()) or OK)) as server:
        result = loadgen_json(*arguments, *[server.url.rstrip("/") + path for path in paths])
    return result, seen


class TestAxes:
    def test_lists_make_a_full_sweep(self):
        with ScriptedServer(answering()) as server:
            result = loadgen_json("-n", 4, "-c", "1,2", "--sleep", "0,0.001", server.url + "a", server.url + "b")
        assert [(cell["sleep_s"], cell["concurrency"], cell["target"][-1]) for cell in result["cells"]] == [
            (sleep, c, target) for sleep in (0, 0.001) for c in (1, 2) for target in "ab"]

    def test_rates_are_an_axis_too(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("--json", "-", "--rate", "20,60.5", "-n", 6, "-c", "5,6", "-k", server.url)
        assert done.returncode in (0, 3)  # 3: on a loaded machine it may be late
        cells = json.loads(done.stdout)["cells"]
        assert [cell["concurrency"] for cell in cells] == [5, 6, 5, 6]
        assert [cell["complete"] for cell in cells] == [6] * 4
        # Six requests are due within 5 gaps.
        assert all(cell["duration_s"] >= 5 / 20 for cell in cells[:2])

    @pytest.mark.parametrize("arguments", [("-c", "2,4,2"), ("--sleep", "0.1,1e-1"), ("--rate", "5,5.0")])
    def test_a_value_that_stands_there_twice_is_refused(self, arguments):
        done = loadgen(*arguments, f"http://127.0.0.1:{free_port()}/")
        assert done.returncode == 2
        assert "stands there twice; to measure a cell more than once use --repeat" in done.stderr


class TestRepetitions:
    PATHS = [f"/{letter}" for letter in "abcdefgh"]

    def test_each_repetition_runs_all_cells_in_an_order_of_its_own(self):
        result, seen = paths_of("-n", 1, "--repeat", 3, paths=self.PATHS)
        rounds = [seen[i:i + 8] for i in range(0, 24, 8)]
        assert all(sorted(one) == self.PATHS for one in rounds)
        assert len({tuple(one) for one in rounds}) == 3  # by chance once in 20,000 seeds, and the seed is fixed
        assert [cell["target"][-2:] for cell in result["cells"]] == self.PATHS  # as they were given
        assert [cell["complete"] for cell in result["cells"]] == [3] * 8

    def test_the_seed_decides_about_the_order(self):
        orders = [paths_of("-n", 1, "--repeat", 2, "--seed", seed, paths=self.PATHS)[1] for seed in (7, 7, 8)]
        assert orders[0] == orders[1] != orders[2]

    def test_without_repetitions_the_order_is_as_given(self):
        assert paths_of("-n", 1, paths=self.PATHS)[1] == self.PATHS

    def test_figures_are_of_all_repetitions_together(self):
        waits = iter([0.05] * 4 + [0.1] * 4)

        def script(peer):
            while peer.request():
                time.sleep(next(waits))
                peer.send(OK)

        with ScriptedServer(script) as server:
            cell = loadgen_json("-n", 4, "-k", "--repeat", 2, server.url)["cells"][0]
        assert cell["complete"] == 8
        assert cell["duration_s"] >= 0.6
        assert cell["rps"] == pytest.approx(8 / cell["duration_s"])
        assert 50 <= cell["latency_ms"]["min"] < 100 <= cell["latency_ms"]["max"]
        assert cell["latency_ms"]["mean"] >= 75
        assert cell["bytes"]["received"] == 8 * len(OK)

    def test_a_server_that_goes_away_leaves_what_was_measured(self):
        def script(peer):
            """Goes away in the midst of a later repetition, when nobody waits to be accepted."""
            asked = 0
            while peer.request():
                asked += 1
                if peer.number > 0 and asked == 2 and not gone:
                    gone.append(peer)
                    dying.stop_listening()
                peer.send(OK)

        gone = []
        with ScriptedServer(script) as dying, ScriptedServer(answering()) as server:
            done = loadgen("--json", "-", "--duration", 0.2, "-k", "--repeat", 8, dying.url, server.url)
        cells = json.loads(done.stdout)["cells"]
        assert done.returncode == 1
        assert done.stderr.count(f"loadgen: {dying.url}: connection refused; is the server running?\n") == 1  # not tried again
        assert [cell["target"] for cell in cells] == [dying.url, server.url]
        assert all(cell["complete"] > 0 for cell in cells)

    def test_sigint_keeps_the_repetitions_that_were_done(self):
        with ScriptedServer(answering()) as server:
            process = subprocess.Popen(
                [LOADGEN, "--json", "-", "--duration", "0.2", "-k", "--repeat", "100", server.url],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default_signals)
            wait_until(lambda: server.connections >= 5, "a third repetition")  # before each but the first one request more
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        result = json.loads(out)
        assert result["interrupted"] is True
        assert result["cells"][0]["duration_s"] >= 0.4


def test_memory_that_is_not_there_is_named():
    if re.search(rb"__[at]san_init", LOADGEN.read_bytes()):
        pytest.skip("the sanitizer needs address space itself")
    with ScriptedServer(answering()) as server:
        # Room for the program, and not for the stacks of its threads.
        done = subprocess.run(["sh", "-c", 'ulimit -v 1000000; exec "$0" "$@"', LOADGEN, "-n", "256", "-c", "256", "--threads", "256",
                               server.url], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stderr == (f"loadgen: {server.url}: cannot measure: cannot allocate memory; "
                           "lower --threads, -c or --pipeline, or raise the limit of memory (ulimit -v)\n")
    assert server.connections == 0


class TestTable:
    def test_two_targets_compared_over_repetitions(self):
        def script(peer):
            while peer.request():
                time.sleep(0.02)
                peer.send(OK)

        with ScriptedServer(answering()) as fast, ScriptedServer(script) as slow:
            done = loadgen("-n", 10, "-k", "--repeat", 3, slow.url, fast.url)
        assert done.returncode in WELL
        assert "10 requests a cell, 3 repetitions" in done.stdout.splitlines()[0]
        slow_row, fast_row = [line for line in done.stdout.splitlines() if re.match(r"[AB] +1 ", line)]
        assert slow_row.split()[2] == fast_row.split()[2] == "30"
        assert "x" not in slow_row
        ratio, interval = re.search(r"x([0-9.]+) \+-([0-9.]+)$", fast_row).groups()
        assert float(ratio) > 1 and float(interval) >= 0
        assert "+- 95% intervals, of 3 repetitions in random order (Student's t)" in done.stdout
        assert "* p99 of fewer than 368 requests" in done.stdout
        assert "Ratios of single runs" not in done.stdout

    def test_ratios_of_single_runs_say_so(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("-n", 4, "-c", "1,2", server.url, server.url)
        assert re.search(r"^B +2 .* x[0-9.]+$", done.stdout, re.MULTILINE)
        assert done.stdout.endswith("Ratios of single runs: --repeat 5 says how far they can be trusted\n")

    def test_rates_have_a_column(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("--rate", "40,80.5", "-n", 4, "-k", server.url)
        lines = [line.split() for line in done.stdout.splitlines()]
        assert done.stdout.startswith("loadgen 0.1.0, open loop (constant), at most 100 connections, 4 requests a cell")
        head = lines.index(["rate", "done", "failed", "rps", "mean", "p50", "p99", "max"])
        assert [line[:3] for line in lines[head + 1:head + 3]] == [["40", "4", "0"], ["80.5", "4", "0"]]

    def test_a_closed_loop_says_what_it_hides(self):
        def script(peer):
            for number in range(1000):
                if not peer.request():
                    return
                time.sleep(0.3 if number == 5 else 0)
                peer.send(OK)

        with ScriptedServer(script) as server:
            done = loadgen("-n", 100, "-k", "-c", "1,2", server.url)
        assert re.search(r"^1 .* [0-9.]+~$", done.stdout, re.MULTILINE)
        assert "\n~ a pause, in which a closed loop asks for nothing" in done.stdout
        assert "--rate" in done.stdout

    def test_a_cell_without_any_answer_is_a_row_of_dashes(self):
        with ScriptedServer(lambda peer: peer.socket.recv(100) and time.sleep(1)) as server:
            done = loadgen("--duration", 0.1, "-c", "1,2", server.url)
        rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("1 ", "2 "))]
        assert [row[:3] for row in rows] == [["1", "0", "0"], ["2", "0", "0"]]
        assert all(row[4:] == ["-"] * 5 for row in rows)
