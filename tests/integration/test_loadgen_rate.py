"""The open loop of loadgen: what leaves, and when, as a server sees it."""

import json
import math
import resource
import signal
import statistics
import subprocess
import time

import pytest

from load import DOUBTFUL, LOADGEN, OK, WELL, ScriptedServer, answering, default_signals, loadgen
from servers import PATIENCE, wait_until


class Stamping(ScriptedServer):
    """Answers everything, and remembers when each request came, in seconds."""

    def __init__(self, pause=0):
        self.times = []
        super().__init__(answering(self.answer))
        self.pause = pause

    def answer(self, _):
        self.times.append(time.monotonic())
        time.sleep(self.pause)
        return OK

    def rate(self):
        """Requests per second: the slope of a line through all, which a few that are late hardly move."""
        return 1 / statistics.linear_regression(range(len(self.times)), sorted(self.times)).slope

    def gaps(self):
        times = sorted(self.times)
        return [late - early for early, late in zip(times, times[1:])]

    def since_first(self):
        return [moment - min(self.times) for moment in sorted(self.times)]


def spread(values):
    """How far they are apart, wherever they lie: a first request that is late, from which others count, does not matter."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def result_of(done):
    assert done.returncode in WELL, done.stderr
    cells = json.loads(done.stdout)["cells"]
    assert len(cells) == 1
    return cells[0]


def run(*arguments):
    """Runs loadgen with keep-alive, and returns its cell, whatever its checks say."""
    return result_of(loadgen("--json", "-", "-k", *arguments))


def distance_from_exponential(gaps, mean):
    """The Kolmogorov-Smirnov distance."""
    expected = sorted(1 - math.exp(-gap / mean) for gap in gaps)
    count = len(gaps)
    return max(max(value - i / count, (i + 1) / count - value) for i, value in enumerate(expected))


class TestConstantArrivals:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_the_rate_is_kept_within_one_percent(self, threads):
        with Stamping() as server:
            cell = run("--rate", 200, "-n", 400, "--threads", threads, server.url)
        assert cell["complete"] == len(server.times) == 400
        assert 198 < server.rate() < 202
        assert cell["rate"]["due"] == pytest.approx(200, rel=1e-6)
        assert 198 < cell["rate"]["started"] < 202

    def test_the_gaps_are_even(self):
        with Stamping() as server:
            run("--rate", 100, "-n", 150, server.url)
        assert 0.0095 < statistics.median(server.gaps()) < 0.0105
        assert distance_from_exponential(server.gaps(), 0.01) > 0.3

    def test_a_rate_may_have_a_fraction(self):
        with Stamping() as server:
            run("--rate", "12.5", "-n", 16, server.url)
        assert 12 < server.rate() < 13

    def test_the_server_does_not_slow_it_down(self):
        # 50 requests a second of 0.2 s each: in a closed loop, ten of ten connections would be busy all the time
        with Stamping(pause=0.2) as server:
            cell = run("--rate", 50, "-n", 75, server.url)
        assert 49 < server.rate() < 51
        assert server.most_open >= 8
        assert cell["latency_ms"]["p50"] >= 200


class TestPoissonArrivals:
    @pytest.mark.parametrize("threads", [1, 2])
    def test_the_gaps_are_exponential(self, threads):
        with Stamping() as server:
            cell = run("--rate", 200, "-n", 500, "--arrivals", "poisson", "--threads", threads, server.url)
        assert cell["complete"] == len(server.times) == 500
        # Chance alone exceeds 2.2 / sqrt(500) once in 10000 runs; the rest is for a machine that has other things to do.
        assert distance_from_exponential(server.gaps(), 1 / 200) < 2.2 / math.sqrt(500) + 0.1

    def test_the_seed_decides_them(self):
        runs = []
        for seed in (5, 5, 6):
            with Stamping() as server:
                run("--rate", 100, "-n", 60, "--arrivals", "poisson", "--seed", seed, server.url)
            runs.append(server.since_first())
        apart = [spread([a - b for a, b in zip(runs[0], other)]) for other in runs[1:]]
        assert apart[0] < 0.005 < apart[1]


class TestRamp:
    def test_it_goes_evenly_from_one_rate_to_the_other(self):
        with Stamping() as server:
            run("--ramp", "0:200:2", server.url)
        moments = server.since_first()
        # The Nth request comes when N of the triangle's area have gone by, which ends with the ramp.
        assert 190 <= len(moments) <= 210
        off = [moment - 2 * math.sqrt(number / 200) for number, moment in enumerate(moments)]
        assert spread(off) < 0.02

    def test_it_stays_at_its_last_rate(self):
        with Stamping() as server:
            run("--ramp", "200:100:1", "--duration", 2, server.url)
        moments = server.since_first()
        assert 140 <= sum(moment < 1 for moment in moments) <= 160
        assert 240 <= len(moments) <= 260

    def test_a_ramp_down_to_0_ends_when_its_last_answer_has_come(self):
        with Stamping() as server:
            begun = time.monotonic()
            cell = run("--ramp", "100:0:1", "--duration", 100, server.url)
            assert time.monotonic() - begun < 50
        assert cell["complete"] == len(server.times) == 50
        assert cell["unfinished"] == 0

    def test_it_begins_when_the_warm_up_ends(self):
        with Stamping() as server:
            cell = run("--ramp", "20:200:2", "--warmup", 1, server.url)
        moments = server.since_first()
        assert cell["ramp"] == {"from": 20, "to": 200, "seconds": 2}
        assert sum(moment < 1 for moment in moments) == pytest.approx(20, abs=15)  # at the first rate
        assert sum(1 <= moment < 2 for moment in moments) == pytest.approx((20 + 110) / 2, abs=25)
        assert cell["complete"] + cell["unfinished"] + cell["missed"] == pytest.approx((20 + 200) / 2 * 2, abs=20)

    def test_one_that_begins_with_0_warms_nothing_up(self):
        with Stamping() as server:
            cell = run("--ramp", "0:100:1", "--warmup", 0.5, "-n", 50, server.url)
        assert cell["complete"] == 50
        assert len(server.times) <= 51  # the first is due in the moment in which the counting begins

    def test_one_that_has_its_only_request_in_the_warm_up_leaves_nothing_to_measure(self):
        with Stamping() as server:
            begun = time.monotonic()
            cell = run("--ramp", "0.5:0:0.5", "--warmup", 1, "--duration", 100, server.url)
            assert time.monotonic() - begun < 50
        assert len(server.times) == 1
        assert cell["complete"] == 0

    def test_threads_without_a_request_in_it_end_too(self):
        with Stamping() as server:
            cell = run("--ramp", "6:0:1", "--duration", 100, "--threads", 8, "-c", 8, server.url)
        assert cell["complete"] == len(server.times) == 3


class TestEnds:
    def test_the_duration_ends_it(self):
        with Stamping() as server:
            cell = run("--rate", 100, "--duration", 1.5, server.url)
        assert 149 <= cell["complete"] + cell["unfinished"] <= 152
        assert 1.5 <= cell["duration_s"] < 2.5

    def test_the_number_of_requests_ends_it_before_the_duration(self):
        with Stamping() as server:
            cell = run("--rate", 200, "-n", 31, "--duration", 100, "--threads", 2, server.url)
        assert cell["complete"] == len(server.times) == 31
        assert cell["duration_s"] < 50

    def test_what_warms_up_is_not_counted(self):
        with Stamping() as server:
            cell = run("--rate", 100, "--warmup", 1, "--duration", 1, server.url)
        assert 198 <= len(server.times) <= 204
        assert 98 <= cell["complete"] + cell["unfinished"] <= 104

    def test_the_cpu_time_of_the_warm_up_is_not_counted(self):
        def busy_at_first(_):
            time.sleep(0 if time.monotonic() < slow_from else 0.2)
            return OK

        with ScriptedServer(answering(busy_at_first)) as server:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            slow_from = time.monotonic() + 1.2
            cell = run("-c", 4, "--warmup", 1.5, "--duration", 0.5, server.url)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert 0 < cell["client_cpu_s"] < whole / 2

    @pytest.mark.parametrize("load", [[], ["--rate", "100"]], ids=["closed", "open"])
    def test_one_that_is_interrupted_while_it_warms_up_has_measured_nothing(self, load):
        with Stamping(pause=0.01) as server:
            with subprocess.Popen([LOADGEN, "--json", "-", "-k", "--warmup", "100", "--duration", "1", *load, server.url],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default_signals) as process:
                wait_until(lambda: len(server.times) > 20, "the first requests")
                process.send_signal(signal.SIGINT)
                output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        result = json.loads(output)
        assert result["interrupted"] and result["cells"] == []

    def test_requests_under_way_when_time_is_up_are_unfinished(self):
        with Stamping(pause=1.5) as server:
            done = loadgen("--json", "-", "-k", "--rate", 20, "--duration", 1, server.url)
        assert done.returncode == 1  # nothing was answered at all
        cell = json.loads(done.stdout)["cells"][0]
        assert cell["complete"] == 0
        assert 19 <= cell["unfinished"] <= 22


class TestConnections:
    def test_they_are_opened_on_demand(self):
        with Stamping() as server:
            run("--rate", 40, "-n", 40, server.url)
        assert server.connections <= 10  # of 100: the one used last is used first

    def test_no_more_than_asked_for(self):
        with Stamping(pause=0.1) as server:
            run("--rate", 100, "-n", 60, "-c", 4, server.url)
        assert server.connections == 4

    def test_each_request_has_one_of_its_own_without_keep_alive(self):
        with Stamping() as server:
            cell = result_of(loadgen("--json", "-", "--rate", 100, "-n", 50, server.url))
        assert cell["complete"] == server.connections == 50

    def test_the_time_spent_waiting_for_one_counts(self):
        # 4 connections of 0.1 s each serve 40 requests a second; the 60th of 100 a second is due after 0.6 s, and ends after 1.5 s
        with Stamping(pause=0.1) as server:
            cell = run("--rate", 100, "-n", 60, "-c", 4, server.url)
        assert cell["latency_ms"]["max"] >= 850


class TestStalls:
    def test_what_was_due_while_loadgen_stood_still_leaves_afterwards(self):
        with Stamping() as server:
            with subprocess.Popen([LOADGEN, "--json", "-", "-k", "--rate", "100", "--duration", "2", server.url],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default_signals) as process:
                wait_until(lambda: len(server.times) > 20, "the first requests")
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.5)
                process.send_signal(signal.SIGCONT)
                output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == DOUBTFUL  # a client that stood still has measured itself
        cell = json.loads(output)["cells"][0]
        assert 198 <= cell["complete"] + cell["unfinished"] <= 204
        assert cell["latency_ms"]["max"] >= 450
        # ... and the rate goes on as before: what came late did not move what came after it
        assert statistics.median(server.gaps()) == pytest.approx(0.01, abs=0.002)
