"""What loadgen says of itself: stalls are not hidden, nothing is left out, and a client that was the bottleneck says so."""

import json
import os
import re
import signal
import statistics
import subprocess
import threading
import time

import pytest

from load import DOUBTFUL, LOADGEN, OK, WELL, Peer, ScriptedServer, answering, default_signals, loadgen
from servers import PATIENCE, ROOT, AsyncServer, wait_until


def measure(tmp_path, *arguments, status=None, env=None):
    """Runs loadgen. Returns its one cell, and its report as one line, which breaks its own where it likes."""
    file = tmp_path / "result.json"
    done = loadgen("--json", file, *arguments, env=env)
    assert done.returncode in (WELL if status is None else (status,)), done.stderr
    (cell,) = json.loads(file.read_text())["cells"]
    return cell, " ".join(done.stdout.split())


def check_of(cell, name):
    (check,) = [check for check in cell["checks"] if check["name"] == name]
    return check


class TestStall:
    @pytest.fixture(scope="class")
    def stalled(self, tmp_path_factory):
        """An open and a closed loop, side by side, on a server that stands still for a second of their five."""
        folder = tmp_path_factory.mktemp("stall")
        loads = {"open": ["--rate", "200"], "closed": []}
        with AsyncServer("--sleep", 0.01) as server:
            url = f"http://127.0.0.1:{server.port}/"
            running = {
                name: subprocess.Popen(
                    [LOADGEN, "-k", "-c", "10", "--duration", "5", "--json", folder / name, *options, url], text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=default_signals)
                for name, options in loads.items()
            }
            time.sleep(2)
            begun = time.monotonic()
            server.signal(signal.SIGSTOP)
            time.sleep(1)
            server.signal(signal.SIGCONT)
            stall_ms = (time.monotonic() - begun) * 1000
            reports = {name: process.communicate(timeout=PATIENCE) for name, process in running.items()}
        for name, process in running.items():
            assert process.returncode in WELL, reports[name][1]
        cells = {name: json.loads((folder / name).read_text())["cells"][0] for name in loads}
        return stall_ms, cells, {name: report[0] for name, report in reports.items()}

    def test_the_open_loop_shows_it_in_p99(self, stalled):
        stall_ms, cells, _ = stalled
        assert cells["open"]["latency_ms"]["p99"] == pytest.approx(stall_ms, rel=0.1)
        assert cells["open"]["latency_ms"]["max"] >= 0.95 * stall_ms

    def test_service_and_response_times_stand_beside_each_other(self, stalled):
        stall_ms, cells, _ = stalled
        assert cells["open"]["service_ms"]["max"] >= 0.95 * stall_ms  # ten requests were under way,
        assert cells["open"]["service_ms"]["median"] < 0.1 * stall_ms    # and those that waited for them took no time
        assert cells["open"]["queued"] > 100                          # once they left

    def test_the_closed_loop_hides_it_in_p99_but_not_in_its_maximum(self, stalled):
        stall_ms, cells, _ = stalled
        assert cells["closed"]["latency_ms"]["p99"] < 0.5 * stall_ms
        assert 0.95 * stall_ms <= cells["closed"]["latency_ms"]["max"] < 1.5 * stall_ms

    def test_the_closed_loop_says_what_it_hides(self, stalled):
        _, _, reports = stalled
        assert re.search(r"closed loop.* --rate", " ".join(reports["closed"].split()))
        assert "closed loop" not in reports["open"]

    @pytest.mark.parametrize("load", ["open", "closed"])
    def test_it_is_not_taken_for_a_pause_of_loadgen(self, stalled, load):
        stall_ms, cells, _ = stalled
        assert check_of(cells[load], "paused")["measured"] < 0.5 * stall_ms  # a busy machine may have made a short one


class TestPause:
    """loadgen itself is stopped, which no server can be blamed for."""

    @staticmethod
    def stopped(tmp_path, server, *options):
        """Runs loadgen, and stops it for 0.7 s of 3. Returns how long that was, the process, its one cell and its report."""
        file = tmp_path / "result.json"
        process = subprocess.Popen([LOADGEN, "-k", "-c", "4", "--duration", "3", "--json", file, *options, server.url],
                                   text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=default_signals)
        wait_until(lambda: server.connections > 0, "the load")
        time.sleep(0.5)
        begun = time.monotonic()
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.7)
        process.send_signal(signal.SIGCONT)
        stopped_ms = (time.monotonic() - begun) * 1000
        out, _ = process.communicate(timeout=PATIENCE)
        (cell,) = json.loads(file.read_text())["cells"]
        return stopped_ms, process.returncode, cell, " ".join(out.split())

    @pytest.mark.parametrize("options", [(), ("--threads", "2"), ("--rate", "100"), ("--warmup", "0.2")])
    def test_it_is_noticed_and_measured(self, tmp_path, options):
        with ScriptedServer(answering()) as server:
            stopped_ms, status, cell, report = self.stopped(tmp_path, server, *options)
        check = check_of(cell, "paused")
        assert (status, check["state"], check["limit"]) == (DOUBTFUL, "failed", 100)
        assert 0.9 * stopped_ms <= check["measured"] <= 2 * stopped_ms
        assert cell["latency_ms"]["max"] >= 0.9 * stopped_ms  # which is what the check is for
        assert f"Check failed (paused): loadgen was stopped, or had no CPU, for {check['measured']:.0f} ms at a time" in report

    def test_in_the_warm_up_it_does_no_harm(self, tmp_path):
        with ScriptedServer(answering()) as server:
            stopped_ms, _, cell, _ = self.stopped(tmp_path, server, "--warmup", "2.5", "--duration", "0.5")
        assert check_of(cell, "paused")["measured"] < 0.5 * stopped_ms

    def test_it_is_noticed_where_it_lasts_until_time_is_up(self, tmp_path):
        with ScriptedServer(answering()) as server:
            stopped_ms, _, cell, _ = self.stopped(tmp_path, server, "--duration", "1")
        assert check_of(cell, "paused")["measured"] >= 0.8 * stopped_ms


class TestNothingIsLeftOut:
    def test_a_request_that_timed_out_took_at_least_that_long(self, tmp_path):
        def script(peer):
            while peer.request():
                answered.append(time.monotonic())
                if len(answered) != 20:
                    peer.send(OK)

        answered = []
        with ScriptedServer(script) as server:
            cell, _ = measure(tmp_path, "-k", "-s", 0.4, "--rate", 50, "-n", 50, server.url, status=1)
        assert cell["failures"]["timeout"] == 1
        assert cell["complete"] == 50
        assert cell["latency_ms"]["max"] >= 400

    def test_so_did_those_that_waited_behind_it(self, tmp_path):
        def script(peer):
            while peer.request():
                answered.append(time.monotonic())
                if len(answered) != 20:
                    peer.send(OK)

        answered = []
        with ScriptedServer(script) as server:
            cell, _ = measure(tmp_path, "-k", "-c", 1, "-s", 0.5, "--rate", 50, "-n", 60, server.url, status=1)
        assert cell["failures"]["timeout"] == 1
        assert cell["queued"] >= 20  # due while the only connection waited in vain
        assert cell["latency_ms"]["p75"] >= 200

    def test_unfinished_requests_enter_with_their_age(self, tmp_path):
        def script(peer):
            while peer.request() and len(answered) < 100:
                answered.append(time.monotonic())
                peer.send(OK)
            time.sleep(3)

        answered = []
        with ScriptedServer(script) as server:
            cell, report = measure(tmp_path, "-k", "-c", 4, "--duration", 1.5, server.url)
        assert cell["unfinished"] == cell["overdue"] == 4
        assert cell["complete"] >= 100
        assert cell["latency_ms"]["max"] >= 900
        assert "4 requests were under way when time was up 4 of these had waited longer than any answer took" in report

    def test_requests_that_could_not_even_leave_enter_with_their_age(self, tmp_path):
        def script(peer):
            while peer.request() and len(answered) < 20:
                answered.append(time.monotonic())
                peer.send(OK)
            time.sleep(3)

        answered = []
        with ScriptedServer(script) as server:
            cell, report = measure(tmp_path, "-k", "-c", 2, "--rate", 100, "--duration", 1.5, server.url, status=DOUBTFUL)
        assert cell["unfinished"] == 2
        assert 110 <= cell["missed"] <= 135
        assert cell["overdue"] >= 100
        assert cell["latency_ms"]["max"] >= 1200
        assert cell["latency_ms"]["p50"] >= 300
        assert f"{cell['missed']} request{' was' if cell['missed'] == 1 else 's were'} due and had not begun when time was up" in report
        assert f"{cell['overdue']} of these had waited longer than any answer took" in report


class TestSilenceToTheEnd:
    """A server that answers twenty requests, and then none: each report shows what came after."""

    @pytest.fixture(scope="class", params=[["--rate", 100, "-c", 4, "--threads", 2], ["-c", 4]], ids=["open", "closed"])
    def silent(self, request, tmp_path_factory):
        def script(peer):
            while peer.request() and len(answered) < 20:
                answered.append(time.monotonic())
                peer.send(OK)
            time.sleep(4)

        answered = []
        path = tmp_path_factory.mktemp("silent")
        with ScriptedServer(script) as server:
            done = loadgen("-q", "-k", *request.param, "--duration", 2.5, "--json", path / "j", "-g", path / "g", "--series",
                           path / "s", "--hgrm", path / "h", server.url)
        (cell,) = json.loads((path / "j").read_text())["cells"]
        assert cell["complete"] >= 20 and cell["overdue"] >= 4, done.stderr
        return cell, path

    def test_the_seconds_go_on(self, silent):
        cell, path = silent
        rows = [line.split(",") for line in (path / "s").read_text().splitlines()[1:]]
        assert [second["t"] for second in cell["series"]] == [int(row[4]) for row in rows] == [0, 1, 2]
        assert (cell["series"][2]["complete"], cell["series"][2]["p50_ms"], rows[2][5], rows[2][-1]) == (0, None, "0", "")
        assert sum(second["complete"] for second in cell["series"]) == cell["complete"]

    def test_g_has_each_with_its_age(self, silent):
        cell, path = silent
        rows = [list(map(int, line.split("\t")[1:])) for line in (path / "g").read_text().splitlines()[1:]]
        counted = re.search(r"Total count *= *(\d+)", (path / "h").read_text())
        assert len(rows) == cell["complete"] + cell["overdue"] == int(counted[1])
        assert max(total for _, _, _, total, _ in rows) == pytest.approx(cell["latency_ms"]["max"], abs=1)
        assert statistics.mean(total for _, _, _, total, _ in rows) == pytest.approx(cell["latency_ms"]["mean"], abs=1)
        overdue = rows[cell["complete"]:]
        assert all(abs(connect + processing - total) <= 1 for _, connect, processing, total, _ in rows)
        assert all(connect <= 1000 and wait > 500 for _, connect, _, _, wait in overdue[-4:])

    def test_what_never_left_was_delayed(self, silent):
        cell, _ = silent
        if cell["load"] == "closed":
            assert cell["delay_ms"] is None
            return
        assert cell["delay_ms"]["max"] == pytest.approx(cell["latency_ms"]["max"], rel=0.2)
        assert cell["delay_ms"]["p99"] > 1000
        assert cell["delay_ms"]["mean"] <= cell["latency_ms"]["mean"]

    def test_what_never_left_was_not_sent(self, silent):
        cell, _ = silent
        if cell["load"] == "closed":
            assert cell["rate"] is None
            return
        left = cell["complete"] + cell["unfinished"]
        assert cell["rate"]["due"] == pytest.approx(100, rel=0.01)
        assert cell["rate"]["started"] == pytest.approx(100 * left / (left + cell["missed"]), rel=0.02)
        assert check_of(cell, "rate")["measured"] == pytest.approx(cell["rate"]["started"] / cell["rate"]["due"])


class Unwilling(ScriptedServer):
    """Takes two connections, and leaves the others to the kernel, whose queue has room for one."""

    def __init__(self):
        super().__init__(answering(), backlog=0)

    def accept(self):
        for number in range(2):
            connection, _ = self.listener.accept()
            with self.lock:
                self.open += 1
                self.peers.add(connection)
            threading.Thread(target=self.serve, args=(Peer(connection, number),), daemon=True).start()


@pytest.fixture(scope="module")
def ailing(tmp_path_factory):
    """ailing(AILMENT) is the environment of a loadgen that has it: fakes/ailing.c."""
    library = tmp_path_factory.mktemp("ailing") / "ailing.so"
    subprocess.run(["cc", "-std=c11", "-O1", "-fPIC", "-fno-builtin", "-shared", "-o", library,
                    ROOT / "tests/integration/fakes/ailing.c", "-ldl"], check=True)
    options = os.environ.get("ASAN_OPTIONS", "")

    def environment(ailment):
        return dict(os.environ, LD_PRELOAD=str(library), AILMENT=ailment,
                    ASAN_OPTIONS=f"{options}:verify_asan_link_order=0".lstrip(":"))

    return environment


def slow(_):
    time.sleep(0.05)
    return OK


class TestChecks:
    """Each check, where it fails: in the report, in the JSON, and in the exit status."""

    @staticmethod
    def assert_failed(name, advice, tmp_path, *arguments, env=None):
        cell, report = measure(tmp_path, "-k", *arguments, status=DOUBTFUL, env=env)
        check = check_of(cell, name)
        assert check["state"] == "failed"
        assert check["measured"] != check["limit"]
        assert advice in check["sentence"]
        assert f"Check failed ({name}): {check['sentence']}" in report
        return check

    def test_a_thread_without_cpu_time_to_spare(self, tmp_path, ailing):
        with ScriptedServer(answering()) as server:
            check = self.assert_failed("cpu", "--threads 2", tmp_path, "--duration", 0.5, server.url, env=ailing("busy"))
        assert 0.95 == check["limit"] < check["measured"] <= 1.05

    def test_requests_that_leave_late(self, tmp_path, ailing):
        with ScriptedServer(answering()) as server:
            check = self.assert_failed("send_lag", "taskset", tmp_path, "--rate", 50, "-n", 120, server.url, env=ailing("slow"))
        assert check["limit"] >= 1  # ms
        assert check["measured"] >= 3

    def test_connections_that_never_stood(self, tmp_path):
        # Over before the SYNs that were dropped are sent again, which takes a second.
        with Unwilling() as server:
            check = self.assert_failed("connections", "lower -c", tmp_path, "-c", 8, "--duration", 0.7, server.url)
        assert check["limit"] == 8
        assert 1 <= check["measured"] < 8

    def test_requests_that_waited_for_connections(self, tmp_path):
        with ScriptedServer(answering(slow)) as server:
            check = self.assert_failed("connections", "raise -c", tmp_path, "-c", 1, "--rate", 30, "-n", 30, server.url)
        assert 0.5 == check["limit"] < check["measured"] <= 1

    def test_a_rate_that_was_not_kept(self, tmp_path):
        with ScriptedServer(answering(slow)) as server:
            check = self.assert_failed("rate", "raise -c", tmp_path, "-c", 1, "--rate", 100, "--duration", 1, server.url)
        assert 0 < check["measured"] < 0.5
        assert check["limit"] == pytest.approx(0.99, abs=0.001)

    def test_a_rate_that_was_not_kept_although_all_requests_left(self, tmp_path):
        with ScriptedServer(answering(slow)) as server:
            check = self.assert_failed("rate", "raise -c", tmp_path, "-c", 1, "--rate", 100, "-n", 30, server.url)
        assert 0.05 < check["measured"] < 0.5

    def test_gaps_that_are_not_exponential(self, tmp_path, ailing):
        with ScriptedServer(answering()) as server:
            # So few a second that what other work delays them by is nothing beside their gaps.
            check = self.assert_failed("arrivals", "exponential", tmp_path, "--rate", 40, "--arrivals", "poisson", "-n", 120,
                                       server.url, env=ailing("even"))
        assert check["measured"] == pytest.approx(0.63, abs=0.15)

    def test_connections_left_waiting(self, tmp_path, ailing):
        with ScriptedServer(answering()) as server:
            check = self.assert_failed("littles_law", "waited for loadgen", tmp_path, "-c", 2, "--duration", 1, server.url,
                                       env=ailing("slow"))
        assert check["limit"] == 0.95 > check["measured"]

    def test_failed_requests_weigh_more_than_a_failed_check(self, tmp_path):
        with ScriptedServer(answering(slow)) as server:
            cell, report = measure(tmp_path, "-k", "-c", 1, "-s", 0.02, "--rate", 100, "--duration", 1, server.url, status=1)
        assert check_of(cell, "rate")["state"] == "failed"
        assert "Check failed (rate)" in report

    def test_a_healthy_client_says_nothing(self, tmp_path):
        with ScriptedServer(answering(slow)) as server:
            cell, report = measure(tmp_path, "-k", "-c", 4, "-n", 40, server.url, status=0)
        assert [check["name"] for check in cell["checks"]] == [
            "cpu", "send_lag", "connections", "rate", "arrivals", "littles_law", "paused"]
        assert {check["name"]: check["state"] for check in cell["checks"]} == {
            "cpu": "ok", "send_lag": "none", "connections": "ok", "rate": "none", "arrivals": "none", "littles_law": "ok",
            "paused": "ok"}
        assert "Check failed" not in report

    def test_a_sweep_has_one_doubtful_cell(self, tmp_path):
        with ScriptedServer(answering(slow)) as server:
            file = tmp_path / "result.json"
            done = loadgen("-k", "-c", 1, "--rate", "5,100", "--duration", 1, "--json", file, server.url)
        assert done.returncode == DOUBTFUL
        cells = json.loads(file.read_text())["cells"]
        assert [check_of(cell, "rate")["state"] for cell in cells] == ["ok", "failed"]
