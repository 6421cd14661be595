"""bench/async_server and bench/prefork_server: that each measures what it says. What they measure here is nobody's business:
they have no time to."""

import http.server
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import pytest

import benches
from servers import BIN, ROOT

from harness import machine, measure, peers, prefork_measure, prefork_peers, prefork_report, report  # noqa: E402


class TestRun:
    def test_a_short_one_prints_the_tables_and_the_goals(self, tmp_path):
        output, told = benches.tell("async_server", tmp_path / "run.json", "--table", "keepalive,pipeline,idle,start,sleepers",
                                    "--peer", "libuv+llhttp", "--rounds", 1, "--seconds", 1, "--idle", 300, "--starts", 1,
                                    "--sleepers", 20, "--sleeps", 5)
        titles = re.findall(r"\n\n(.+)\nserver ", output)
        assert titles == ["GET / keep-alive, 64 connections", "GET / pipelined by 16, 64 connections",
                          "Resident bytes per idle keep-alive connection, 300 of them",
                          "20 requests asleep for 1 s at once", "Start to first answer, 1 starts each"]
        assert list(told["tables"]["keepalive"]) == ["bare epoll", "async_server", "libuv+llhttp"]
        assert len(told["goals"]) == 6
        sleepers = told["tables"]["sleepers_20"]
        assert list(sleepers) == ["bare timerfd", "async_server"]
        for row in sleepers.values():
            assert 0 < row["rps"][0] <= 20
            assert row["p50_ms"][0] >= 1000

    def test_it_says_what_it_does_not_know(self):
        done = benches.run("async_server", "--table", "speed")
        assert done.returncode == 2 and "no table speed; there are keepalive, pipeline" in done.stderr
        done = benches.run("async_server", "--table", "start", "--peer", "apache")
        assert done.returncode == 1
        if "is missing" not in done.stderr and "needs two CPUs" not in done.stderr:
            assert done.stderr.startswith("bench/async_server: no peer apache; there are bare epoll, async_server")

    def test_it_says_what_is_missing(self, tmp_path):
        done = subprocess.run([ROOT / "bench/async_server", "--bin", tmp_path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr == f"bench/async_server: {tmp_path}/async_server is not there; build it with make\n"


class TestPreforkRun:
    @pytest.fixture(scope="class")
    def short(self, tmp_path_factory):
        """A short run of all tables. Returns (what it printed, its JSON)."""
        path = tmp_path_factory.mktemp("bench") / "run.json"
        return benches.tell("prefork_server", path, "--peer", "gunicorn", "--rounds", 1, "--seconds", 0.2, "--asleep", "1,2",
                            "--sleep", 0.02, "--sleeps", 5, "--requests", 800, "--ready", 4)

    def test_it_prints_every_table_and_goal(self, short):
        output, told = short
        titles = re.findall(r"\n\n(.+)\n(?:server|workers|connections) ", output)
        expected = ["GET /, a connection for each, 16 at a time", "GET /, a connection for each, 1 at a time, by workers",
                    "GET /, a connection for each, 16 at a time, by workers",
                    "GET / keep-alive, 64 connections, 8 threads of ours", "Workers that sleep for S = 0.02 s, 5 times each",
                    "Requests of the busiest and the idlest of 8 workers, 800 of all",
                    "Private memory of an idle worker that has served a request", "From exec until 4 workers are ready"]
        assert titles == [title for title in expected if "keep-alive" not in title or "gthread: not measured" not in output]
        assert len(told["goals"]) >= 10

    def test_servers_take_part_where_they_should(self, short):
        tables = short[1]["tables"]
        real = [] if "gunicorn" in short[1]["left_out"] else ["gunicorn"]
        assert list(tables["cost"]) == ["bare loop", "prefork_server", *real]
        assert list(tables["herd_1"]) == list(tables["herd_16"]) == ["-w 1", "-w 64"]
        assert list(tables["memory"]) == ["prefork_server", *real]

    def test_requests_asleep_are_no_faster_than_their_sleep(self, short):
        for workers, row in short[1]["tables"]["asleep"].items():
            assert 0 < row["rps"][0] <= int(workers) / 0.02
            assert row["share"][0] == pytest.approx(row["rps"][0] * 0.02 / int(workers))

    def test_all_requests_are_found_in_some_worker(self, short):
        for connections in (1, 8, 16):
            row = short[1]["tables"][f"spread_{connections}"]["-w 8"]
            assert 0 <= row["idlest"][0] <= 100 <= row["busiest"][0] <= 800

    def test_it_says_what_it_does_not_know(self):
        done = benches.run("prefork_server", "--table", "start")
        assert done.returncode == 2 and "no table start; there are cost, herd" in done.stderr
        done = benches.run("prefork_server", "--table", "memory", "--peer", "async")
        assert done.returncode == 1
        if "needs two CPUs" not in done.stderr:
            assert done.stderr.startswith("bench/prefork_server: no peer async; there are bare loop, prefork_server")



class TestPreforkPeers:
    @pytest.fixture
    def everybody(self):
        # Where other users can read it: apache's workers are one.
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield prefork_peers.PreforkPeers(BIN, pathlib.Path(folder), connections=4, threads=2)

    def test_apache_answers_either_way(self, everybody):
        apaches = everybody.named(prefork_peers.APACHE_PREFORK, prefork_peers.APACHE_WORKER)
        if not apaches:
            pytest.skip("apache is not installed")
        assert [peer.keeps for peer in apaches] == [False, True, True]
        for peer in apaches:
            with peer.running() as server:
                assert server.is_alive()
            assert not server.is_alive()

    def test_one_that_does_not_take_its_options_is_told_apart(self, everybody):
        assert prefork_measure.refusal(everybody.ours("any")) is None
        said = prefork_measure.refusal(everybody.ours("odd", "--worker-class", "odd"))
        assert said.startswith("prefork_server: --worker-class odd: must be")
        with pytest.raises(machine.Failure, match="^broken does not start"):
            prefork_measure.refusal(peers.Peer("broken", ["sh", "-c", "exit 1"], everybody.folder))

    def test_what_is_private_and_what_is_switched_is_counted(self, everybody):
        with everybody.ours("one").running() as server:
            worker = prefork_measure.wait_until_idle(server, 1)[0]
            assert 0 < machine.private_bytes(worker) < machine.rss_bytes(worker)
            before = machine.switches(server.process.pid)
            server.verify()
            after = machine.switches(server.process.pid)
            assert after > before > 0


class Other(http.server.BaseHTTPRequestHandler):
    """Answers what is not asked for: another body, and never more than one request a connection."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"Hello")

    def log_message(self, *_):
        pass


class TestPeer:
    @pytest.fixture
    def other(self, tmp_path):
        """What looks like a running peer, and is not what was asked for."""
        server = http.server.HTTPServer(("127.0.0.1", 0), Other)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        process = subprocess.Popen(["sleep", "100"])
        yield peers.Running(peers.Peer("other", [], tmp_path), process, server.server_port, 0)
        process.kill()
        process.wait()
        server.shutdown()
        thread.join()
        server.server_close()

    def test_one_that_answers_something_else_is_refused(self, other):
        with pytest.raises(machine.Failure, match="^other answers 200 with b'Hello' and closes$"):
            other.verify()
        with pytest.raises(machine.Failure, match="^other does not answer its first request$"):
            other.first_answer_ms()

    def test_one_that_answers_only_the_first_of_many_does_not_pipeline(self, other):
        assert not other.pipelines(16)

    def test_one_that_ends_at_once_is_told_with_its_last_words(self, tmp_path):
        peer = peers.Peer("brief", ["sh", "-c", "echo no such luck; exit 1"], tmp_path)
        with pytest.raises(machine.Failure, match="^brief does not start: sh -c .*: no such luck$"):
            with peer.running():
                pass


class TestFigures:
    def test_the_cpu_time_of_a_family_counts_children_and_threads(self):
        work = "import threading, time\n" \
               "def work():\n    while time.thread_time() < 0.2: pass\n" \
               "thread = threading.Thread(target=work); thread.start(); thread.join()\n"
        script = f"import os, sys, time\nif os.fork() == 0:\n    exec({work!r})\n    print('done', flush=True)\ntime.sleep(100)\n"
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            assert len(machine.family(process.pid)) == 2
            assert machine.cpu_ns(process.pid) >= 200_000_000
        finally:
            for pid in reversed(machine.family(process.pid)[1:]):
                subprocess.run(["kill", "-9", str(pid)])
            process.kill()
            process.wait()

    def test_times_of_the_first_and_the_last_second_are_left_out(self, tmp_path):
        rows = [("x", second, 0, 5, 1000 + second, 5) for second in (105, 104, 103, 102, 102, 101, 100)]
        path = tmp_path / "times.tsv"
        path.write_text("starttime\tseconds\tctime\tdtime\tttime\twait\n" +
                        "".join("\t".join(map(str, row)) + "\n" for row in rows))
        assert measure.steady_times_ms(path) == [1102, 1102, 1103]

    def test_percentiles_are_nearest_ranks(self):
        hundred = list(range(1, 101))
        assert [measure.percentile(hundred, share) for share in (1, 50, 99, 100)] == [1, 50, 99, 100]
        assert measure.percentile([7], 99) == 7

    def test_ratios_are_taken_within_a_round(self):
        table = {"bare epoll": {"cpu_us": [1, 10, 2]}, "async_server": {"cpu_us": [1.04, 10.4, 2.2]},
                 "nginx": {"cpu_us": [1.2, 12, 2.4]}}
        goals = report.Goals()
        goals.keepalive(table)
        assert [row[:3] for row in goals.rows] == [("keep-alive: CPU at most 1.05 of bare epoll", "1.040 1.040..1.100", True),
                                                   ("keep-alive: below nginx (it / ours)", "1.154 1.091..1.154", True)]
        table["nginx"]["cpu_us"] = [1.0, 10, 2.4]
        goals.keepalive(table)
        assert goals.unreached() == 1

    def test_without_descriptors_or_peers_goals_are_unknown(self):
        goals = report.Goals({"bare epoll", "async_server", "nginx"})
        goals.keepalive({"bare epoll": {"cpu_us": [1]}, "async_server": {"cpu_us": [1]}})
        goals.idle({})
        goals.sleepers(15000, {})
        assert [row.reached for row in goals.rows] == [True, None, None, None, None]
        alone = report.Goals({"bare epoll", "async_server"})
        alone.keepalive({"bare epoll": {"cpu_us": [1]}, "async_server": {"cpu_us": [1]}})
        assert [row.reached for row in alone.rows] == [True]

    def test_goals_of_prefork_server(self):
        goals = prefork_report.Goals()
        goals.cost({"bare loop": {"cpu_us": [10, 20, 30]}, "prefork_server": {"cpu_us": [11, 22, 36]},
                    "nginx": {"cpu_us": [10, 21, 50]}, "gunicorn": {"cpu_us": [5, 5, 5]}})
        goals.gthread({"prefork_server": {"cpu_us": [2, 2]}, "apache worker": {"cpu_us": [4, 4]},
                       "apache prefork": {"cpu_us": [3, 3]}})
        goals.herd(16, {"-w 1": {"cpu_us": [10, 10]}, "-w 64": {"cpu_us": [12, 12]}}, "-w 1", "-w 64")
        goals.asleep([1, 256, 512], {1: {"share": [0.99]}, 256: {"share": [0.98]}})
        goals.spread(1, {"-w 8": {"busiest": [10, 30], "idlest": [0, 10]}})
        goals.memory({"prefork_server": {"bytes": [409600]}})
        goals.ready(256, {"-w 256": {"booted_ms": [1], "ready_ms": [500.4]}})
        assert benches.judged(goals) == [
            ("1.100 1.100..1.200", True), ("0.955 0.909..1.389", False), ("not measured", None), ("0.500 0.500..0.500", True),
            ("0.667 0.667..0.667", False), ("1.200 1.200..1.200", True), ("99.00%", True), ("98.00%", False),
            ("not measured", None), ("6.500 3.000..10.000", False), ("400 KiB", False), ("500.4 ms", False)]
        assert [row.doubtful for row in goals.rows][:4] == [True, True, False, False]
        assert goals.unreached() == 8
