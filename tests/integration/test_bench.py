"""bench/async_server: that it measures what it says. What it measures here is nobody's business: it has no time to."""

import http.server
import json
import re
import subprocess
import sys
import threading

import pytest

from servers import BIN, ROOT

PROGRAM = ROOT / "bench/async_server"
sys.path.insert(0, str(ROOT / "bench"))

from harness import machine, measure, peers, report  # noqa: E402


def run(*arguments):
    return subprocess.run([PROGRAM, "--bin", BIN, *map(str, arguments)], capture_output=True, text=True, timeout=110)


class TestRun:
    def test_a_short_one_prints_the_tables_and_the_goals(self, tmp_path):
        done = run("--table", "keepalive,pipeline,idle,start,sleepers", "--peer", "libuv+llhttp", "--rounds", 1, "--seconds", 1,
                   "--idle", 300, "--starts", 1, "--sleepers", 20, "--sleeps", 5, "--json", tmp_path / "run.json")
        if "is missing" in done.stderr or "needs two CPUs" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode in (0, 1) and done.stderr == "", done.stderr
        titles = re.findall(r"\n\n(.+)\nserver ", done.stdout)
        assert titles == ["GET / keep-alive, 64 connections", "GET / pipelined by 16, 64 connections",
                          "Resident bytes per idle keep-alive connection, 300 of them",
                          "20 requests asleep for 1 s at once", "Start to first answer, 1 starts each"]
        assert max(map(len, done.stdout.splitlines()[2:])) <= 80, done.stdout
        told = json.loads((tmp_path / "run.json").read_text())
        assert list(told["tables"]["keepalive"]) == ["bare epoll", "async_server", "libuv+llhttp"]
        assert done.returncode == (0 if all(goal["reached"] for goal in told["goals"]) else 1)
        assert len(told["goals"]) == len(re.findall(r"(?:reached|MISSED)$", done.stdout, re.M)) == 6
        sleepers = told["tables"]["sleepers_20"]
        assert list(sleepers) == ["bare timerfd", "async_server"]
        for row in sleepers.values():
            assert 0 < row["rps"][0] <= 20
            assert row["p50_ms"][0] >= 1000

    def test_it_says_what_it_does_not_know(self):
        done = run("--table", "speed")
        assert done.returncode == 2 and "no table speed; there are keepalive, pipeline" in done.stderr
        done = run("--table", "start", "--peer", "apache")
        assert done.returncode == 1
        if "is missing" not in done.stderr and "needs two CPUs" not in done.stderr:
            assert done.stderr.startswith("bench/async_server: no peer apache; there are bare epoll, async_server")

    def test_it_says_what_is_missing(self, tmp_path):
        done = subprocess.run([PROGRAM, "--bin", tmp_path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr == f"bench/async_server: {tmp_path}/async_server is not there; build it with make\n"


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
        assert goals.rows == [("keep-alive: CPU at most 1.05 of bare epoll", "1.040", True),
                              ("keep-alive: CPU below every peer (peer / ours)", "nginx 1.154", True)]
        table["nginx"]["cpu_us"] = [1.0, 10, 2.4]
        goals.keepalive(table)
        assert goals.missed() == 1
