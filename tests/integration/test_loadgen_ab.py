"""loadgen's report of one cell beside that of the real ab, line by line, for the same requests to the same server."""

import itertools
import re
import shutil
import subprocess
import time

import pytest

from load import ScriptedServer, answering, loadgen

AB = shutil.which("ab")
pytestmark = pytest.mark.skipif(AB is None, reason="needs ab (Debian package apache2-utils)")

PLAIN = b"HTTP/1.1 200 OK\r\nServer: toy/1\r\nConnection: %s\r\nContent-Length: 5\r\n\r\nhello"
FIRST_LINE = "Server Software:"
SLEEP = 0.03  # seconds


def slow(request):
    time.sleep(SLEEP)
    answer = PLAIN % (b"keep-alive" if b"Keep-Alive" in request else b"close")
    return answer[:-len(b"hello")] if request.startswith(b"HEAD") else answer


def run_ab(*arguments):
    return subprocess.run([AB, *map(str, arguments)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def report_lines(text):
    """From the server's name on, without the warnings, which depend on the times, and without what we add below."""
    lines = text.partition("\nConnection Times (us)\n")[0].splitlines()
    lines = lines[next(i for i, line in enumerate(lines) if line.startswith(FIRST_LINE)):]
    return [line for line in lines if not re.match(r"WARNING: |ERROR: |       ", line) or "kb/s" in line or "min" in line]


def shape(line):
    """The format of a line: columns keep their width, other numbers are any number."""
    if re.match(r"(Connect|Processing|Waiting|Total): |  ?\d+%", line):
        return re.sub(r"\d", " ", line)  # digits are blanks: what is right-aligned is then equal
    return re.sub(r"\d+", "#", line)


def figure(lines, name):
    """The first number behind NAME."""
    found = [re.search(r"-?[\d.]+", line[len(name):]) for line in lines if line.startswith(name)]
    return float(found[0].group()) if found and found[0] else None


def both(server, *arguments):
    ours, theirs = loadgen(*arguments, server.url), run_ab(*arguments, server.url)
    assert theirs.returncode == 0, theirs.stderr
    return ours, theirs


def assert_alike(ours, theirs):
    our_lines, their_lines = report_lines(ours.stdout), report_lines(theirs.stdout)
    assert [shape(line) for line in our_lines] == [shape(line) for line in their_lines]
    for name in ("Document Length:", "Concurrency Level:", "Complete requests:", "Failed requests:",
                 "Non-2xx responses:", "Keep-Alive requests:", "Total transferred:", "HTML transferred:"):
        assert figure(our_lines, name) == figure(their_lines, name), name


CASES = {
    "plain": [],
    "keep-alive": ["-k"],
    "no deviation": ["-S"],
    "no percentiles": ["-d"],
    "neither": ["-d", "-S", "-q"],
    "head": ["-i"],
    "any length": ["-l"],
    "options": ["-H", "X-A: b", "-C", "a=b", "-A", "u:p", "-m", "OPTIONS", "-s", "20", "-r"],
}


@pytest.mark.parametrize("case", CASES)
def test_the_report_is_that_of_ab(case):
    with ScriptedServer(answering(slow)) as server:
        ours, theirs = both(server, "-n", 20, "-c", 4, *CASES[case])
    assert_alike(ours, theirs)
    assert ours.stdout.count("\n\n\nServer Software:") == 1
    assert re.search(r"Benchmarking 127.0.0.1 \(be patient\)\.\.\.\.\.done\n\n\nServer", ours.stdout)
    assert (ours.returncode, ours.stderr) == (0, theirs.stderr) == (0, "")
    for report in (ours, theirs):  # five rounds of four requests, and no sleep is ever short
        lines = report_lines(report.stdout)
        assert figure(lines, "Time taken for tests:") >= 5 * SLEEP
        assert figure(lines, "Time per request:") >= 1000 * SLEEP
        assert 0 < figure(lines, "Requests per second:") <= 4 / SLEEP + 0.01


@pytest.mark.parametrize("option", ["-p", "-u"])
def test_the_report_with_a_body(option, tmp_path):
    (tmp_path / "body").write_bytes(b"x" * 1000)
    with ScriptedServer(answering(slow)) as server:
        ours, theirs = both(server, "-n", 10, "-c", 2, option, tmp_path / "body", "-T", "text/x")
    assert_alike(ours, theirs)
    assert figure(report_lines(ours.stdout), "Total body sent:") > 10000


def test_the_report_of_failed_requests():
    def differing():
        sizes = itertools.count(10)
        return answering(lambda _: b"HTTP/1.1 500 No\r\nServer: x\r\n\r\n" + b"x" * next(sizes), keep=False)

    with ScriptedServer(differing()) as server:
        ours = loadgen("-n", 10, server.url)
    with ScriptedServer(differing()) as server:
        theirs = run_ab("-n", 10, server.url)
    assert_alike(ours, theirs)
    assert "\nFailed requests:        9\n   (Connect: 0, Receive: 0, Length: 9, Exceptions: 0)\n" in ours.stdout
    assert (ours.returncode, theirs.returncode) == (1, 0)  # the one thing that must differ


@pytest.mark.parametrize("requests,lines", [(150, 0), (151, 2), (450, 5), (1500, 11)])
def test_progress_on_standard_error(requests, lines):
    with ScriptedServer(answering(lambda _: PLAIN % b"keep-alive")) as server:
        ours, theirs = both(server, "-n", requests, "-c", 5, "-k")
        assert ours.stderr == theirs.stderr
        assert len(ours.stderr.splitlines()) == lines
        assert ("(be patient)\n\n\nServer" in ours.stdout) == (lines > 0)
        quiet, _ = both(server, "-n", requests, "-c", 5, "-k", "-q")
    assert quiet.stderr == "" and "(be patient).....done\n\n\nServer" in quiet.stdout


def test_the_files_have_the_form_of_abs(tmp_path):
    with ScriptedServer(answering(slow)) as server:
        loadgen("-n", 10, "-c", 2, "-e", tmp_path / "e1", "-g", tmp_path / "g1", server.url)
        run_ab("-n", 10, "-c", 2, "-e", tmp_path / "e2", "-g", tmp_path / "g2", server.url)
    for ours, theirs in (("e1", "e2"), ("g1", "g2")):
        ours, theirs = ((tmp_path / name).read_text().splitlines() for name in (ours, theirs))
        assert ours[0] == theirs[0]
        assert len(ours) == len(theirs)
        for left, right in zip(ours[1:], theirs[1:]):
            assert re.sub(r"[A-Z][a-z]{2}", "Xxx", re.sub(r"\d+", "#", left)) == re.sub(r"[A-Z][a-z]{2}", "Xxx", re.sub(r"\d+", "#", right))


def test_concurrency_above_the_requests_is_refused_in_the_same_words():
    words = "Cannot use concurrency level greater than total number of requests"
    assert words in loadgen("-n", 5, "-c", 10, "http://127.0.0.1:1/").stderr
    assert words in run_ab("-n", 5, "-c", 10, "http://127.0.0.1:1/").stderr


def test_ab_sends_its_first_request_alone_and_loadgen_does_not():
    """What docs and man page say about the one difference in the load itself."""

    def first_company(run):
        """How many connections are open when the first request has waited a while."""
        company = []

        def script(peer):
            if not peer.request():
                return
            time.sleep(0.5)
            company.append(server.open)
            peer.send(PLAIN % b"close")

        with ScriptedServer(script) as server:
            run("-n", 4, "-c", 4, server.url)
        return company[0]

    assert first_company(run_ab) == 1
    assert first_company(loadgen) == 4
