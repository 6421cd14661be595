"""bench/loadgen: that it measures what it says, and believes no client. What it measures here is nobody's business: it has
no time to."""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

import pytest

import benches
from load import ScriptedServer

from harness import load_clients, load_measure, load_report, machine  # noqa: E402

TITLES = ["GET / keep-alive, 1 connections", "GET / keep-alive, 8 connections",
          "Bodies of 64 KiB, 16 connections: CPU seconds per gigabyte",
          "Bodies of 1024 KiB, 16 connections: CPU seconds per gigabyte", "GET /, a connection for each, 8 at a time",
          "GET / pipelined by 4, 8 connections", "Resident bytes per connection, of 1000 to 1050",
          "Connections of loadgen, each asleep for 0.2 s", "loadgen --rate 500, and how much later than due requests left",
          "Answers after 10 ms, 1 connections", "Answers after 10 ms, 10 connections"]


def run(*arguments, **more):
    return benches.run("loadgen", *arguments, **more)


class TestRun:
    @pytest.fixture(scope="class")
    def short(self, tmp_path_factory):
        """A short run of all tables. Returns (what it printed, its JSON)."""
        path = tmp_path_factory.mktemp("bench") / "run.json"
        return benches.tell("loadgen", path, "--peer", "wrk", "--rounds", 1, "--seconds", 0.1, "--connections", "1,8",
                            "--concurrency", 8, "--pipeline", 4, "--memory", 1050, "--held", 50, "--nap", 0.2, "--naps", 5,
                            "--rate", 500, "--seconds-paced", 1, "--seconds-timed", 1)

    def test_it_prints_every_table_and_goal(self, short):
        output, told = short
        assert re.findall(r"\n\n(.+)\n(?:client|connections|gaps) ", output) == TITLES
        assert len(told["goals"]) >= 10, output

    def test_it_says_on_what_it_was_measured(self, short):
        head = " ".join(short[0].partition("\n\n")[0].split())
        assert re.search(r"Linux \S+,.* ulimit -n \d+ \(at most \w+\), local ports \d+\.\.\d+, revision \S+ clients: ", head)
        assert re.search(r"clients: loadgen \d[\d.]+(, wrk \d\S*)? 1 rounds of 0\.1 s", head)

    def test_clients_take_part_where_they_should(self, short):
        tables = short[1]["tables"]
        real = [] if "wrk" in short[1]["left_out"] else ["wrk"]
        for name in ("keepalive_1", "keepalive_8", "large_65536", "large_1048576", "connection", "pipeline", "accuracy_10"):
            assert list(tables[name]) == ["bare epoll", "loadgen", *real], name
        assert list(tables["memory"]) == ["loadgen", *real]
        assert list(tables["pacing"]) == ["constant", "poisson"]

    def test_figures_are_such_as_can_be(self, short):
        tables = short[1]["tables"]
        for row in tables["accuracy_1"].values():
            assert 10 <= row["p50_ms"][0] <= row["p99_ms"][0]
        held = tables["held"]["50"]
        assert held["asked"] == held["answered"] == [250]
        assert 50 <= held["open"][0] <= 51  # the connection that verified the server may not be gone yet
        for row in tables["keepalive_8"].values():
            assert row["cpu_us"][0] * row["rps"][0] <= 1.5e6  # one thread

    def test_it_says_what_it_does_not_know(self, tmp_path):
        done = run("--table", "speed")
        assert done.returncode == 2 and "no table speed; there are keepalive, large" in done.stderr
        done = run("--peer", "curl")
        assert done.returncode == 1
        if "needs two CPUs" not in done.stderr:
            assert done.stderr.startswith("bench/loadgen: no client curl; there are bare epoll, loadgen")


def is_at_work(pid):
    """Neither gone nor dead."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


class TestUnfinished:
    """What becomes of a run that cannot measure all that it is asked for."""

    @pytest.fixture
    def fake_wrk(self, tmp_path):
        """Makes SCRIPT the wrk that is found. Returns its environment."""
        def install(script):
            path = tmp_path / "bin/wrk"
            path.parent.mkdir()
            path.write_text(f"#!/bin/sh\n[ \"$1\" = -v ] && exit 1\n{script}\n")
            path.chmod(0o755)
            return {**os.environ, "PATH": f"{path.parent}:{os.environ['PATH']}"}
        return install

    ARGUMENTS = ("--table", "accuracy,held", "--peer", "wrk", "--rounds", 1, "--held", 20, "--nap", 0.1, "--seconds-timed", 1)

    def held_is_told(self, output, told):
        assert list(told["tables"]) == ["held"] and told["not_measured"] == ["accuracy"]
        assert [goal["goal"] for goal in told["goals"]] == ["20 connections open at once", "20 connections: all answered"]
        assert len(benches.verdicts(output)) == 2

    def test_a_client_that_fails_takes_nothing_from_the_tables_before(self, fake_wrk, tmp_path):
        path = tmp_path / "run.json"
        done = run(*self.ARGUMENTS, "--json", path, env=fake_wrk("echo no luck; exit 7"))
        if "needs two CPUs" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 1 and done.stderr == "bench/loadgen: wrk ended with 7: no luck\n\n"
        assert done.stdout.endswith("\n(accuracy: not measured: wrk ended with 7: no luck)\n")
        told = json.loads(path.read_text())
        assert told["failure"].startswith("wrk ended with 7")
        self.held_is_told(done.stdout, told)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_run_that_is_interrupted_tells_what_it_has_and_ends_its_clients(self, fake_wrk, tmp_path, number):
        path, pid_path = tmp_path / "run.json", tmp_path / "pid"
        env = fake_wrk(f"echo $$ > {pid_path}.new; mv {pid_path}.new {pid_path}; exec sleep 100")
        with subprocess.Popen(benches.command("loadgen", *self.ARGUMENTS, "--json", path), env=env, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as process:
            try:
                end = time.monotonic() + 60
                while not pid_path.exists() and process.poll() is None and time.monotonic() < end:
                    time.sleep(0.02)
                process.send_signal(number)
                output, errors = process.communicate(timeout=30)
            finally:
                process.kill()
        if "needs two CPUs" in errors:
            pytest.skip(errors)
        assert process.returncode == 130 and errors == "bench/loadgen: interrupted\n"
        assert output.endswith("\n(accuracy: not measured: interrupted)\n")
        told = json.loads(path.read_text())
        assert told["failure"] == "interrupted"
        self.held_is_told(output, told)
        end = time.monotonic() + 30  # interrupted as it was started, it dies when the benchmark is gone
        while is_at_work(int(pid_path.read_text())):
            assert time.monotonic() < end
            time.sleep(0.02)

    def test_too_few_descriptors_leave_goals_unknown_and_name_the_command(self, tmp_path):
        path = tmp_path / "run.json"
        done = run("--table", "keepalive,memory,held", "--peer", "wrk", "--connections", "5000", "--json", path,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1000, 1000)))
        if "needs two CPUs" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 1 and done.stderr == ""
        assert re.findall(r"^(\w+): (\d+) connections: not measured: they need `ulimit -n (\d+)`$", done.stdout, re.M) == \
            [("keepalive", "5000", "5200"), ("memory", "11000", "11200"), ("held", "15000", "15200")]
        assert benches.verdicts(done.stdout) == ["UNKNOWN"] * 5
        assert [goal["reached"] for goal in json.loads(path.read_text())["goals"]] == [None] * 5


OUTPUTS = {
    load_clients.Loadgen: ("Complete requests:      7\nFailed requests:        0\n",
                           "Complete requests:      7\nFailed requests:        1\n"),
    load_clients.Wrk: ("  7 requests in 1.10s, 1.04KB read\n",
                       "  7 requests in 1.10s, 1.04KB read\n  Socket errors: connect 0, read 1, write 0, timeout 0\n"),
    load_clients.Ab: ("Complete requests:      7\nFailed requests:        0\n",
                      "Complete requests:      7\nFailed requests:        0\nNon-2xx responses:      7\n"),
    load_clients.H2load: ("requests: 9 total, 9 started, 7 done, 7 succeeded, 0 failed, 0 errored, 0 timeout\n",
                          "requests: 9 total, 9 started, 7 done, 7 succeeded, 0 failed, 10 errored, 0 timeout\n"),
    load_clients.Hey: ("Status code distribution:\n  [200]\t7 responses\n",
                       "Status code distribution:\n  [200]\t7 responses\n  [503]\t1 responses\n"),
    load_clients.Autocannon: ('{"2xx": 7, "errors": 0, "timeouts": 0, "non2xx": 0}',
                              '{"2xx": 7, "errors": 0, "timeouts": 0, "non2xx": 2}'),
}


class TestClients:
    @pytest.mark.parametrize("kind", OUTPUTS)
    def test_what_it_says_is_understood(self, kind, tmp_path):
        client = kind(pathlib.Path("x"), tmp_path)
        well, badly = OUTPUTS[kind]
        assert client.told(well) == 7
        with pytest.raises(machine.Failure, match=f"^{client.name} failed: "):
            client.told(badly)
        with pytest.raises((machine.Failure, ValueError)):
            client.told("")

    def test_percentiles_are_read_in_their_units(self, tmp_path):
        wrk = load_clients.Wrk(None, tmp_path)
        text = "  Latency Distribution\n     50%  950.00us\n     75%   10.22ms\n     99%    1.02s\n"
        assert wrk.percentiles(text) == pytest.approx({"p50_ms": 0.95, "p99_ms": 1020})
        (tmp_path / "times.csv").write_text("Percentage served,Time in ms\n50,10.1\n99,12.5\n100,13\n")
        assert load_clients.Ab(None, tmp_path).percentiles("") == {"p50_ms": 10.1, "p99_ms": 12.5}

    def test_none_gets_a_load_that_it_cannot_make(self, tmp_path):
        pipelined, closing = load_clients.Load(1, 1, depth=2), load_clients.Load(1, 1, keeps=False)
        able = [kind.name for kind in OUTPUTS if kind(None, tmp_path).can(pipelined)]
        assert able == ["loadgen", "wrk", "h2load", "autocannon"]
        able = [kind.name for kind in OUTPUTS if kind(None, tmp_path).can(closing)]
        assert able == ["loadgen", "wrk", "ab", "hey"]


class TestMeasuring:
    @pytest.fixture
    def limit(self, tmp_path):
        return machine.build("limits/epoll_client.c", tmp_path)

    def test_the_server_counts_requests_and_notes_when_they_came(self, limit, tmp_path):
        peer = load_measure.CountedServer("limits/epoll_server.c", tmp_path, times=True)
        client = load_clients.Bare(limit, tmp_path)
        with peer.running() as server:
            before = server.answered()
            done = subprocess.run([str(word) for word in client.command(load_clients.Load(1, 1), server)],
                                  capture_output=True, text=True, check=True)
            count = server.answered() - before
            # One was under way at the end; and a request is counted after its answer, so the one before may come in too.
            assert client.told(done.stdout) <= count <= client.told(done.stdout) + 2
            times = server.times_ns(before + count - 10, before + count)
            assert times == sorted(times) and 0 < times[-1] - times[0] < 2e9

    @pytest.mark.parametrize("answer, complaint", [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "an answer is not 200"),
        (b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n", "an answer has no length"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "came in pieces"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "closed by the server"),
    ])
    def test_the_limit_takes_no_answer_for_granted(self, limit, answer, complaint):
        def play(peer):
            peer.request()
            peer.socket.sendall(answer)

        with ScriptedServer(play) as server:
            done = subprocess.run([limit, str(server.port)], capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and complaint in done.stderr


class TestGoals:
    TABLE = {"bare epoll": {"cpu_us": [1, 2, 3]}, "loadgen": {"cpu_us": [1.04, 2.08, 9], "rps": [9, 9, 9]},
             "wrk": {"cpu_us": [1.4, 2.6, 3.6], "rps": [10, 9, 8]}}

    def test_of_each_table(self):
        goals, table = load_report.Goals(), self.TABLE
        goals.keepalive(64, table)
        goals.keepalive(1, table)
        goals.pipeline(16, table)
        goals.large(1 << 20, {"loadgen": {"cpu_s": [0.3]}, "wrk": {"cpu_s": [0.9]}})
        goals.memory({"loadgen": {"bytes": [1023.4]}})
        goals.held(9, {9: {"open": [9, 8], "asked": [18, 18], "answered": [18, 17], "failed": [0, 0]}})
        goals.paced({"constant": {"rate": [9950], "asked": [10000], "lag_p99_us": [99], "off_us": [1001]},
                     "poisson": {"rate": [9000], "asked": [10000], "lag_p99_us": [101], "distance": [0.03],
                                 "distance_limit": [0.0251]}})
        goals.accuracy(1, {"loadgen": {"p50_ms": [1, 2], "p99_ms": [3, 4]}, "bare epoll": {"p50_ms": [1.1, 2.1],
                                                                                        "p99_ms": [3.3, 4.3]}})
        assert benches.judged(goals) == [
            ("1.040 1.040..3.000", True), ("0.800 0.743..2.500", False), ("not measured", None), ("0.800 0.743..2.500", True),
            ("1.000 0.900..1.125", True), ("0.800 0.743..2.500", True), ("0.333", False), ("1023 bytes", True), ("8", False),
            ("1 lost, 0 failed", False), ("0.50%", True), ("1001 us", False), ("0.0300 of 0.0251", False), ("99 us", True),
            ("101 us", False), ("-0.100 ms -0.100..-0.100", True), ("-0.300 ms -0.300..-0.300", False)]
        assert [row.doubtful for row in goals.rows[:6]] == [True, True, False, True, True, True]
        assert max(len(row.goal) for row in goals.rows) <= 46

    def test_whom_nobody_asks_for_is_no_goal(self):
        goals = load_report.Goals({"bare epoll", "loadgen", "wrk"})
        goals.keepalive(64, self.TABLE)
        goals.connection(self.TABLE)
        assert [row.goal for row in goals.rows] == ["c = 64: CPU at most 1.05 of bare epoll", "c = 64: CPU below 0.80 of wrk"]
