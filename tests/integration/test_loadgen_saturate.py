"""--until-saturated: the knee of servers whose capacity is known."""

import collections
import json
import re
import signal
import subprocess
import threading
import time

import pytest

from load import LOADGEN, OK, WELL, ScriptedServer, answering, default_signals, free_port, loadgen, loadgen_json
from servers import PATIENCE, AsyncServer, PreforkServer, wait_until

STEP = ("--until-saturated", "--duration", "0.4")
SLEEP = 0.02


@pytest.fixture
def server_of():
    """server_of(class, *arguments) starts a server whose requests take SLEEP."""
    running = []

    def start(kind, *arguments):
        server = kind("--sleep", SLEEP, *arguments)
        running.append(server)
        return f"http://127.0.0.1:{server.port}/"

    yield start
    for server in running:
        server.stop()


def rows_of(text, letter=None):
    """The figures of the table's rows, by load."""
    rows = {}
    for line in text.splitlines():
        fields = line.replace("*", "").replace("!", "").replace("~", "").split()
        if letter is not None:
            if fields[:1] != [letter]:
                continue
            fields = fields[1:]
        if fields and re.fullmatch(r"[0-9.]+", fields[0]):
            rows[float(fields[0])] = fields[1:]
    return rows


def knee_of(text, unit="connections?", prefix=""):
    match = re.search(rf"^{prefix}Knee at ([0-9.]+)\s+{unit}: ([0-9.]+)\s", text, re.MULTILINE)
    assert match, text
    return float(match.group(1)), float(match.group(2))


def undisturbed(check, *arguments):
    """Runs loadgen until what it says passes CHECK: a burst of other work disturbs a step of one run, not of all."""
    for left in reversed(range(4)):
        done = loadgen(*arguments)
        try:
            check(done)
            return
        except AssertionError:
            if left == 0:
                raise


class TestClosedLoop:
    # The load that other tests put on the machine makes knees a little higher, never lower: a worker serves no two at once.

    @pytest.mark.parametrize("kind, limit", [(PreforkServer, "--workers"), (AsyncServer, "--max-connections")])
    def test_the_knee_is_the_number_of_places(self, server_of, kind, limit):
        def check(done):
            knee, rps = knee_of(done.stdout)
            assert 3 <= knee <= 6
            assert 0.5 * 3 / SLEEP < rps <= 1.05 * 3 / SLEEP
            rows = rows_of(done.stdout)
            assert list(rows) == sorted(rows) and {1, 2, 4, 8} <= set(rows)
            assert max(rows) <= 32
            assert "More connections bring no" in done.stdout

        undisturbed(check, *STEP, server_of(kind, limit, 3))

    def test_several_targets_and_sleeps_have_a_knee_each(self, server_of):
        one, two = (server_of(PreforkServer, "--workers", workers) for workers in (1, 2))

        def check(done):
            for sleep in "0.01", "0.02":
                assert knee_of(done.stdout, prefix=f"A, sleep {sleep} s: ")[0] in (1, 2)
                assert knee_of(done.stdout, prefix=f"B, sleep {sleep} s: ")[0] in (2, 3, 4)

        undisturbed(check, "--until-saturated", "--duration", "0.25", "--sleep", "0.01,0.02", one, two)

    def test_an_expectation_ends_the_climb_and_is_met_at_the_knee(self):
        def script(peer):
            while peer.request():
                time.sleep(0.02 if server.open <= 6 else 0.2)
                peer.send(OK)

        def check(done):
            assert done.returncode in WELL, done.stderr
            assert 4 <= knee_of(done.stdout)[0] <= 6
            assert re.search(r"Beyond, p50<150ms\s+does\s+not\s+hold\s+at\s+[78]\s+connections:\s+it\s+was\s+[12]", done.stdout)
            assert done.stderr == ""  # what broke beyond the knee is no failure

        with ScriptedServer(script) as server:
            undisturbed(check, *STEP, "-k", "--expect", "p50<150ms", server.url)

    def test_no_knee_where_an_expectation_never_holds(self):
        with ScriptedServer(answering()) as server:
            done = loadgen(*STEP, "-k", "-c", 4, "--expect", "min>10s", server.url)
        assert done.returncode == 1
        assert list(rows_of(done.stdout)) == [1, 2, 4]  # it came down to find one
        assert "No knee: min>10s does not hold at 1 connection: it was " in done.stdout

    def test_no_knee_where_no_answer_is_good(self):
        with ScriptedServer(answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")) as server:
            done = loadgen("--until-saturated", "-n", 10, "-k", server.url)
        assert done.returncode == 1
        assert "No knee: no answer was good (2xx), up to 2 connections." in done.stdout

    def test_the_json_has_knees(self, server_of):
        def check(done):
            assert done.returncode in WELL, done.stderr
            result = json.loads(done.stdout)
            knee, = result["knees"]
            assert set(knee) == {"target", "sleep_s", "end", "knee", "best", "beyond", "sentence"}
            assert (knee["target"], knee["sleep_s"], knee["end"], knee["beyond"]) == (url, None, "flat", None)
            assert knee["knee"]["concurrency"] in (2, 3, 4) and knee["sentence"].startswith("Knee at ")
            assert knee["knee"]["rps"] >= 0.95 * knee["best"]["rps"]
            cells = {cell["concurrency"]: cell for cell in result["cells"]}
            assert cells[knee["knee"]["concurrency"]]["rps"] == knee["knee"]["rps"]

        url = server_of(PreforkServer, "--workers", 2)
        undisturbed(check, "--json", "-", *STEP, "--expect", "p99<20s", url)

    def test_without_a_report_standard_error_says_that_there_is_none(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("--json", "-", "--until-saturated", "-n", 5, "--expect", "min>10s", server.url)
        assert done.returncode == 1
        assert done.stderr.startswith(f"loadgen: {server.url}: No knee: min>10s does not hold at 1 connection: it was ")
        knee, = json.loads(done.stdout)["knees"]
        assert (knee["knee"], knee["best"], knee["end"], knee["beyond"]["concurrency"]) == (None, None, "broken", 1)

    def test_a_server_that_breaks_down_has_its_knee_below(self):
        def script(peer):
            while peer.request():
                time.sleep(0.02)
                if server.open > 3:
                    peer.reset()
                    return
                peer.send(OK)

        def check(done):
            assert done.returncode in WELL, done.stderr
            assert knee_of(done.stdout)[0] in (2, 3)
            assert re.search(r"Beyond,\s+the\s+run\s+broke\s+off\s+at\s+[34]\s+connections", done.stdout)
            assert "run ended after" in done.stderr

        with ScriptedServer(script) as server:
            undisturbed(check, *STEP, "-k", server.url)

    def test_a_server_that_is_not_there(self):
        done = loadgen(*STEP, f"http://127.0.0.1:{free_port()}/")
        assert done.returncode == 1
        assert "is the server running?" in done.stderr
        assert done.stdout == ""

    def test_the_requests_of_a_step_limit_the_connections(self):
        with ScriptedServer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as server:
            done = loadgen("--until-saturated", "-n", 6, "-c", 6, "-k", server.url)
            assert server.most_open <= 6
        assert max(rows_of(done.stdout)) == 6

    def test_behind_a_warm_up_no_step_counts_more_requests_than_it_has(self):
        """All that are under way when the warm-up ends count."""
        with ScriptedServer(answering()) as server:
            done = loadgen("--until-saturated", "-n", 60, "-c", 5, "--pipeline", 10, "--warmup", 0.1, "--json", "-", server.url)
        cells = json.loads(done.stdout)["cells"]
        assert max(cell["concurrency"] for cell in cells) == 6
        assert {cell["complete"] for cell in cells} == {60}

    def test_sigint_tells_the_steps_so_far(self):
        with ScriptedServer(answering()) as server:
            process = subprocess.Popen([LOADGEN, "--until-saturated", "--duration", "0.3", server.url], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, preexec_fn=default_signals)
            wait_until(lambda: server.connections > 0, "the first step")
            time.sleep(0.4)  # in the second one, or in a later one
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert "Interrupted after" in out and "The search for the knee was interrupted." in out


class Shedding:
    """A script that answers up to RATE requests a second, and all others, as quickly, with 503."""

    def __init__(self, rate):
        self.rate = rate
        self.lock = threading.Lock()
        self.answered = collections.deque()  # when, within the last tenth of a second

    def __call__(self, peer):
        while peer.request():
            peer.send(self.answer(time.monotonic()))

    def answer(self, now):
        with self.lock:
            while self.answered and self.answered[0] <= now - 0.1:
                self.answered.popleft()
            if len(self.answered) >= self.rate / 10:
                return b"HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nlater"
            self.answered.append(now)
            return OK


class TestOpenLoop:
    def test_the_knee_of_a_rate(self, server_of):
        def check(done):
            knee, rps = knee_of(done.stdout, unit="requests/s")
            assert 40 <= knee <= 100 * 1.3
            assert rps <= 1.05 * 2 / SLEEP
            assert {25, 50, 100} <= set(rows_of(done.stdout))
            assert re.search(r"Beyond, the server does not keep up with \d+(\.\d+)? requests/s: it answered [\d.]+ of them\.",
                             " ".join(done.stdout.split()))

        undisturbed(check, *STEP, "--rate", 25, server_of(PreforkServer, "--workers", 2))

    def test_rates_that_the_server_does_not_keep_up_with_are_no_knee(self, server_of):
        """What is answered of them varies by chance: the best of such steps would be no finding."""
        def check(done):
            knee, rps = knee_of(done.stdout, unit="requests/s")
            assert knee <= 1.3 / SLEEP
            assert rps <= 1.05 / SLEEP

        undisturbed(check, *STEP, "--rate", 2000, "-c", 4, server_of(PreforkServer))

    def test_quick_refusals_are_no_throughput(self):
        def check(done):
            result = json.loads(done.stdout)
            knee, = result["knees"]
            assert 50 <= knee["knee"]["rate"] <= 150
            beyond = knee["beyond"]
            assert beyond["rps"] <= 0.9 * beyond["rate"]
            cell, = [cell for cell in result["cells"] if cell["rate"]["asked"] == beyond["rate"]]
            assert cell["complete"] > cell["errors"] > 0
            assert beyond["rps"] == pytest.approx((cell["complete"] - cell["errors"]) / cell["duration_s"])
            assert (f"the server does not keep up with {beyond['rate']:g} requests/s: "
                    f"it answered {beyond['rps']:.4g} of them with 2xx." in knee["sentence"])

        with ScriptedServer(Shedding(100)) as server:
            undisturbed(check, *STEP, "--rate", 50, "-k", "--json", "-", server.url)

    def test_what_a_step_left_in_the_queue_does_not_count_against_the_next(self):
        """One worker serves what was asked for before it, whether or not anybody waits for that any more."""
        worker = PreforkServer("--workers", 1, "--sleep", 0.05)
        try:
            done = loadgen("--rate", "200,10", "-c", 20, "--duration", 0.4, f"http://127.0.0.1:{worker.port}/")
        finally:
            worker.stop()
        rows = rows_of(done.stdout)
        # Twenty requests of the first cell, a second of work, would leave nothing for the other one's 0.4 s.
        assert float(rows[10][0]) >= 1, done.stdout


class TestLeftovers:
    """What a cell leaves in a server's queue does not count against the next one: that waits until it is served."""

    @pytest.fixture
    def worker(self):
        """One worker serves what was asked for before it, whether or not anybody waits for that any more."""
        with PreforkServer("--workers", 1, "--sleep", 0.1) as server:
            yield server

    def test_of_a_target_on_the_same_server(self, worker):
        done = loadgen("-c", 15, "--duration", 0.5, worker.url, worker.url)
        assert int(rows_of(done.stdout, "A")[15][0]) >= 1
        assert int(rows_of(done.stdout, "B")[15][0]) >= 1, done.stdout  # and not after a second

    def test_of_requests_that_timed_out(self, worker):
        cells = loadgen_json("-c", "20,1", "-n", 20, "-s", 0.5, worker.url, status=1)["cells"]
        assert cells[0]["failures"]["timeout"] >= 8 and cells[0]["unfinished"] == 0
        assert cells[1]["failures"]["timeout"] <= 1, cells[1]["failures"]  # what it left would cost three

    def test_a_short_timeout_is_not_that_of_the_wait(self, worker):
        cells = loadgen_json("-c", "20,1", "--duration", 0.5, "-s", 0.6, worker.url)["cells"]
        assert cells[0]["unfinished"] > 0
        assert cells[1]["complete"] >= 1
        assert cells[1]["failures"]["timeout"] == 0

    def test_what_cannot_be_waited_out_is_told_and_tried_again(self):
        def script(peer):
            while peer.request():
                if peer.number == 0:  # the first request of all: no answer in time
                    peer.request()
                    return
                if peer.number == 2:  # the one that is sent behind it
                    return
                peer.send(OK)

        with ScriptedServer(script) as server:
            done = loadgen("-k", "-n", 3, "-c", "1,2,3", "-s", 1, server.url)
            # The first cell has two, the others as many as they ask for; and one before each of these.
            assert server.connections == 2 + 1 + 2 + 1 + 3
        assert done.returncode == 1
        assert done.stderr == (f"loadgen: {server.url}: what a cell left in the server's queue may count against the next one: "
                               "a request behind it failed, or had no answer within 60 s\n")

    def test_behind_a_cell_without_any_answer_it_does_not_wait_for_long(self):
        def silent(peer):
            while peer.request():
                pass

        with ScriptedServer(silent) as server:
            done = loadgen("-c", "1,2", "--duration", 0.3, server.url, timeout=50)
        assert done.returncode == 1
        assert "or had no answer within 2 s\n" in done.stderr


class TestOptions:
    @pytest.mark.parametrize("arguments, why", [
        (("-c", "1,2"), "--until-saturated raises -c itself: give one value to begin with"),
        (("--rate", "1,2"), "--until-saturated raises --rate itself"),
        (("--repeat", "2"), "Cannot mix --until-saturated and --repeat"),
        (("--ramp", "1:2:3"), "Cannot mix --until-saturated and --ramp"),
        (("-e", "x"), "are for one cell")])
    def test_what_cannot_go_together(self, arguments, why):
        done = loadgen("--until-saturated", *arguments, f"http://127.0.0.1:{free_port()}/")
        assert done.returncode == 2
        assert why in done.stderr
