"""--access-logformat: the lines of prefork_server and of the real gunicorn about the same requests."""

import calendar
import re
import shutil
import socket
import subprocess
import time

import pytest

from servers import BIN, PATIENCE, PreforkServer, Server, read_all, wait_until

ATOMS = ["h", "l", "u", "t", "r", "m", "U", "q", "H", "s", "b", "B", "f", "a", "T", "M", "D", "L", "p", "{Host}i", "{X-One}i",
         "{content-type}i", "{Nobody}i", "{Content-Type}o", "{content-length}o", "{Nobody}o"]
FORMAT = " | ".join(f"%({atom})s" for atom in ATOMS)
SEEN_FROM_OUTSIDE = ["t", "M", "D", "L", "p"]  # which differ from run to run
ZONE = {"TZ": "XYZ-05:30"}  # %(t)s is in local time

APPLICATION = """
import time
from urllib.parse import parse_qs

def application(environ, start_response):
    time.sleep(float(parse_qs(environ["QUERY_STRING"]).get("sleep", ["0"])[0]))
    if environ["PATH_INFO"] == "/echo":
        kind, body = environ["CONTENT_TYPE"], environ["wsgi.input"].read()
    else:
        kind, body = "text/plain; charset=utf-8", b"Hello, Anonymous"
    start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body] if environ["REQUEST_METHOD"] != "HEAD" else []
"""


class Gunicorn(Server):
    name = "gunicorn"
    command = ["gunicorn"]
    keeps_alive = False
    listening = PreforkServer.listening


class Logged:
    """A server with its access log in a file."""

    def __init__(self, kind, folder, *arguments):
        self.access = folder / f"{kind.name}.log"
        self.server = kind("--access-logfile", self.access, *arguments, env=ZONE)

    def lines(self):
        return self.access.read_text().splitlines() if self.access.exists() else []

    def ask(self, request):
        """Sends REQUEST; returns the answer, the line about it, and when that was."""
        before = len(self.lines())
        begin = time.time()
        answer = self.server.exchange(request)
        lines = wait_until(lambda: len(self.lines()) > before and self.lines(), "the line")
        assert len(lines) == before + 1
        return answer, lines[-1], (begin, time.time())


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    logged = Logged(PreforkServer, tmp_path_factory.mktemp("ours"), "--sleep", "0", "--access-logformat", FORMAT)
    yield logged
    logged.server.stop()


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    if shutil.which("gunicorn") is None:
        pytest.skip("gunicorn is not installed")
    folder = tmp_path_factory.mktemp("application")
    (folder / "app.py").write_text(APPLICATION)
    return ["--chdir", folder, "app:application"]


@pytest.fixture(scope="module")
def real(tmp_path_factory, application):
    logged = Logged(Gunicorn, tmp_path_factory.mktemp("real"), "--access-logformat", FORMAT, *application)
    yield logged
    logged.server.stop()


def check(logged, line, when):
    """What differs from run to run is what was seen from outside."""
    took = float(line["L"])
    assert re.fullmatch(r"\d+\.\d{6}", line["L"]) and 0 <= took <= when[1] - when[0] + 0.001
    assert int(line["D"]) == round(took * 1e6)
    assert int(line["M"]) == int(line["D"]) // 1000
    assert int(line["T"]) == int(line["D"]) // 1000000
    stamp = re.fullmatch(r"\[(.*) \+0530\]", line["t"]).group(1)
    second = time.strptime(stamp, "%d/%b/%Y:%H:%M:%S")
    assert int(when[0]) <= calendar.timegm(second) - 5.5 * 3600 <= when[1]
    assert re.fullmatch(r"<\d+>", line["p"]) and line["p"] != f"<{logged.server.pid}>"


SAME = {
    "every field": b"GET /name?x=1&y=%20b HTTP/1.1\r\nHost: a.example\r\nX-One: first\r\nReferer: http://r.example/\r\n"
                   b"User-Agent: agent/1.0 (x)\r\nContent-Type: text/x; a=b\r\n\r\n",
    "a user": b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic Ym9iOnNlY3JldA==\r\n\r\n",
    "another scheme": b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer Ym9iOnNlY3JldA==\r\n\r\n",
    "empty fields": b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent:\r\nX-One: \r\n\r\n",
    "a sleep": b"GET /?sleep=1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "an encoded path": b"GET /a%20b%7Ec HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HEAD": b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a body": b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\r\nabcde",
}


@pytest.mark.parametrize("request_bytes", SAME.values(), ids=SAME)
def test_the_line_is_gunicorns(ours, real, request_bytes):
    found = []
    for logged in ours, real:
        answer, text, when = logged.ask(request_bytes)
        line = dict(zip(ATOMS, text.split(" | "), strict=True))
        check(logged, line, when)
        assert int(line["B"]) == len(answer.partition(b"\r\n\r\n")[2])
        found.append({atom: value for atom, value in line.items() if atom not in SEEN_FROM_OUTSIDE})
    assert found[0] == found[1]


def test_the_default_is_gunicorns(tmp_path, application):
    """The user too, which is `-` only where there is none."""
    request = b"GET /x?y HTTP/1.1\r\nHost: a\r\nReferer: r\r\nUser-Agent: u v\r\nAuthorization: Basic Ym9iOng=\r\n\r\n"
    pattern = r'127\.0\.0\.1 - bob \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0530\] "GET /x\?y HTTP/1\.1" 200 16 "r" "u v"'
    for logged in (Logged(PreforkServer, tmp_path, "--sleep", "0"),
                   Logged(Gunicorn, tmp_path, *application)):
        with logged.server:
            assert re.fullmatch(pattern, logged.ask(request)[1])


def test_where_the_line_differs_from_gunicorns_on_purpose(ours, real):
    def shown(logged, request, *atoms):
        line = dict(zip(ATOMS, logged.ask(request)[1].split(" | "), strict=True))
        return [line[atom] for atom in atoms]

    # Nothing that a client sent reaches the log as it came; gunicorn escapes quotes alone, so a backslash before one ends the field.
    request = b'GET / HTTP/1.1\r\nHost: a\r\nX-One: a\\"b\xe9\r\n\r\n'
    assert shown(ours, request, "{X-One}i") == [r"a\\\"b\xe9"]
    assert shown(real, request, "{X-One}i") == ['a\\\\"b\xe9']
    # Of two fields of one name gunicorn shows the last, where the handler was given both, joined.
    request = b"GET / HTTP/1.1\r\nHost: a\r\nX-One: first\r\nX-One: second\r\n\r\n"
    assert (shown(ours, request, "{X-One}i"), shown(real, request, "{X-One}i")) == (["first"], ["second"])


def test_a_request_that_is_refused_has_a_line(ours):
    """gunicorn logs none."""
    answer, text, when = ours.ask(b"nonsense\r\n\r\n")
    line = dict(zip(ATOMS, text.split(" | "), strict=True))
    check(ours, line, when)
    assert (line["r"], line["s"], line["D"], line["u"]) == ("- - -", "400", "0", "-")
    assert int(line["B"]) == len(answer.partition(b"\r\n\r\n")[2])
    assert line["{content-length}o"] == line["B"]


def test_requests_in_a_row_have_lines_of_their_own(tmp_path):
    """One worker serves them all: fields, times and heads of one are not the next one's."""
    with PreforkServer("--sleep", "0", "--access-logfile", tmp_path / "log", "--access-logformat",
                       "%(s)s %(m)s %({X}i)s %({Allow}o)s %({Content-Length}o)s %(L)s") as server:
        server.get("/?sleep=0.2", fields="X: one\r\n")
        server.get("/", method="DELETE")
        server.exchange(b"nonsense\r\n\r\n")
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: in two p")
            time.sleep(0.1)
            peer.sendall(b"ieces\r\n\r\n")
            read_all(peer)
        lines = wait_until(lambda: len(lines := (tmp_path / "log").read_text().splitlines()) == 4 and lines, "four lines")
    slept = re.fullmatch(r"200 GET one - 16 (\d\.\d{6})", lines[0]).group(1)
    assert float(slept) >= 0.2
    assert re.fullmatch(r"405 DELETE - \S.* \d+ 0\.\d{6}", lines[1])
    assert re.fullmatch(r"400 - - - \d+ 0\.000000", lines[2])
    assert re.fullmatch(r"200 GET in two pieces - 16 0\.\d{6}", lines[3])


@pytest.mark.parametrize("text,message", [
    ("%(h)s %(y)s", "at character 7: no such atom; use %(X)s with one of h l u t r m U q H s b B f a D M T L p {name}i {name}o "
                    "for X, or %% for a percent sign"),
    ("%({HOME}e)s", "at character 9: after } stands i for a field of the request, o for one of the answer"),
    ("", "a format has 1 to 1023 characters"),
])
def test_a_mistake_in_the_format_ends_the_start(text, message):
    done = subprocess.run([BIN / "prefork_server", "--bind", "127.0.0.1:0", "--access-logformat", text],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    shown = text or '""'
    assert done.stderr == f"prefork_server: --access-logformat {shown}: {message}\n"
