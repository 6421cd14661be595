"""bench/agree: that it takes from each client what the client says, and holds it against ours. Whether they agree is
nobody's business here: that takes a quiet machine."""

import re
import shutil

import pytest

import benches
from servers import BIN

from harness import agree_clients, agree_measure, agree_report  # noqa: E402
from harness.agree_clients import AGAIN, PERCENTS, RAW, Load  # noqa: E402
from harness.load_clients import AB, H2LOAD, OURS, WRK  # noqa: E402
from harness.machine import Failure  # noqa: E402


def run(*arguments):
    return benches.run("agree", *arguments)


class TestRun:
    @pytest.fixture(scope="class")
    def short(self, tmp_path_factory):
        """A short run of what is compared. Returns (what it printed, its JSON)."""
        path = tmp_path_factory.mktemp("agree") / "run.json"
        return benches.tell("agree", path, "--table", "keepalive,closing,free", "--rounds", 1, "--seconds", 0.1,
                            "--concurrency", 4, "--sleeps", "0,0.01")

    def test_it_prints_the_tables_and_a_goal_for_each_client(self, short):
        output, told = short
        titles = ["one at a time, c = 4", "S = 0.01, c = 4", "one at a time, c = 4, closing", "S = 0.01, c = 4, closing"]
        assert re.findall(r"\n\n(.+)\nclient ", output) == [*titles, "S = 0, c = 4: rates are the clients' own"]
        goals = {goal["goal"]: goal["reached"] for goal in told["goals"]}
        expected = [f"{title}: {name}" for title in titles[:2] for name in (RAW, AB, H2LOAD)]
        expected += [f"{title}: {AB}" for title in titles[2:]]
        assert list(goals) == [*expected, "S = 0: busy within 2% of c = 4"]
        for title in titles:
            assert [name for name in (RAW, AB, H2LOAD) if goals.get(f"{title}: {name}") is not None] == \
                [name for name in (RAW, AB, H2LOAD) if name in told["tables"][title]]

    def test_all_clients_take_part_and_wait_as_long_as_the_server_sleeps(self, short):
        table = short[1]["tables"]["S = 0.01, c = 4"]
        others = [name for name in (WRK, RAW, AB, H2LOAD) if name.split()[0] not in short[1]["left_out"]]
        assert sorted(table) == sorted([OURS, AGAIN, *others])
        for name, row in table.items():
            assert 0 < row["rps"][0] <= 400, name
            assert 10 <= row["p50_ms"][0] <= row["p75_ms"][0] <= row["p90_ms"][0] <= row["p99_ms"][0] <= row["max_ms"][0], name
            assert row["values"][0] == row["answered"][0] or name == WRK

    def test_it_says_what_it_does_not_know(self):
        done = run("--table", "speed")
        assert done.returncode == 2 and "no table speed; there are keepalive, closing, free, edges" in done.stderr
        done = run("--concurrency", "10,0")
        assert done.returncode == 2 and "10,0: at least 1" in done.stderr
        done = run("--peer", "apache")
        assert done.returncode == 1
        if "needs two CPUs" not in done.stderr:
            assert done.stderr.startswith("bench/agree: no client apache; there are loadgen, loadgen again")


class TestClients:
    @pytest.fixture
    def client(self, tmp_path):
        def of(name):
            found = agree_clients.AgreeClients(BIN, tmp_path).named(name)
            if not found:
                pytest.skip(f"{name} is not installed")
            return found[0]
        return of

    def test_wrk_makes_up_times_while_the_server_stands_still_and_they_are_taken_out(self, client, tmp_path):
        table = agree_measure.stalled("test", [client(WRK)], agree_measure.sleeping(BIN, tmp_path, 0.01), 10, 0)
        made_up, raw = table[WRK], table[RAW]
        assert made_up["values"][0] > raw["values"][0] == raw["answered"][0]
        assert made_up["mean_ms"][0] > raw["mean_ms"][0]
        assert made_up["max_ms"] == raw["max_ms"] and raw["max_ms"][0] >= 1000 * agree_measure.STALL_S - 20

    def test_what_is_under_way_at_the_end_of_the_time_is_not_counted(self, client, tmp_path):
        table = agree_measure.windows("test", [client(OURS)], agree_measure.sleeping(BIN, tmp_path, 0.3), 2, 4)
        assert table["loadgen, -n 4"]["answered"] == [4]
        assert table["loadgen, 1 s"]["answered"][0] <= 6 and table["loadgen, 1 s"]["seconds"][0] >= 1

    def test_an_open_loop_is_asked_for_by_its_rate(self, client):
        command = client(agree_clients.DUE).arguments(Load(10, seconds=3, rate=500))
        assert command[command.index("--rate") + 1] == 500 and command[command.index("--duration") + 1] == 3

    def test_ab_is_read_as_it_prints_and_as_it_writes(self, client, tmp_path):
        table, ab = {}, client(AB)
        agree_measure.ask(table, ab, agree_measure.sleeping(BIN, tmp_path, 0.01), Load(5, 100))
        assert table[AB]["answered"] == [100]
        assert sorted(ab.printed) == [50, 66, 75, 80, 90, 95, 98, 99, 100] and sorted(ab.exact) == list(range(101))
        assert all(abs(ab.printed[percent] - ab.exact[percent]) <= 1 for percent in (50, 100))

    def test_one_that_counts_others_than_the_server_is_refused(self, tmp_path):
        class Boaster(agree_clients.Loadgen):
            def figures(self, text, load):
                return {name: {**told, "answered": told["answered"] + 1} for name, told in super().figures(text, load).items()}

        boaster = Boaster(BIN / "loadgen", tmp_path)
        with pytest.raises(Failure, match="^loadgen says that 5 were answered, and the server 4$"):
            agree_measure.ask({}, boaster, agree_measure.sleeping(BIN, tmp_path, 0), Load(2, 4))

    def test_one_that_fails_is_told_with_its_command_and_last_words(self, tmp_path):
        broken = agree_clients.Loadgen(shutil.which("false"), tmp_path)
        with pytest.raises(Failure, match="^loadgen ended with 1: .*false -q -k -c 2 -n 4 "):
            agree_measure.ask({}, broken, agree_measure.sleeping(BIN, tmp_path, 0), Load(2, 4))


def corrected(times, expected):
    """What stats_correct of wrk makes of TIMES."""
    histogram = {}
    for time in times:
        histogram[time] = histogram.get(time, 0) + 1
    for time in range(2 * expected, max(histogram) + 1):
        count, made_up = histogram.get(time, 0), time - expected
        while count and made_up > expected:
            histogram[made_up] = histogram.get(made_up, 0) + count
            made_up -= expected
    return histogram


class TestFigures:
    @pytest.mark.parametrize("times", [[100], [100, 199, 200, 201], [100] * 5 + [1000] * 3 + [700, 699, 350],
                                       [1000, 900, 800, 50]])
    def test_what_wrk_made_up_can_be_taken_back(self, times):
        made = corrected(times, 100)
        assert sum(made.values()) >= len(times)
        raw = agree_clients.uncorrected(made, 100)
        assert sorted(time for time, count in raw.items() for _ in range(count)) == sorted(times)

    def test_a_distribution_of_a_histogram(self):
        told = agree_clients.distribution({1000: 98, 2000: 1, 5000: 1})
        assert told == {"p50_ms": 1, "p75_ms": 1, "p90_ms": 1, "p99_ms": 2, "max_ms": 5, "values": 100, "mean_ms": 1.05}
        assert agree_clients.distribution({})["values"] == 0

    def test_a_run_is_long_enough_for_what_it_is_judged_by(self, tmp_path):
        wrk, ours = agree_clients.Wrk("wrk", tmp_path), agree_clients.Loadgen("loadgen", tmp_path)
        assert agree_measure.load_of(ours, 10, 0.5, 0.01, True) == Load(10, 500, 1)
        assert agree_measure.load_of(ours, 10, 0.5, 0.1, False) == Load(10, 100, 1, keeps=False)
        assert agree_measure.load_of(wrk, 10, 0.5, 0.1, True) == Load(10, 0, 7)
        assert agree_measure.load_of(agree_clients.Ab("ab", tmp_path), 10, 0.5, 0.01, True) == Load(10, 501, 1)

    def row(self, rps=(100, 100, 100), **times):
        return {"rps": list(rps), **{f"p{percent}_ms": times.get(f"p{percent}", [10.0, 10.0, 10.0]) for percent in PERCENTS}}

    def test_the_percentile_that_differs_most_is_told_and_judged(self):
        goals = agree_report.Goals()
        alone = {"answered": [101] * 3, "seconds": [1.01] * 3, "alone_ms": [10.0] * 3}
        table = {OURS: self.row(), AGAIN: self.row(), WRK: self.row(p50=[90.0] * 3), H2LOAD: self.row(rps=(60, 101.5, 90)),
                 RAW: self.row(p99=[10.3, 10.15, 90.0]), AB: {**self.row(p90=[10.25, 10.3, 50.0]), **alone}}
        goals.agree("x", table)
        assert [row.goal for row in goals.rows] == ["x: wrk raw", "x: ab", "x: h2load"]
        assert benches.judged(goals) == [("+0.0%, p99 +0.150 ms", True), ("+0.0%, p90 +0.250 ms", False),
                                         ("+1.5%, p50 +0.000 ms", True)]
        table[H2LOAD] = self.row(rps=(97, 97, 90))
        goals.agree("x", table)
        assert benches.judged(goals)[5] == ("-3.0%, p50 +0.000 ms", False)

    def test_a_client_that_is_not_installed_leaves_a_goal_unknown(self):
        goals = agree_report.Goals({OURS, AGAIN, AB, H2LOAD})
        goals.agree("x", {OURS: self.row(), H2LOAD: self.row()})
        assert [(row.goal, row.reached) for row in goals.rows] == [("x: ab", None), ("x: h2load", True)]
        assert goals.unreached() == 1

    def test_of_a_long_time_two_percent_are_allowed(self):
        goals = agree_report.Goals()
        late = {f"p{percent}": [100.0] * 3 for percent in PERCENTS}
        goals.agree("x", {OURS: self.row(**late), H2LOAD: self.row(**{**late, "p99": [101.9] * 3})})
        assert benches.judged(goals)[-1] == ("+0.0%, p99 +1.900 ms", True)

    def test_what_is_under_way_is_the_rate_times_the_mean(self):
        goals = agree_report.Goals()
        goals.busy(10, {OURS: {"rps": [1000, 900], "mean_ms": [9.9, 11.0]}})
        goals.busy(10, {OURS: {"rps": [1000], "mean_ms": [9.7]}})
        assert benches.judged(goals) == [("9.90 9.90..9.90", True), ("9.70", False)]
        assert {row.goal for row in goals.rows} == {"S = 0: busy within 2% of c = 10"}
