"""What the benchmarks make of what they have measured: whether goals are judged by it, and whether requests came as asked."""

import argparse
import itertools
import json
import re
import random
import types

import pytest

import benches  # noqa: F401  it finds the harness

from harness import admin, arrivals, entrants, goals, machine, measure, run  # noqa: E402


class TestInterval:
    def test_of_few_rounds_it_is_all_of_them_and_of_many_the_middle(self):
        for count in range(1, 9):
            assert goals.interval(list(range(count))) == (0, count - 1)
        assert goals.interval([5, 1, 9, 3, 7, 2, 8, 4, 6]) == (2, 8)
        assert goals.interval(list(range(20))) == (5, 14)

    def test_it_holds_the_median_as_often_as_it_says(self):
        draw = random.Random(1)
        for count in (5, 9, 20):
            samples = [[draw.random() for _ in range(count)] for _ in range(4000)]
            held = sum(low <= 0.5 <= high for low, high in map(goals.interval, samples)) / len(samples)
            assert goals.SURE - 0.02 <= held <= 0.99


class TestVerdicts:
    def judge(self, values, limit=1):
        told = goals.GoalList()
        told.judge("x", values, lambda value: value <= limit)
        return told

    @pytest.mark.parametrize("values, verdict", [
        ([0.9, 0.8, 0.95], "reached"), ([0.9, 0.8, 1.1], "reached?"), ([1.2, 1.1, 1.3], "MISSED"), ([1.2, 0.9, 1.3], "MISSED?"),
        ([1.0], "reached"), ([], "UNKNOWN"), (None, "UNKNOWN")])
    def test_one_whose_limit_lies_within_the_spread_is_marked(self, values, verdict):
        told = self.judge(values)
        assert [row.verdict for row in told.rows] == [verdict]
        assert told.unreached() == (not verdict.startswith("reached"))

    def test_a_mark_is_explained_where_there_is_one(self, capsys):
        self.judge([0.9, 0.8, 1.1]).print()
        output = capsys.readouterr().out
        assert f"x{'0.900 0.800..1.100':>69}  reached?\n(a..b holds the true median" in output
        assert max(map(len, output.splitlines())) <= 80
        self.judge([0.9, 0.8, 0.9]).print()
        assert "(" not in capsys.readouterr().out

    def test_a_figure_of_somebody_who_is_not_there_is_none(self):
        table = {"a": {"x": [2, 4]}, "b": {"x": [1, 1]}}
        assert goals.values_of(table, "a", "x") == [2, 4] and goals.values_of(table, "a", "x", "b") == [2, 4]
        assert goals.values_of(table, "c", "x") is None and goals.values_of(table, "a", "x", "c") is None


class TestRounds:
    def test_everybody_has_a_turn_in_each_and_the_order_changes(self):
        peers = [types.SimpleNamespace(name=name) for name in "abcd"]
        order = "".join(peer.name for peer in measure.rounds("", 40, peers))
        each = [order[at:at + 4] for at in range(0, len(order), 4)]
        assert len(each) == 40 and {"".join(sorted(one)) for one in each} == {"abcd"}
        assert len(set(each)) > 1
        assert list(measure.rows(peers)) == ["a", "b", "c", "d"]


class TestArrivals:
    RATE = 10000

    def times(self, gaps):
        """In ns, of gaps in means."""
        return [round(mean * 1e9 / self.RATE) for mean in itertools.accumulate(gaps)]

    def is_exponential(self, times):
        found = arrivals.gaps(times, self.RATE)
        return arrivals.distance(found) <= arrivals.limit(len(found))

    @pytest.fixture
    def exponential(self):
        draw = random.Random(1)
        return [draw.expovariate(1) for _ in range(20000)]

    def test_exponential_gaps_are_accepted(self, exponential):
        assert self.is_exponential(self.times(exponential))

    def test_whatever_the_server_does_to_those_that_come_close_together(self, exponential):
        taken, times = 0, []
        for time_ns in self.times(exponential):  # 3 us each, and 20 us to wake up
            taken = max(taken + 3000, time_ns + (20000 if time_ns > taken else 0))
            times.append(taken)
        assert self.is_exponential(times)

    @pytest.mark.parametrize("change", [
        lambda gap, _: 1,  # constant
        lambda gap, draw: 2 * draw.random(),  # uniform
        lambda gap, draw: gap * 1.1,  # too few
        lambda gap, draw: gap * 0.9,  # too many
        lambda gap, draw: 2 * gap if draw.random() < 0.5 else 0,  # two at a time
        lambda gap, draw: gap * (0.5 if draw.random() < 0.5 else 1.5),  # now more, now fewer
    ])
    def test_others_are_not(self, exponential, change):
        draw = random.Random(2)
        assert not self.is_exponential(self.times([change(gap, draw) for gap in exponential]))

    def test_nothing_is_not_exponential(self):
        assert not self.is_exponential([])

    def test_the_limit_is_passed_as_often_as_it_says(self):
        draw = random.Random(3)
        passed = 0
        for _ in range(300):
            found = [draw.expovariate(1) for _ in range(100)]
            passed += arrivals.distance(found) > arrivals.limit(100) - arrivals.SLACK
        assert 0 <= passed <= 10  # 3 of 300; 10 or more happen once in a thousand

    def test_lateness_is_measured_from_the_earliest_on_the_grid(self):
        times = [1_000_000 * number for number in range(200)]
        assert arrivals.off_grid_us(times, 1000) == 0
        times[3:6] = [time + 70_000 for time in times[3:6]]
        assert arrivals.off_grid_us(times, 1000) == pytest.approx(70)


class TestMachine:
    def test_what_the_host_takes_is_counted_from_the_beginning(self, tmp_path):
        stat = tmp_path / "stat"
        stat.write_text("cpu  100 0 50 800 0 0 0 50 10 0\ncpu0 1 2 3\n")
        stolen = machine.Stolen(stat)
        assert stolen.percent() == 0
        stat.write_text("cpu  150 0 75 900 0 0 0 75 60 0\ncpu0 1 2 3\n")
        assert stolen.percent() == pytest.approx(12.5)

    def test_a_governor_is_named_where_there_is_one(self, tmp_path):
        assert machine.governor(tmp_path) == []
        for cpu, name in ((0, "powersave"), (1, "performance"), (2, "powersave")):
            (tmp_path / f"cpu{cpu}/cpufreq").mkdir(parents=True)
            (tmp_path / f"cpu{cpu}/cpufreq/scaling_governor").write_text(f"{name}\n")
        assert machine.governor(tmp_path) == ["governor performance and powersave"]

    @pytest.mark.parametrize("name, option, says, version", [
        ("wrk", "-v", "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012", "4.1.0-3+b2"),
        ("ab", "-V", "This is ApacheBench, Version 2.3 <$Revision$>", "2.3"),
        ("h2load", "--version", "h2load nghttp2/1.52.0", "1.52.0"),
        ("hey", "--version", "flag provided but not defined: -version", "?"),
    ])
    def test_a_client_is_asked_for_its_version_as_it_knows_it(self, tmp_path, name, option, says, version):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n[ \"$1\" = {option} ] && echo '{says}' >&2\nexit 1\n")
        path.chmod(0o755)
        assert machine.version_of(path) == version

    def test_a_server_that_does_not_say_what_it_counts_is_told(self, tmp_path):
        with pytest.raises(machine.Failure, match="^async_server does not say what it counts: "):
            admin.AdminServer(tmp_path, tmp_path).open_connections()


class TestEntrants:
    def test_those_who_are_named_stay_or_are_missing(self):
        everybody = entrants.Entrants()
        everybody.all = [types.SimpleNamespace(name=name) for name in "abc"]
        for name in "xyx":
            everybody.leave_out(name, "package")
        assert everybody.left_out == [("x", "package"), ("y", "package")]
        everybody.keep(["c", "a", "y"])
        assert [one.name for one in everybody.all] == ["a", "c"] and everybody.left_out == [("y", "package")]
        assert everybody.names() == {"a", "c", "y"}
        with pytest.raises(machine.Failure, match="^no client b, q; there are a, c$"):
            everybody.keep(["a", "b", "q"])


class TestEnd:
    """Of a run: what was measured is told, whatever ends it."""

    class Run(run.Run):
        TABLES = ("first", "second", "third")

        def first(self):
            self.tables["first"] = {"x": [1]}
            self.goals.add("first", "1", True)

        def second(self):
            raise self.options.error

        def client_paths(self):
            return []

    def end(self, monkeypatch, error, path, tables=("first", "second", "third")):
        monkeypatch.setattr(run, "check_programs", lambda *_: None)
        monkeypatch.setattr(run.signal, "signal", lambda *_: None)  # of the tests themselves
        monkeypatch.setattr(machine, "set_cpu", lambda *_: None)
        options = argparse.Namespace(table=list(tables), peer=None, rounds=1, seconds=1, json=path, error=error)

        class Run(self.Run):
            def __init__(self, options, folder):
                super().__init__(options, folder, entrants.Entrants(), goals.GoalList())

            def write_json(self, failure):
                self.options.error = str(error)
                super().write_json(failure)

        return run.main("x", Run, options)

    @pytest.mark.parametrize("error, status, why", [
        (machine.Failure("no luck"), 1, "no luck"), (KeyboardInterrupt(), 130, "interrupted")])
    def test_by_a_failure(self, monkeypatch, capsys, tmp_path, error, status, why):
        assert self.end(monkeypatch, error, tmp_path / "run.json") == status
        said = capsys.readouterr()
        assert said.err == f"bench/x: {why}\n"
        assert re.search(rf"reached\n\(the host took .*\)\n\(second, third: not measured: {why}\)\n$", said.out)
        told = json.loads((tmp_path / "run.json").read_text())
        assert told["failure"] == why and told["not_measured"] == ["second", "third"]
        assert told["tables"] == {"first": {"x": [1]}}

    def test_by_an_error_of_the_benchmark_itself(self, monkeypatch, capsys, tmp_path):
        with pytest.raises(KeyError):
            self.end(monkeypatch, KeyError("rps"), tmp_path / "run.json")
        assert "(second, third: not measured: KeyError: 'rps')" in capsys.readouterr().out
        assert json.loads((tmp_path / "run.json").read_text())["failure"] == "KeyError: 'rps'"

    def test_goals_are_printed_where_json_cannot_be_written(self, monkeypatch, capsys, tmp_path):
        with pytest.raises(OSError):
            self.end(monkeypatch, None, tmp_path / "no/run.json", ["first"])
        assert "first" in capsys.readouterr().out

    def test_well(self, monkeypatch, capsys, tmp_path):
        assert self.end(monkeypatch, None, tmp_path / "run.json", ["first"]) == 0
        told = json.loads((tmp_path / "run.json").read_text())
        assert told["failure"] is None and told["not_measured"] == []
        assert "not measured" not in capsys.readouterr().out
