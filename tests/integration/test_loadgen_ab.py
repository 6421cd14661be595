"""loadgen's report of one cell beside that of the real ab, line by line, for the same flags and the same server."""

import base64
import itertools
import re
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from load import WELL, ScriptedServer, answering, loadgen
from servers import AsyncServer
from tls_server import TlsServer, certificate, goodbye  # pylint: disable=unused-import

AB = shutil.which("ab")
pytestmark = pytest.mark.skipif(AB is None, reason="needs ab (Debian package apache2-utils)")

PLAIN = b"HTTP/1.1 200 OK\r\nServer: toy/1 (a toy)\r\nConnection: %s\r\nContent-Length: 5\r\n\r\nhello"
FIRST_LINE = "Server Software:"
SLEEP = 0.03  # seconds

# ab's getopt string, without the colons.
FLAGS = set("nctsbTpuvlrkVhwiIxyzCHPAgXdeSqBmZfE")

# Flags that go through both programs, a run of each for each case. (ab calls -C repeatable too, and sends the last cookie alone.)
CASES = {
    "plain": [],
    "keep-alive": ["-k"],
    "no deviation": ["-S"],
    "no percentiles": ["-d"],
    "neither": ["-d", "-S", "-q"],
    "head": ["-i"],
    "any length": ["-l"],
    "options": ["-H", "X-A: b", "-H", "Accept: text/x", "-C", "a=b", "-A", "u:p", "-m", "OPTIONS", "-s", "20", "-r"],
    "socket": ["-b", "65536", "-B", "127.0.0.1"],
    "time": ["-t", "20", "-n", "20"],
    "post": ["-p", "BODY", "-T", "text/x"],
    "put": ["-u", "BODY", "-k"],
}
HTML_CASES = {
    "html": ["-w"],
    "attributes": ["-x", "border=1", "-y", "class=r", "-z", "align=left", "-k"],
    "html post": ["-w", "-p", "BODY"],
}
TLS_CASES = {
    "tls": [],
    "tls keep-alive": ["-k"],
    "protocol and cipher": ["-f", "TLS1.2", "-Z", "ECDHE-RSA-AES128-GCM-SHA256"],
    "no name": ["-I"],
    "certificate": ["-E", "CERTIFICATE"],
}
PROXY_CASES = {
    "proxy": [],
    "proxy password": ["-P", "u:p", "-k"],
}
# Flags that have tests of their own below.
OTHERS = {"-n", "-c", "-v", "-V", "-h", "-e", "-g", "-X"}


def test_every_flag_of_ab_is_compared():
    given = {word for cases in (CASES, HTML_CASES, TLS_CASES, PROXY_CASES) for case in cases.values() for word in case}
    assert {word for word in given | OTHERS if re.fullmatch("-[A-Za-z]", word)} == {"-" + flag for flag in FLAGS}
    usage = subprocess.run([AB, "-h"], capture_output=True, text=True, timeout=60, check=False)
    assert set(re.findall(r"^    -(\w) ", usage.stdout + usage.stderr, re.M)) == FLAGS


def slow(request):
    time.sleep(SLEEP)
    answer = PLAIN % (b"keep-alive" if b"Keep-Alive" in request else b"close")
    return answer[:-len(b"hello")] if request.startswith(b"HEAD") else answer


def run_ab(*arguments):
    return subprocess.run([AB, *map(str, arguments)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


# What loadgen adds below ab's lines: it begins with one of these.
OURS = re.compile(r"\n(Connection Times \(us\)|Check failed|The slowest request|Not as expected|\d+ requests? (were|was))")


def report_lines(text):
    """From the server's name on, without the warnings, which depend on the times, and without what we add below."""
    lines = OURS.split(text)[0].splitlines()
    lines = lines[next(i for i, line in enumerate(lines) if line.startswith(FIRST_LINE)):]
    while lines[-1] == "":
        lines.pop()
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


def both(url, *arguments):
    ours, theirs = loadgen(*arguments, url), run_ab(*arguments, url)
    assert theirs.returncode == 0, theirs.stderr
    assert ours.returncode in WELL, ours.stderr
    return ours, theirs


def assert_alike(ours, theirs):
    our_lines, their_lines = report_lines(ours.stdout), report_lines(theirs.stdout)
    assert [shape(line) for line in our_lines] == [shape(line) for line in their_lines]
    for name in ("Server Software:", "Server Hostname:", "Server Port:", "SSL/TLS Protocol:", "Server Temp Key:",
                 "TLS Server Name:", "Document Path:"):
        assert [line for line in our_lines if line.startswith(name)] == [line for line in their_lines if line.startswith(name)]
    for name in ("Document Length:", "Concurrency Level:", "Complete requests:", "Failed requests:",
                 "Non-2xx responses:", "Keep-Alive requests:", "Total transferred:", "HTML transferred:"):
        assert figure(our_lines, name) == figure(their_lines, name), name


def assert_figures(lines, requests, concurrency):
    """What follows from each other, within what is printed of it; and no sleep is ever short."""
    seconds, rate = figure(lines, "Time taken for tests:"), figure(lines, "Requests per second:")
    assert seconds >= requests / concurrency * SLEEP
    assert rate == pytest.approx(requests / seconds, rel=0.001 / seconds + 0.001)
    mean, across = [float(re.search(r"[\d.]+", line).group()) for line in lines if line.startswith("Time per request:")]
    assert mean == pytest.approx(1000 * concurrency / rate, rel=0.001) and mean >= 1000 * SLEEP
    assert across == pytest.approx(1000 / rate, rel=0.001)
    transfer = figure(lines, "Transfer rate:")
    assert transfer == pytest.approx(figure(lines, "Total transferred:") / 1024 / seconds, rel=0.05)
    rows = {line.split(":")[0]: [float(word) for word in line.split()[1:]] for line in lines if re.match(r"(Connect|Processing|Waiting|Total): ", line)}
    for name in ("Processing", "Total"):
        assert rows[name][0] >= 1000 * SLEEP, name
    for row in rows.values():
        assert row[0] <= row[1] <= row[-1]  # minimum, mean, maximum
    percentiles = [int(line.split()[1]) for line in lines if re.match(r"  ?\d+%", line)]
    assert percentiles == sorted(percentiles) and (not percentiles or percentiles[-1] == rows["Total"][-1])


@pytest.fixture
def real(tmp_path, certificate):
    """Replaces the names of files in a case."""
    (tmp_path / "body").write_bytes(b"x" * 1000)
    names = {"BODY": tmp_path / "body", "CERTIFICATE": certificate.both}
    return lambda case: [names.get(word, word) for word in case]


@pytest.mark.parametrize("case", CASES)
def test_the_report_is_that_of_ab(case, real):
    with ScriptedServer(answering(slow)) as server:
        ours, theirs = both(server.url, "-n", 20, "-c", 4, *real(CASES[case]))
    assert_alike(ours, theirs)
    assert ours.stdout.count("\n\n\nServer Software:") == 1
    assert re.search(r"Benchmarking 127.0.0.1 \(be patient\)\.\.\.\.\.done\n\n\nServer", ours.stdout)
    assert ours.stderr == theirs.stderr == ""
    for report in (ours, theirs):
        lines = report_lines(report.stdout)
        assert_figures(lines, 20, 4)
        if "BODY" in CASES[case]:
            assert 20 * 1000 < figure(lines, "Total body sent:") < 20 * 1400
            assert figure([line.strip() for line in lines if "kb/s total" in line], "") == pytest.approx(
                figure([line.strip() for line in lines if "kb/s sent" in line], "") + figure(lines, "Transfer rate:"), abs=0.02)


def times_of(report):
    """What both round to milliseconds: minima, and the percentile in the middle; and the rate."""
    lines = report_lines(report.stdout)
    rows = {line.split(":")[0]: int(line.split()[1]) for line in lines if re.match(r"(Connect|Processing|Waiting|Total): ", line)}
    return {**rows, "50%": figure(lines, "  50%"), "rate": figure(lines, "Requests per second:")}


@pytest.mark.parametrize("keep", [[], ["-k"]], ids=["closing", "keep-alive"])
def test_the_figures_are_those_of_ab(keep):
    """Where the server decides how long an answer takes. Other work on the machine may disturb a run of either, but not each."""
    tolerances = {"Connect": 2, "Processing": 3, "Waiting": 3, "Total": 3, "50%": 4, "rate": 8}  # ms; the first of ab goes alone
    with AsyncServer("--sleep", 0.05) as server:
        for _ in range(4):
            ours, theirs = map(times_of, both(server.url, "-n", 80, "-c", 4, *keep))
            apart = {name: abs(ours[name] - theirs[name]) for name in tolerances}
            if all(apart[name] <= tolerances[name] for name in apart):
                break
        else:
            raise AssertionError(f"{apart}: {ours}, {theirs}")
    for times in (ours, theirs):
        assert min(times["Processing"], times["Waiting"], times["Total"], times["50%"]) >= 50
        assert times["rate"] <= 4 / 0.05


def fields(request):
    """The method and target of a request, its fields but those that name the client or its version of HTTP, and its body."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    names = [line.partition(":")[0].lower() for line in lines]
    assert len(names) == len(set(names)), lines
    return (first.rpartition(" ")[0], body,
            {name: line.partition(":")[2].strip() for name, line in zip(names, lines) if name not in ("user-agent", "connection")})


@pytest.mark.parametrize("case", CASES)
def test_the_server_is_asked_the_same(case, real):
    seen = []
    with ScriptedServer(answering(lambda request: seen.append(request) or slow(request))) as server:
        both(server.url + "path?a=b", *real(CASES[case]), "-n", 1)
    ours, theirs = map(fields, seen)
    assert ours == theirs


def test_a_time_limit_ends_both():
    with ScriptedServer(answering(slow)) as server:
        ours, theirs = both(server.url, "-c", 2, "-t", 1, "-k")
    assert [shape(line) for line in report_lines(ours.stdout)] == [shape(line) for line in report_lines(theirs.stdout)]
    for report in (ours, theirs):
        lines = report_lines(report.stdout)
        assert 1 <= figure(lines, "Time taken for tests:") < 10
        assert 0 < figure(lines, "Complete requests:") <= figure(lines, "Time taken for tests:") / SLEEP * 2
        assert "(be patient)\n" in report.stdout and "Finished" in report.stderr  # as for 50000 requests


def table_lines(text):
    """From the beginning of the table to its end."""
    text = text[text.index("<table"):]
    return text[:text.index("</table>")].splitlines()


@pytest.mark.parametrize("case", HTML_CASES)
def test_the_table_in_html_is_that_of_ab(case, real):
    with ScriptedServer(answering(slow)) as server:
        ours, theirs = both(server.url, "-n", 12, "-c", 3, *real(HTML_CASES[case]))
    our_lines, their_lines = table_lines(ours.stdout), table_lines(theirs.stdout)
    assert [re.sub(r"[\d ]+", "#", line) for line in our_lines] == [re.sub(r"[\d ]+", "#", line) for line in their_lines]
    for our, their in zip(our_lines, their_lines):
        if not re.search(r"Time taken|per second|kb/s|Connect:|Processing:|Total:|body sent", our):
            assert our == their
    assert re.search(r"^<p>\n This is .*<br>\n</p>\n<p>\n\.\.done\n\n\n<table", ours.stdout, re.S)
    assert re.search(r"^<p>\n This is .*<br>\n</p>\n<p>\n\.\.done\n\n\n<table", theirs.stdout, re.S)


@pytest.mark.parametrize("case", TLS_CASES)
def test_the_report_over_tls(case, real, certificate):
    context = certificate.context()
    if case == "certificate":
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate.certificate)
    family = socket.getaddrinfo("localhost", 0)[0][0]

    def script(peer):
        answering(slow)(peer)
        goodbye(peer)

    with TlsServer(script, context, family=family) as server:
        ours, theirs = both(f"https://localhost:{server.port}/", "-n", 12, "-c", 3, *real(TLS_CASES[case]))
    assert_alike(ours, theirs)
    lines = report_lines(ours.stdout)
    assert any(line.startswith("SSL/TLS Protocol:       TLSv1.") for line in lines)
    assert any(line == "TLS Server Name:        localhost" for line in lines) == (case != "no name")
    assert ours.stderr == ""


@pytest.mark.parametrize("case", PROXY_CASES)
def test_the_report_through_a_proxy(case):
    """The proxy answers itself: the server's name does not even exist."""
    seen = []

    def answer(request):
        seen.append(request)
        return slow(request)

    with ScriptedServer(answering(answer)) as proxy:
        ours, theirs = both("http://no.such.server.invalid:81/x?y=1", "-n", 6, "-c", 2, "-X", f"127.0.0.1:{proxy.port}", *PROXY_CASES[case])
    assert_alike(ours, theirs)
    line = f"Benchmarking no.such.server.invalid [through 127.0.0.1:{proxy.port}] (be patient).....done\n"
    assert line in ours.stdout and line in theirs.stdout
    assert fields(seen[0]) == fields(seen[-1])  # ours came first
    assert fields(seen[0])[0] == "GET http://no.such.server.invalid:81/x?y=1"
    password = "Basic " + base64.b64encode(b"u:p").decode()
    assert fields(seen[0])[2].get("proxy-authorization") == (password if "-P" in PROXY_CASES[case] else None)


def traced(text):
    """What -v prints, without the requests and the bodies."""
    return re.findall(r"^(?:---|LOG: .*|WARNING: Resp.*|HTTP/1.1 .*|Server: .*)$", text.replace("\r", ""), re.M)


@pytest.mark.parametrize("level", [1, 2, 3])
@pytest.mark.parametrize("status", ["200 OK", "404 No"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_v_prints(level, status, method, tmp_path):
    (tmp_path / "body").write_bytes(b"some body")
    body = ["-p", tmp_path / "body"] if method == "POST" else []
    answer = f"HTTP/1.1 {status}\r\nServer: toy/1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".encode()
    with ScriptedServer(answering(answer, keep=False)) as server:
        ours, theirs = both(server.url, "-n", 3, "-v", level, *body)
    assert traced(ours.stdout) == traced(theirs.stdout)
    told = level == 3 or (level == 2 and status == "404 No")
    assert len(traced(ours.stdout)) == (0 if level == 1 else 2 + 3 * (3 + told))
    for report in (ours, theirs):
        assert (f"(be patient)...INFO: {method} header == \n---\n{method} / HTTP/1." in report.stdout) == (level > 1)
        assert "some body" not in report.stdout
    assert_alike(ours, theirs)


def test_the_report_of_failed_requests():
    sizes = {True: itertools.count(10), False: itertools.count(10)}

    def answer(request):
        return b"HTTP/1.1 500 No\r\nServer: x\r\n\r\n" + b"x" * next(sizes[b"ApacheBench" in request])

    with ScriptedServer(answering(answer, keep=False)) as server:
        ours, theirs = loadgen("-n", 10, server.url), run_ab("-n", 10, server.url)
    assert_alike(ours, theirs)
    assert "\nFailed requests:        9\n   (Connect: 0, Receive: 0, Length: 9, Exceptions: 0)\n" in ours.stdout
    assert (ours.returncode, theirs.returncode) == (1, 0)  # the one thing that must differ


@pytest.mark.parametrize("requests,lines", [(150, 0), (151, 2), (450, 5), (1500, 11)])
def test_progress_on_standard_error(requests, lines):
    with ScriptedServer(answering(lambda _: PLAIN % b"keep-alive")) as server:
        ours, theirs = both(server.url, "-n", requests, "-c", 5, "-k")
        assert ours.stderr == theirs.stderr
        assert len(ours.stderr.splitlines()) == lines
        assert ("(be patient)\n\n\nServer" in ours.stdout) == (lines > 0)
        quiet, _ = both(server.url, "-n", requests, "-c", 5, "-k", "-q")
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


def test_version_and_help():
    ours, theirs = loadgen("-V"), run_ab("-V")
    assert ours.returncode == theirs.returncode == 0
    assert re.search(r"\d+\.\d+", ours.stdout) and re.search(r"\d+\.\d+", theirs.stdout)
    shown = loadgen("-h")
    assert shown.returncode == 0 and shown.stderr == ""
    for flag in FLAGS:
        assert re.search(rf"(^|[\s,])-{flag}\b", shown.stdout), flag


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
