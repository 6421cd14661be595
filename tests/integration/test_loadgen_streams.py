"""loadgen started by somebody careless: streams that are closed, lists that do not divide, addresses that do not fit."""

import collections
import os
import resource
import signal
import subprocess
import time

import pytest

from load import LOADGEN, WELL, ScriptedServer, answering, default_signals, free_port, loadgen, one_cell
from servers import PATIENCE
from test_loadgen_honesty import ailing  # pylint: disable=unused-import


def without(*streams):
    """What to do in the child, so that loadgen starts without these."""

    def close():
        default_signals()
        for stream in streams:
            os.close(stream)

    return close


class TestStreams:
    def test_no_socket_gets_the_number_of_a_closed_stream(self):
        def slow(peer):
            while peer.request():
                time.sleep(0.3)
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        with ScriptedServer(slow) as server:
            process = subprocess.Popen([LOADGEN, "-n", "4", "-k", server.url], preexec_fn=without(0, 1, 2))
            deadline = time.monotonic() + PATIENCE
            while server.connections == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            links = [os.readlink(f"/proc/{process.pid}/fd/{stream}") for stream in range(3)]
            assert process.wait(PATIENCE) == 1  # nobody can read the report
        assert links == ["/dev/null"] * 3

    @pytest.mark.parametrize("more", [[], ["-v", "4"], ["--json", "-"], ["-c", "1,2"]])
    def test_a_report_that_nobody_can_get_is_a_failure(self, more):
        with ScriptedServer(answering()) as server:
            done = subprocess.run([LOADGEN, "-q", "-n", "10", *more, server.url], stderr=subprocess.PIPE, text=True,
                                  preexec_fn=without(1), timeout=PATIENCE, check=False)
        assert (done.returncode, done.stderr) == (1, "loadgen: cannot write to standard output\n")

    def test_without_standard_error_the_report_is_as_ever(self):
        with ScriptedServer(answering()) as server:
            done = subprocess.run([LOADGEN, "-n", "400", "-c", "2", "-k", server.url], stdout=subprocess.PIPE, text=True,
                                  preexec_fn=without(0, 2), timeout=PATIENCE, check=False)
        assert done.returncode in WELL
        assert "Complete requests:      400\n" in done.stdout and "Completed 100" not in done.stdout


class TestLists:
    @pytest.mark.parametrize("load", [["-c", 3], ["-c", 7], ["-c", 3, "--pipeline", 5], ["--rate", 1000]])
    def test_every_line_is_sent_as_often_however_the_threads_share_the_connections(self, tmp_path, load):
        (tmp_path / "urls").write_text("/a\n/b\n/c\n/d\n")
        seen = collections.Counter()

        def count(request):
            seen[request.split()[1]] += 1
            return b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

        with ScriptedServer(answering(count)) as server:
            cell = one_cell("-n", 120, "-k", "--threads", 2, "--urls", tmp_path / "urls", *load, server.url)
        assert (cell["complete"], cell["failed"]) == (120, 0)
        assert seen == {b"/a": 30, b"/b": 30, b"/c": 30, b"/d": 30}


class TestSilence:
    @pytest.mark.parametrize("load,cell", [(["-c", 3], "c 3"), (["--rate", 50], "50"), (["-c", 3, "--warmup", 0.1], "c 3")])
    def test_a_server_that_never_answers_is_no_success(self, load, cell):
        with ScriptedServer(lambda peer: peer.request() and peer.request()) as server:
            done = loadgen("-q", "-k", "--duration", 0.3, "--expect", "errors=0", *load, server.url)
        assert done.returncode == 1
        assert done.stderr.startswith(f"loadgen: {server.url}, ") and cell in done.stderr
        assert done.stderr.endswith(": no request was answered before time was up\n")

    def test_nothing_that_was_due_is_no_failure(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("-q", "--ramp", "0:0.001:1", server.url)
        assert "Complete requests:      0\n" in done.stdout or "Complete requests:      1\n" in done.stdout
        assert (done.returncode, done.stderr) == (0, "")


class TestFigures:
    @pytest.mark.parametrize("load", [["-c", 2, "--threads", 2], ["--rate", 500]])
    def test_the_rows_of_g_are_of_all_repetitions(self, tmp_path, load):
        with ScriptedServer(answering()) as server:
            cell = one_cell("-n", 20, "-k", "--repeat", 3, "-g", tmp_path / "rows", *load, server.url)
        rows = [line.split("\t") for line in (tmp_path / "rows").read_text().splitlines()]
        assert cell["complete"] == len(rows) - 1 == 60
        totals = [int(row[4]) for row in rows[1:]]
        assert totals == sorted(totals)

    def test_one_request_is_due_at_a_rate_too(self):
        with ScriptedServer(answering()) as server:
            cell = one_cell("--rate", 0.5, "--duration", 1, server.url)
        assert cell["complete"] == 1
        assert 0.5 < cell["rate"]["due"] <= 1 and cell["rate"]["due"] == cell["rate"]["started"]

    def test_no_more_can_count_than_was_asked_for(self):
        done = loadgen("-n", 39, "-c", 5, "--pipeline", 8, "--warmup", 1, "http://127.0.0.1:1/")
        assert (done.returncode, done.stderr) == (2, "loadgen: with --warmup -n is at least -c x --pipeline (5 x 8), and not 39\n")
        with ScriptedServer(answering()) as server:
            cell = one_cell("-n", 40, "-c", 5, "--pipeline", 8, "--warmup", 0.1, server.url)
        assert cell["complete"] == 40


class TestMessages:
    def test_the_open_loop_s_report_fits_a_terminal(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("--rate", 100, "--duration", 0.5, "-c", 1, "-k", "-q", server.url)
        assert max(map(len, done.stdout.splitlines())) <= 80

    def test_lines_below_the_report_fit_a_terminal(self):
        def stall_once(peer):
            for number in range(40):
                if not peer.request():
                    return
                if number == 20:
                    time.sleep(0.5)
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        with ScriptedServer(stall_once) as server:
            done = loadgen("-n", 40, "-k", "-q", server.url)
        assert "The slowest request took" in done.stdout
        assert max(len(line) for line in done.stdout.splitlines()) <= 80

    @pytest.mark.parametrize("url", ["http://host/", "https://host/"])
    def test_a_proxy_that_is_down_is_not_taken_for_the_server(self, url):
        proxy = f"127.0.0.1:{free_port()}"
        done = loadgen("-n", 1, "-X", proxy, url)
        assert done.returncode == 1
        assert done.stderr == (f"loadgen: {url}: cannot connect through the proxy {proxy}: connection refused; "
                               "is the proxy running?\n")

    def test_an_address_of_the_other_kind_is_said_to_be_the_reason(self):
        done = loadgen("-n", 1, "-B", "127.0.0.1", "http://[::1]:1/")
        assert done.returncode == 1
        assert done.stderr.endswith("; -B or --source is IPv4, so only such addresses are tried\n")

    def test_a_certificate_that_must_not_be_read(self, tmp_path):
        done = loadgen("-n", 1, "-E", tmp_path, "https://127.0.0.1:1/")
        assert (done.returncode, done.stderr) == (1, f"loadgen: -E {tmp_path}: cannot read the file: Is a directory\n")


class TestLimits:
    @staticmethod
    def limited(kind, limit, *arguments):
        def lower():
            default_signals()
            resource.setrlimit(kind, (limit, limit))

        with ScriptedServer(answering()) as server:
            return server.url, subprocess.run([LOADGEN, "-q", *map(str, arguments), server.url], capture_output=True, text=True,
                                              preexec_fn=lower, timeout=60, check=False)

    def test_a_file_that_may_not_be_so_large(self, tmp_path):
        (tmp_path / "rows").write_text("as before\n")
        url, done = self.limited(resource.RLIMIT_FSIZE, 4096, "-n", 300, "-c", 5, "-k", "-g", tmp_path / "rows")
        assert (done.returncode, done.stderr) == (1, f"loadgen: cannot write {tmp_path}/rows: File too large\n"), url
        assert [entry.read_text() for entry in tmp_path.iterdir()] == ["as before\n"]


class TestEndless:
    """Servers that send faster than loadgen can read, without an end: its timers and signals must be heard all the same."""

    TINY = b"1\r\nx\r\n" * 500000

    @classmethod
    def flood(cls, peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            peer.send(cls.TINY)

    def test_the_time_limit_counts(self, ailing):
        with ScriptedServer(self.flood) as server:
            cell = one_cell("-k", "-c", 6, "--duration", 0.5, server.url, env=ailing("slow"), status=1)
        assert (cell["complete"], cell["unfinished"]) == (0, 6)
        assert 0.5 <= cell["duration_s"] < 5

    def test_the_time_out_counts(self, ailing):
        with ScriptedServer(self.flood) as server:
            cell = one_cell("-k", "-c", 6, "-n", 12, "-s", 0.3, server.url, status=1, env=ailing("slow"))
        assert (cell["complete"], cell["failures"]["timeout"]) == (12, 12)

    def test_sigint_is_heard(self, ailing):
        with ScriptedServer(self.flood) as server:
            process = subprocess.Popen([LOADGEN, "-q", "-k", "-c", "6", "-n", "6", server.url], stdout=subprocess.PIPE,
                                       preexec_fn=default_signals, env=ailing("slow"))
            deadline = time.monotonic() + PATIENCE
            while server.connections < 6 and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            try:
                output, _ = process.communicate(timeout=PATIENCE)
            finally:
                process.kill()
        assert process.returncode == 130 and b"Complete requests:      0\n" in output
