"""What loadgen reports of real runs: HTML, .hgrm, seconds, the open loop's rows, remarks, and the files' errors."""

import csv
import html.parser
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from load import LOADGEN, OK, ScriptedServer, answering, free_port, loadgen, loadgen_json, one_cell
from servers import BIN


def after(seconds, answer=OK):
    def respond(_):
        time.sleep(seconds)
        return answer
    return answering(respond)


def stalling(stall, every=0.005):
    """Answers after EVERY seconds; all that comes between one and one plus STALL seconds after the first request waits until then."""
    begun = []

    def respond(_):
        begun.append(time.monotonic())
        time.sleep(every)
        since = time.monotonic() - begun[0]
        if 1 <= since < 1 + stall:
            time.sleep(1 + stall - since)
        return OK
    return answering(respond)


class Table(html.parser.HTMLParser):
    """The rows of a table: lists of the texts of their cells."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self.outside = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += data
        else:
            self.outside += data


class TestHtml:
    def test_a_browser_sees_abs_table(self):
        with ScriptedServer(answering(b"HTTP/1.1 200 OK\r\nServer: <b>x&y</b>\r\nContent-Length: 5\r\n\r\nhello")) as server:
            done = loadgen("-w", "-n", 10, "-c", 2, "-x", "border=1", "-y", "class=r", "-z", "align=left", server.url + "?a=<i>")
        assert done.returncode in (0, 3), done.stderr
        table = Table(done.stdout)
        assert ("table", {"border": "1"}) in table.tags and ("tr", {"class": "r"}) in table.tags
        assert {tag for tag, _ in table.tags} == {"p", "br", "table", "tr", "td", "th"}
        rows = {row[0]: row[1:] for row in table.rows}
        assert rows["Server Software:"] == ["<b>x&y</b>"]
        assert rows["Document Path:"] == ["/?a=<i>"]
        assert rows["Complete requests:"] == ["10"]
        assert len(rows["Total:"]) == 3

    @pytest.mark.parametrize("option", ["-x", "-y", "-z"])
    def test_attributes_imply_it(self, option):
        with ScriptedServer(answering()) as server:
            assert "<table" in loadgen(option, "a=b", server.url).stdout

    def test_remarks_stand_below_the_table(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("-w", "-n", 3, "--expect", "complete<2", server.url)
        assert done.returncode == 1
        assert "</table>\n" in done.stdout
        assert "<p>Not as expected: complete&lt;2, but it was 3</p>" in done.stdout.partition("</table>")[2]

    def test_a_sweep_is_refused(self):
        done = loadgen("-w", "-c", "1,2", "http://127.0.0.1:1/")
        assert done.returncode == 2 and "-w" in done.stderr


class TestHgrm:
    def test_a_plotter_reads_it(self, tmp_path):
        with ScriptedServer(after(0.01)) as server:
            cell = one_cell("-n", 200, "-c", 10, "-k", "--hgrm", tmp_path / "a.hgrm", server.url)
        lines = (tmp_path / "a.hgrm").read_text().splitlines()
        assert lines[0].split() == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
        assert lines[1] == ""
        rows = [[float(field) for field in line.split()] for line in lines[2:] if not line.startswith("#")]
        assert all(len(row) == 4 for row in rows[:-1]) and len(rows[-1]) == 3
        for value, percentile, count, inverse in rows[:-1]:
            assert value >= 10 and count >= 200 * percentile - 1e-6
            assert inverse == pytest.approx(1 / (1 - percentile), rel=0.01)
        assert [row[:3] for row in rows] == sorted(row[:3] for row in rows)
        assert rows[-1] == pytest.approx([cell["latency_ms"]["max"], 1, 200], abs=1e-4)
        (median,) = [row[0] for row in rows if row[1] == 0.5]
        assert median == pytest.approx(cell["latency_ms"]["p50"], rel=0.02)
        footer = " ".join(line for line in lines if line.startswith("#"))
        mean, deviation, highest, total = map(float, re.search(
            r"#\[Mean += +(\S+), StdDeviation += +(\S+)\] #\[Max += +(\S+), Total count += +(\d+)\]", footer).groups())
        assert mean == pytest.approx(cell["latency_ms"]["mean"], abs=1e-4)
        assert deviation == pytest.approx(cell["latency_ms"]["sd"], abs=1e-4)
        assert highest == pytest.approx(cell["latency_ms"]["max"], abs=1e-4) and total == 200

    def test_a_sweep_is_refused(self, tmp_path):
        done = loadgen("--hgrm", tmp_path / "a.hgrm", "-c", "1,2", "http://127.0.0.1:1/")
        assert done.returncode == 2 and "--hgrm" in done.stderr


class TestSeconds:
    def test_they_add_up_in_json_and_csv(self, tmp_path):
        with ScriptedServer(after(0.02, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as server:
            result = loadgen_json("--duration", 2.5, "-c", "2,3", "-k", "--series", tmp_path / "s.csv", server.url)
        with (tmp_path / "s.csv").open() as file:
            rows = list(csv.DictReader(file))
        for cell in result["cells"]:
            seconds = cell["series"]
            assert [second["t"] for second in seconds] == list(range(len(seconds))) and len(seconds) in (3, 4)
            assert sum(second["complete"] for second in seconds) == cell["complete"]
            assert sum(second["bytes"] for second in seconds) == cell["bytes"]["received"]
            assert max(second["max_ms"] or 0 for second in seconds) == pytest.approx(cell["latency_ms"]["max"])
            mine = [row for row in rows if int(row["concurrency"]) == cell["concurrency"]]
            assert [int(row["complete"]) for row in mine] == [second["complete"] for second in seconds]
            assert mine[0]["target"] == server.url and float(mine[0]["p50_ms"]) >= 20

    def test_repetitions_lie_upon_each_other(self):
        with ScriptedServer(after(0.01)) as server:
            cell = one_cell("-n", 10, "-c", 2, "--repeat", 3, server.url)
        assert cell["complete"] == 30 == sum(second["complete"] for second in cell["series"])
        assert len(cell["repeats"]["single"]) == 3
        low, high = cell["repeats"]["rps"]
        assert low <= sum(single["rps"] for single in cell["repeats"]["single"]) / 3 <= high


class TestOpenLoop:
    def test_rows_add_up(self):
        with ScriptedServer(after(0.02)) as server:
            cell = one_cell("--rate", 50, "-n", 40, "-c", 20, server.url)
        assert cell["load"] == "open" and cell["rate"]["asked"] == 50 and cell["arrivals"] == "constant"
        parts = sum(cell[name]["mean"] for name in ("delay_ms", "connect_ms", "processing_ms"))
        assert parts == pytest.approx(cell["latency_ms"]["mean"])
        assert cell["service_ms"]["mean"] + cell["delay_ms"]["mean"] == pytest.approx(cell["latency_ms"]["mean"])

    def test_the_text_says_what_was_due(self):
        with ScriptedServer(after(0.02)) as server:
            done = loadgen("--rate", 50, "-n", 40, "-c", 1, "--arrivals", "poisson", "-k", server.url)
        assert re.search(r"\nDelay:( +\d+\.?\d*){5}\nConnect:", done.stdout)
        assert "\nOpen loop: 50 requests per second, Poisson arrivals\n" in done.stdout
        assert re.search(r"\n\d+ requests? (were|was) due while all connections were busy", done.stdout)  # one connection is half of the load
        assert "\nResponse: " in done.stdout and "\nSend lag: " in done.stdout

    def test_a_closed_loop_says_what_it_hides_and_an_open_one_shows_it(self):
        with ScriptedServer(stalling(1)) as server:
            closed = loadgen("--duration", 3, "-c", 4, "-k", server.url)
        words = " ".join(closed.stdout.split())
        assert re.search(r" The slowest request took \d{3,}\.\d ms, and 90% took .* --rate \d+$", words), closed.stdout
        assert max(map(len, closed.stdout.splitlines())) <= 80
        with ScriptedServer(stalling(1)) as server:
            cell = json.loads(loadgen("--duration", 3, "--rate", 50, "-c", 200, "-k", "--json", "-", server.url).stdout)["cells"][0]
        assert cell["latency_ms"]["p90"] > 500  # a third of the requests were due in that second


def test_warm_up_and_pipelining_are_told():
    with ScriptedServer(after(0.01)) as server:
        done = loadgen("--warmup", "0.2", "--duration", "0.5", "--pipeline", 4, "-k", server.url)
    assert "\nPipelining: 4 requests under way on each connection\n" in done.stdout
    assert "\nWarm-up: what ended in the first 0.200 s is not counted\n" in done.stdout


def test_a_certain_percentile_needs_requests():
    with ScriptedServer(answering()) as server:
        few, many = loadgen("-n", 367, "-k", server.url), loadgen("-n", 368, "-k", server.url)
    assert re.search(r"\n +99% +\d+   not certain: that takes 368 requests\n", few.stdout)
    assert re.search(r"\n +99% +\d+   \d+ to \d+\n", many.stdout)


def test_without_figures_there_are_no_percentiles(tmp_path):
    (tmp_path / "old.csv").write_text("old\n")
    done = loadgen("-e", tmp_path / "old.csv", f"http://127.0.0.1:{free_port()}/")
    assert done.returncode == 1
    assert (tmp_path / "old.csv").read_text() == "Percentage served,Time in ms\n"


def test_what_a_silent_server_did_not_do_has_no_times(tmp_path):
    def silent(peer):
        peer.request()
        peer.socket.recv(1)

    with ScriptedServer(silent) as server:
        cell = one_cell("--duration", 0.5, "--csv", tmp_path / "r.csv", server.url, status=1)
    assert (cell["complete"], cell["rps"], cell["time_per_request_ms"]) == (0, 0, None)
    for name in ("connect_ms", "processing_ms", "waiting_ms"):
        assert set(cell[name].values()) == {None}, name
    with (tmp_path / "r.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["rps"], row["time_per_request_ms"], row["connect_mean_ms"], row["waiting_mean_ms"]) == ("0.000", "", "", "")


@pytest.mark.parametrize("option", ["--hgrm", "--series", "--csv", "--json", "-e", "-g"])
def test_a_file_that_cannot_be_written_is_found_before_the_load(option, tmp_path):
    with ScriptedServer(answering()) as server:
        done = loadgen(option, tmp_path / "no" / "file", server.url)
    assert done.returncode == 1 and "No such file or directory" in done.stderr
    assert server.connections == 0


@pytest.mark.parametrize("option", ["--hgrm", "--series"])
def test_standard_output_is_left_to_the_data(option):
    with ScriptedServer(answering()) as server:
        done = loadgen(option, "-", "-n", 3, server.url)
    assert done.stdout.splitlines()[0].split(",")[0] in ("target", "       Value     Percentile TotalCount 1/(1-Percentile)")
    assert "Benchmarking" not in done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("option", ["--hgrm", "--series"])
def test_a_full_disk_is_told(option):
    with ScriptedServer(answering()) as server:
        done = loadgen(option, "/dev/full", "-n", 3, server.url)
    assert done.returncode == 1 and "cannot write /dev/full: No space left on device" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("more", [["--json", "-"], ["--csv", "-", "-c", "1,2"], ["--plot", "-"]])
def test_a_full_standard_output_is_told_once(more):
    if "--plot" in more and shutil.which("gnuplot") is None:
        pytest.skip("needs gnuplot")
    with ScriptedServer(answering()) as server, open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([LOADGEN, "-q", "-n", "3", *more, server.url], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "cannot write" in line] == [
        "loadgen: cannot write to standard output: No space left on device"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.parametrize("program", ["loadgen", "async_server", "prefork_server"])
def test_help_that_nobody_can_get_is_a_failure(program, option):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([BIN / program, option], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, f"{program}: cannot write to standard output: No space left on device\n")
