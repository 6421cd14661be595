"""loadgen against servers that behave: counts, figures, files, signals."""

import csv
import io
import json
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from load import LOADGEN, OK, WELL, ScriptedServer, answering, default_signals, free_port, loadgen, loadgen_json, one_cell
from servers import PATIENCE, wait_until


def slow(seconds):
    def script(peer):
        while peer.request():
            time.sleep(seconds)
            peer.send(OK)

    return script


class TestCounting:
    @pytest.mark.parametrize("threads", [1, 3])
    @pytest.mark.parametrize("keep", [True, False])
    def test_every_request_is_sent_and_counted_once(self, threads, keep):
        seen = []
        with ScriptedServer(answering(lambda request: seen.append(request) or OK)) as server:
            cell = one_cell("-n", 107, "-c", 10, "--threads", threads, *(["-k"] if keep else []), server.url)
            assert len(seen) == 107
            assert server.connections == (10 if keep else 107)
            assert server.most_open <= 10 or not keep
        assert (cell["requests"], cell["complete"], cell["failed"]) == (107, 107, 0)
        assert cell["keepalive_requests"] == (107 if keep else 0)
        assert cell["bytes"] == {"received": 107 * len(OK), "body": 107 * 5, "sent": 107 * len(seen[0])}
        assert cell["server_software"] == "toy/1"
        assert cell["document_length"] == 5

    def test_all_connections_start_at_once(self):
        together = threading.Barrier(20, timeout=PATIENCE)

        def script(peer):
            assert peer.request()
            together.wait()  # nobody is answered before all have asked
            peer.send(OK)

        with ScriptedServer(script) as server:
            assert one_cell("-n", 20, "-c", 20, "--threads", 2, server.url)["complete"] == 20

    def test_the_request_is_http_1_1_and_closes(self):
        seen = []
        with ScriptedServer(answering(lambda request: seen.append(request) or OK)) as server:
            loadgen_json("-n", 1, server.url)
            assert seen[0].startswith(b"GET / HTTP/1.1\r\nConnection: close\r\nHost: 127.0.0.1:")

    def test_options_shape_the_request(self, tmp_path):
        seen = []
        body = tmp_path / "body"
        body.write_bytes(b"\0\1body")
        with ScriptedServer(answering(lambda request: seen.append(request) or OK)) as server:
            loadgen_json("-n", 1, "-p", body, "-T", "application/x-thing", "-H", "X-One: 1", "-H", "Accept: a/b", "-C", "c=d",
                         "-A", "user:secret", server.url + "path?q=1")
        assert seen[0] == (b"POST /path?q=1 HTTP/1.1\r\nConnection: close\r\nCookie: c=d\r\nAuthorization: Basic dXNlcjpzZWNyZXQ=\r\n"
                           b"Content-Length: 6\r\nContent-Type: application/x-thing\r\nHost: 127.0.0.1:%d\r\n"
                           b"User-Agent: loadgen/0.1.0\r\nX-One: 1\r\nAccept: a/b\r\n\r\n\0\1body" % server.port)

    def test_a_body_larger_than_the_socket_takes_arrives_whole(self, tmp_path):
        body = tmp_path / "body"
        body.write_bytes(os.urandom(1 << 20) * 8)
        seen = []
        with ScriptedServer(answering(lambda request: seen.append(request.partition(b"\r\n\r\n")[2]) or OK)) as server:
            cell = one_cell("-n", 2, "-k", "-u", body, server.url)
        assert seen == [body.read_bytes()] * 2
        assert cell["complete"] == 2 and cell["failed"] == 0

    def test_head_expects_no_body(self):
        with ScriptedServer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")) as server:
            cell = one_cell("-n", 4, "-k", "-i", server.url)
        assert (cell["complete"], cell["failed"], cell["document_length"], cell["keepalive_requests"]) == (4, 0, 0, 4)

    def test_sleep_is_added_to_the_query(self):
        seen = []
        with ScriptedServer(answering(lambda request: seen.append(request.split()[1]) or OK)) as server:
            result = loadgen_json("-n", 1, "--sleep", "0.1,2,0", server.url, server.url + "x?y=1")
        assert seen == [b"/?sleep=0.1", b"/x?y=1&sleep=0.1", b"/?sleep=2", b"/x?y=1&sleep=2", b"/?sleep=0", b"/x?y=1&sleep=0"]
        assert [cell["sleep_s"] for cell in result["cells"]] == [0.1, 0.1, 2, 2, 0, 0]
        assert result["cells"][1]["target"] == server.url + "x?y=1"
        assert result["cells"][1]["document_path"] == "/x?y=1&sleep=0.1"

    def test_ipv6(self):
        try:
            server = ScriptedServer(answering(), socket.AF_INET6)
        except OSError:
            pytest.skip("no IPv6 here")
        with server:
            assert one_cell("-n", 3, f"[::1]:{server.port}")["complete"] == 3

    def test_a_name_with_several_addresses_finds_the_one_that_listens(self):
        try:
            socket.getaddrinfo("localhost", None)
        except OSError:
            pytest.skip("no localhost in /etc/hosts here")
        with ScriptedServer(answering()) as server:
            cell = one_cell("-n", 9, "-c", 3, f"localhost:{server.port}")
        assert (cell["complete"], cell["failed"]) == (9, 0)


class TestTimes:
    def test_times_are_those_of_the_server(self):
        with ScriptedServer(slow(0.05)) as server:
            cell = one_cell("-n", 10, "-c", 2, "-k", server.url)
        assert cell["latency_ms"]["min"] >= 50
        assert cell["waiting_ms"]["min"] >= 50
        assert cell["processing_ms"]["min"] >= 50
        assert cell["duration_s"] >= 0.25
        assert cell["connect_ms"]["min"] == 0  # requests on an open connection
        latency = [cell["latency_ms"][name] for name in ("min", "p50", "p66", "p75", "p80", "p90", "p95", "p98", "p99", "max")]
        assert latency == sorted(latency)
        assert cell["rps"] == pytest.approx(cell["complete"] / cell["duration_s"])
        assert cell["time_per_request_ms"] == pytest.approx(2 * cell["duration_s"] * 1000 / 10)
        assert cell["time_per_request_all_ms"] == pytest.approx(cell["duration_s"] * 1000 / 10)

    def test_waiting_ends_with_the_first_byte(self):
        def script(peer):
            peer.request()
            peer.send(OK[:20])
            time.sleep(0.2)
            peer.send(OK[20:])

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 1, server.url)
        assert cell["processing_ms"]["min"] >= 200
        assert cell["processing_ms"]["min"] > cell["waiting_ms"]["max"]

    def test_a_time_limit_ends_a_cell_and_counts_what_is_under_way(self):
        with ScriptedServer(slow(0.5)) as server:
            cell = one_cell("-t", "1.2", "-c", 3, "-k", server.url)
        assert cell["requests"] == 50000
        assert cell["complete"] <= 6 and cell["unfinished"] == 3 and cell["failed"] == 0
        assert 1.19 <= cell["duration_s"] < 20

    def test_n_behind_t_counts(self):
        with ScriptedServer(answering()) as server:
            assert one_cell("-t", 20, "-n", 5, server.url)["requests"] == 5
            assert one_cell("-n", 5, "-t", "0.2", server.url)["requests"] == 50000


class TestTable:
    def test_two_servers_stand_side_by_side_in_80_columns(self):
        long = "x" * 200
        with ScriptedServer(answering()) as a, ScriptedServer(slow(0.01)) as b:
            done = loadgen("-n", 10, "-c", "1,2,5", "--sleep", "0.1,0.25", a.url + long, b.url)
        lines = done.stdout.splitlines()
        assert done.returncode in WELL
        assert max(map(len, lines)) <= 80
        assert lines[1].startswith("A  http://") and lines[1].endswith("...")
        assert lines[2] == f"B  {b.url}  toy/1"
        rows = [line.split() for line in lines if line.startswith(("A  ", "B  "))][2:]  # the first two name them
        assert [row[:5] for row in rows] == [[target, sleep, c, "10", "0"] for sleep in ("0.1", "0.25") for c in ("1", "2", "5")
                                             for target in "AB"]
        assert all(row[-1].startswith("x0.") for row in rows[1::2])

    def test_one_server_has_no_letters(self):
        with ScriptedServer(answering()) as server:
            lines = loadgen("-n", 5, "-c", "1,5", server.url).stdout.splitlines()
        assert lines[1] == f"{server.url}  toy/1"
        assert [line.split()[:3] for line in lines[5:7]] == [["1", "5", "0"], ["5", "5", "0"]]


class TestFiles:
    def test_the_json_has_every_field_of_its_schema(self, tmp_path):
        with ScriptedServer(answering()) as server:
            file = tmp_path / "out.json"
            done = loadgen("-n", 5, "-c", "1,2", "--json", file, server.url)
        result = json.loads(file.read_text())
        assert done.stdout.startswith("loadgen 0.1.0, closed loop")
        assert set(result) == {"schema", "version", "started", "command", "load", "threads", "seed", "machine", "interrupted",
                               "cells", "knees"}
        assert result["schema"] == "loopfork.loadgen/2"
        assert result["command"][1:] == ["-n", "5", "-c", "1,2", "--json", str(file), server.url]
        assert result["load"] == "closed" and result["interrupted"] is False
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", result["started"])
        assert result["machine"]["kernel"] == os.uname().release
        cell = result["cells"][1]
        assert set(cell) == {
            "target", "sleep_s", "load", "concurrency", "pipeline", "requests", "rate", "ramp", "arrivals", "warmup_s",
            "complete", "failed", "errors", "failures", "failure_reasons", "write_errors", "non_2xx", "keepalive_requests",
            "unfinished", "overdue", "missed", "queued", "broken", "duration_s", "rps", "time_per_request_ms",
            "time_per_request_all_ms", "latency_ms",
            "intervals_ms", "connect_ms", "tls_ms", "processing_ms", "waiting_ms", "service_ms", "delay_ms", "send_lag_ms",
            "bytes", "server_software", "tls", "document_path", "document_length", "connections_most_open",
            "client_cpu_s", "client_cpu_share", "repeats", "ratio", "checks", "expectations", "series"}
        assert (cell["target"], cell["sleep_s"], cell["concurrency"]) == (server.url, None, 2)
        assert set(cell["failures"]) == {"connect", "tls", "timeout", "reset", "truncated", "malformed", "length",
                                         "status"}
        assert set(cell["latency_ms"]) == {"min", "mean", "sd", "p50", "p66", "p75", "p80", "p90", "p95", "p98", "p99",
                                           "p99.9", "max"}
        for name in ("connect_ms", "processing_ms", "waiting_ms"):
            assert set(cell[name]) == {"min", "mean", "sd", "median", "max"}
        assert cell["client_cpu_s"] > 0

    @pytest.mark.parametrize("options, shown", [
        (["-A", "me:secret:x"], ["-A", "me:***"]),
        (["-Ame:secret"], ["-Ame:***"]),
        (["--auth=me:secret"], ["--auth=me:***"]),
        (["-P", "me:secret"], ["-P", "me:***"]),
        (["-A", "a:one", "-A", "b:two", "-Pc:three", "--proxy-auth", "d:four"], ["-A", "a:***", "-A", "b:***", "-Pc:***", "--proxy-auth", "d:***"]),
        (["-H", "X: me:secret"], ["-H", "X: me:secret"]),
    ])
    def test_the_json_keeps_passwords_to_itself(self, options, shown):
        with ScriptedServer(answering()) as server:
            result = loadgen_json("-n", 1, *options, server.url)
        assert result["command"][5:-1] == shown

    def test_the_csv_has_a_row_for_each_cell(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("-n", 4, "-c", "1,2", "--csv", "-", server.url, server.url + "?a=1,2")
        rows = list(csv.reader(io.StringIO(done.stdout)))
        assert ",".join(rows[0]).startswith("target,sleep_s,concurrency,requests,failed,rps,time_per_request_ms,"
                                            "time_per_request_all_ms,p50_ms,p90_ms,p99_ms,max_ms,")
        assert [row[:5] for row in rows[1:]] == [[url, "", c, "4", "0"] for c in "12" for url in (server.url, server.url + "?a=1,2")]
        assert all(len(row) == len(rows[0]) for row in rows)

    def test_percentiles_and_samples(self, tmp_path):
        with ScriptedServer(slow(0.02)) as server:
            loadgen("-n", 10, "-c", 2, "-e", tmp_path / "e.csv", "-g", tmp_path / "g.tsv", "--threads", 2, server.url)
        percentiles = list(csv.reader((tmp_path / "e.csv").open()))
        assert percentiles[0] == ["Percentage served", "Time in ms"]
        assert [int(row[0]) for row in percentiles[1:]] == list(range(101))
        values = [float(row[1]) for row in percentiles[1:]]
        assert values == sorted(values) and values[0] >= 20
        samples = [line.split("\t") for line in (tmp_path / "g.tsv").read_text().splitlines()]
        assert samples[0] == ["starttime", "seconds", "ctime", "dtime", "ttime", "wait"]
        assert len(samples) == 11
        assert [int(row[4]) for row in samples[1:]] == sorted(int(row[4]) for row in samples[1:])
        for row in samples[1:]:
            assert time.ctime(int(row[1])) == re.sub(r" 0(\d) ", r"  \1 ", row[0])
            assert abs(int(row[1]) - time.time()) < 600

    def test_samples_of_an_open_loop_count_from_when_they_were_due(self, tmp_path):
        with ScriptedServer(slow(0.05)) as server:
            loadgen("-n", 10, "-c", 1, "--rate", 100, "-g", tmp_path / "g.tsv", "--json", tmp_path / "json", server.url)
        latency = json.loads((tmp_path / "json").read_text())["cells"][0]["latency_ms"]
        rows = [[int(field) for field in line.split("\t")[2:]] for line in (tmp_path / "g.tsv").read_text().splitlines()[1:]]
        assert [rows[0][2], rows[-1][2]] == [pytest.approx(latency["min"], abs=1), pytest.approx(latency["max"], abs=1)]
        assert rows[-1][2] > 400 and all(connect + rest == pytest.approx(total, abs=1) for connect, rest, total, _ in rows)

    @pytest.mark.parametrize("option", ["--json", "--csv", "-e", "-g"])
    def test_an_unwritable_file_is_found_before_any_load(self, option, tmp_path):
        with ScriptedServer(answering()) as server:
            for file in (tmp_path / "missing" / "x", tmp_path):
                done = loadgen("-n", 1, option, file, server.url)
                assert done.returncode == 1
                assert re.fullmatch(rf"loadgen: cannot write {re.escape(str(file))}: .*\n", done.stderr)
            assert server.connections == 0
        assert list(tmp_path.iterdir()) == []

    def test_a_full_disk_is_a_failure(self):
        with ScriptedServer(answering()) as server:
            for option in ("--json", "--csv", "-e"):
                done = loadgen("-n", 2, option, "/dev/full", server.url)
                assert done.returncode == 1
                assert "cannot write /dev/full: No space left on device" in done.stderr
            with open("/dev/full", "w") as full:
                done = subprocess.run([LOADGEN, "-n", "2", server.url], stdout=full, stderr=subprocess.PIPE, text=True)
            assert done.returncode == 1 and "cannot write to standard output" in done.stderr

    def test_a_device_is_written_to_and_not_replaced(self):
        with ScriptedServer(answering()) as server:
            assert loadgen("-n", 1, "--json", "/dev/null", server.url).returncode == 0
        assert pathlib.Path("/dev/null").is_char_device()

    def test_an_old_file_stays_until_the_new_one_is_whole(self, tmp_path):
        file = tmp_path / "out.json"
        file.write_text("old")
        with ScriptedServer(slow(30)) as server:
            with subprocess.Popen([LOADGEN, "-n", "1", "--json", file, server.url], stdout=subprocess.DEVNULL) as process:
                wait_until(lambda: server.connections, "the request")
                process.kill()
        assert file.read_text() == "old"
        assert list(tmp_path.iterdir()) == [file]
        with ScriptedServer(answering()) as server:
            loadgen("-n", 1, "--json", file, server.url)
        assert json.loads(file.read_text())["cells"][0]["complete"] == 1
        assert list(tmp_path.iterdir()) == [file]
        assert file.stat().st_mode & 0o777 == 0o666 & ~os_umask()


def os_umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


class TestInterrupt:
    def start(self, *arguments):
        return subprocess.Popen([LOADGEN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=default_signals)

    @pytest.mark.parametrize("number,status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_prints_what_was_measured(self, tmp_path, number, status):
        answered = []

        def script(peer):
            while peer.request():
                if len(answered) >= 6:
                    time.sleep(30)
                peer.send(OK)
                answered.append(1)

        file = tmp_path / "out.json"
        with ScriptedServer(script) as server:
            process = self.start("-n", 100, "-c", 1, "-k", "--json", file, server.url)
            wait_until(lambda: len(answered) == 6, "six answers")
            time.sleep(0.2)
            process.send_signal(number)
            out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == status
        assert "Complete requests:      6\n" in out
        result = json.loads(file.read_text())
        assert result["interrupted"] is True
        assert (result["cells"][0]["complete"], result["cells"][0]["unfinished"]) == (6, 1)

    def test_sigterm_ends_a_run_that_was_started_with_sigint_ignored(self):
        with ScriptedServer(slow(30)) as stuck:
            process = subprocess.Popen([LOADGEN, "-n", "4", stuck.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
            wait_until(lambda: stuck.connections, "the request")
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 143
        assert "Complete requests:      0\n" in out

    def test_sigint_ends_a_sweep_with_its_table(self):
        with ScriptedServer(answering()) as quick, ScriptedServer(slow(30)) as stuck:
            process = self.start("-n", 4, "-c", "2,4", "--threads", 2, quick.url, stuck.url)
            wait_until(lambda: stuck.connections, "the second cell")
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert "Interrupted: 1 of 4 cells" in out

    def test_a_sweep_that_ends_before_any_answer_says_so(self):
        with ScriptedServer(slow(30)) as stuck:
            process = self.start("-n", 2000, "-c", "2,3", stuck.url)
            wait_until(lambda: stuck.connections, "the first cell")
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, said) == (130, "", "loadgen: interrupted before any request was answered\n")

    @staticmethod
    def end_while_it_waits_for_a_reader(process, number=signal.SIGINT):
        def waits():
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            blocked = int(re.search(r"SigBlk:\s*(\w+)", status).group(1), 16)
            return "State:\tS" in status and not blocked & 1 << signal.SIGINT - 1  # it watches for SIGINT no more

        wait_until(waits, "the report")
        assert process.poll() is None
        process.send_signal(number)
        assert process.wait(PATIENCE) == -number
        process.stdout.close()
        process.stderr.close()

    def test_sigint_ends_a_report_that_nobody_reads(self, tmp_path):
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        with ScriptedServer(answering()) as server:
            process = self.start("-n", 1, "-q", "--json", fifo, server.url)
            wait_until(lambda: server.connections and not server.open, "the end of the load")
            self.end_while_it_waits_for_a_reader(process)

    @pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
    def test_a_second_signal_ends_at_once(self, tmp_path, first, second):
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)  # writing the report to it blocks as long as nobody reads
        with ScriptedServer(slow(30)) as server:
            process = self.start("-n", 1, "--json", fifo, server.url)
            wait_until(lambda: server.connections, "the request")
            process.send_signal(first)
            self.end_while_it_waits_for_a_reader(process, second)


class TestThreads:
    ALLOWED = sorted(os.sched_getaffinity(0))

    @staticmethod
    def may_use(pid):
        """The CPUs of each thread but the first, which waits for the others."""
        tasks = sorted(int(task.name) for task in pathlib.Path(f"/proc/{pid}/task").iterdir() if task.name != str(pid))
        return [sorted(os.sched_getaffinity(task)) for task in tasks]

    @pytest.mark.parametrize("pin", [["--pin"], []])
    @pytest.mark.parametrize("allowed", [ALLOWED, ALLOWED[-1:]], ids=["all", "one"])
    def test_a_thread_stays_on_its_cpu_where_that_is_asked_for(self, pin, allowed):
        def narrow():
            default_signals()
            os.sched_setaffinity(0, allowed)

        if re.search(rb"__tsan_init", LOADGEN.read_bytes()):
            pytest.skip("the sanitizer has a thread of its own")
        count = min(len(self.ALLOWED) + 1, 200)
        with ScriptedServer(slow(30)) as server:
            with subprocess.Popen([LOADGEN, "-n", str(count), "-c", str(count), "--threads", str(count), *pin, server.url],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=narrow) as process:
                wait_until(lambda: server.connections == count, "a connection of each thread")
                found = self.may_use(process.pid)
                process.kill()
        # As many as there are CPUs have one each; what is more shares them in turn.
        expected = [allowed[i % len(allowed):][:1] for i in range(count)] if pin else [allowed] * count
        assert sorted(found) == sorted(expected)

    @pytest.mark.parametrize("allowed", [ALLOWED, ALLOWED[-1:]], ids=["all", "one"])
    def test_auto_is_a_thread_for_each_cpu_that_it_may_use(self, allowed):
        with ScriptedServer(answering()) as server:
            done = subprocess.run([LOADGEN, "--threads", "auto", "--json", "-", "-n", "1", server.url], capture_output=True,
                                  preexec_fn=lambda: os.sched_setaffinity(0, allowed), timeout=PATIENCE, check=False)
        assert json.loads(done.stdout)["threads"] == min(len(allowed), 256)


def limit_files(soft, hard):
    def apply():
        default_signals()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    return apply


class TestLimits:
    def test_a_low_soft_limit_is_raised(self):
        with ScriptedServer(answering()) as server:
            done = subprocess.run([LOADGEN, "-n", "100", "-c", "100", server.url], preexec_fn=limit_files(64, 1000), timeout=60,
                                  capture_output=True, text=True)
        assert done.returncode in WELL, done.stderr

    def test_a_low_hard_limit_is_named(self):
        done = subprocess.run([LOADGEN, "-n", "100", "-c", "100", f"127.0.0.1:{free_port()}"], preexec_fn=limit_files(64, 64),
                              timeout=60, capture_output=True, text=True)
        assert done.returncode == 1
        assert done.stderr == "loadgen: 109 open files are needed, and the limit is 64: raise ulimit -n, or lower -c\n"


    @pytest.mark.parametrize("arguments", [["-c", "1"], ["-c", "4", "--threads", "3"], ["-c", "2", "--rate", "1000"],
                                           ["-c", "1,3", "-p", __file__]], ids=["one", "threads", "open loop", "a sweep"])
    def test_no_more_files_are_asked_for_than_needed(self, arguments):
        def run(limit):
            return subprocess.run([LOADGEN, "-q", "-n", "20", *arguments, server.url], preexec_fn=limit_files(limit, limit),
                                  timeout=60, capture_output=True, text=True)

        with ScriptedServer(answering()) as server:
            needed = int(re.match(r"loadgen: (\d+) open files are needed", run(8).stderr).group(1))
            assert needed <= 24
            assert f"{needed} open files are needed, and the limit is {needed - 1}:" in run(needed - 1).stderr
            done = run(needed)
        assert done.returncode in WELL, done.stderr


def test_running_out_of_files_meanwhile_is_named():
    # Files that were open before, and that no forecast can know of: 40 below the limit, whatever this process has open.
    crowded = 'for fd in $(seq 10 49); do eval "exec $fd</dev/null"; done; ulimit -n 64; exec "$@"'
    with ScriptedServer(answering(keep=False)) as server:
        done = subprocess.run(["bash", "-c", crowded, "bash", LOADGEN, "-n", "100", "-c", "20", server.url], timeout=60,
                              preexec_fn=default_signals, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(rf"loadgen: {server.url}: too many open files at concurrency 20; raise the limit of open files with "
                        r"ulimit -n\n", done.stderr)


WRONG = [
    (["-c", "5,x"], 'loadgen: -c 5,x: "x" is not a whole number from 1 to 20000; use one, or a list as in 5,10,20'),
    (["-c", "0"], 'loadgen: -c 0: "0" is not a whole number from 1 to 20000; use one, or a list as in 5,10,20'),
    (["-n", "0"], "loadgen: -n 0: must be a whole number from 1 to 2147483647"),
    (["-n", "1e3"], "loadgen: -n 1e3: must be a whole number from 1 to 2147483647"),
    (["-n", "10", "-c", "20"],
     "loadgen: Cannot use concurrency level greater than total number of requests (-c 20, -n 10)"),
    (["-n", "10", "-c", "5,10,11"],
     "loadgen: Cannot use concurrency level greater than total number of requests (-c 11, -n 10)"),
    (["-c", "101"], "loadgen: Cannot use concurrency level greater than total number of requests (-c 101, -n 100)"),
    (["-t", "0"], "loadgen: -t 0: must be a number of seconds from 0.001 to 86400"),
    (["-s", "-1"], "loadgen: -s -1: must be a number of seconds from 0.001 to 86400"),
    (["--sleep", "-0.1"],
     'loadgen: --sleep -0.1: "-0.1" is not a number of seconds from 0 to 3600; use one, or a list as in 0.1,0.2'),
    (["--threads", "0"], "loadgen: --threads 0: must be a whole number from 1 to 256, or auto"),
    (["-H", "nonsense"], 'loadgen: -H nonsense: a header line is a name, a colon and a value, as in "Accept: text/html"'),
    (["-C", "nonsense"], "loadgen: -C nonsense: a cookie is name=value on one line"),
    (["-A", "nonsense"], "loadgen: -A nonsense: must be user:password"),
    (["-m", "GET /"], "loadgen: -m GET /: a method is a word like GET or PATCH"),
    (["-T", "a\nb"], "loadgen: -T a\nb: must be a media type like application/json"),
    (["-p", "x", "-u", "y"], "loadgen: Cannot mix POST and PUT: give -p or -u"),
    (["-p", "x", "-i"], "loadgen: Cannot mix POST and HEAD: HEAD has no body"),
    (["-m", "GET", "-i"], "loadgen: Cannot mix -m GET and -i, which asks for HEAD"),
    (["--json", "x", "--csv", "x"], "loadgen: two outputs cannot go to the same place: x"),
    (["--json", "x", "--csv", "./x"], "loadgen: two outputs cannot go to the same place: x"),
    (["--json", "-", "--csv", "-"], "loadgen: two outputs cannot go to the same place: -"),
    (["--json", ""], "loadgen: an output needs a file name; - is standard output"),
    (["-e", "x", "-c", "1,2"], "loadgen: -e, -g, -w and --hgrm are for one cell; for a sweep use --csv or --json"),
    (["--unknown"], "loadgen: unknown or ambiguous option --unknown; see loadgen --help"),
    (["-Y"], "loadgen: unknown option -Y; see loadgen --help"),
    (["-n"], "loadgen: option -n, --requests N needs a value; see loadgen --help"),
    (["http://"], "loadgen: http://: the URL has no host; use one like http://127.0.0.1:8088/"),
    (["ftp://x/"], "loadgen: ftp://x/: only http://, https:// and unix:/path/of.sock:/ are supported"),
    (["127.0.0.1:0"], "loadgen: 127.0.0.1:0: the port must be a whole number from 1 to 65535"),
    (["x"] * 27, "loadgen: 27 URLs; 26 are the most"),
]


@pytest.mark.parametrize("arguments,message", WRONG, ids=[" ".join(arguments)[:30] for arguments, _ in WRONG])
def test_wrong_usage_gets_one_clear_line(arguments, message, tmp_path):
    url = [] if "/" in arguments[-1] or ":" in arguments[-1] else ["http://127.0.0.1:1/"]
    if len(arguments) > 20 or arguments == ["-n"]:
        url = []
    done = loadgen(*arguments, *url, cwd=tmp_path)
    assert (done.returncode, done.stderr, done.stdout) == (2, message + "\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_body_file_is_named(tmp_path):
    done = loadgen("-p", tmp_path / "none", "http://127.0.0.1:1/")
    assert (done.returncode, done.stderr) == (
        1, f"loadgen: cannot read the body from {tmp_path}/none: No such file or directory\n")


def test_a_name_that_does_not_resolve(tmp_path):
    done = loadgen("http://no.such.host.invalid/")
    assert done.returncode == 1
    assert re.fullmatch(r"loadgen: http://no.such.host.invalid/: cannot resolve no.such.host.invalid: .*\n", done.stderr)


def test_without_a_url_it_loads_the_two_servers_of_the_lab():
    probe = subprocess.run(["unshare", "-rn", "true"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip("no network namespace of our own here")
    done = subprocess.run(["unshare", "-rn", LOADGEN, "-n", "5"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["http://127.0.0.1:8088/", "http://127.0.0.1:8089/"]
