"""--access-log-format: the lines of async_server and of real aiohttp about the same requests."""

import calendar
import re
import socket
import subprocess
import sys
import tempfile
import time

import pytest

from servers import BIN, PATIENCE, AsyncServer, read_all, wait_until

ATOMS = ["%a", "%t", "%P", "%r", "%s", "%b", "%T", "%Tf", "%D", "%{Host}i", "%{X-One}i", "%{referer}i", "%{User-Agent}i",
         "%{Content-Type}i", "%{Nobody}i", "%{Content-Type}o", "%{content-length}o", "%{Connection}o", "%{Allow}o",
         "%{Transfer-Encoding}o", "%{Server}o", "%{Date}o", "%{Nobody}o"]
FORMAT = " | ".join(ATOMS)
ZONE = {"TZ": "XYZ-05:30"}  # %t is in UTC wherever the server stands

AIOHTTP = """
import asyncio, logging, sys
from aiohttp import web

async def hello(request):
    await asyncio.sleep(float(request.query.get("sleep", 0)))
    return web.Response(text="Hello, Anonymous")

async def echo(request):
    return web.Response(body=await request.read())

async def main():
    app = web.Application()
    app.add_routes([web.get("/", hello), web.get("/{name}", hello), web.post("/echo", echo)])
    runner = web.AppRunner(app, access_log_format=sys.argv[1])
    await runner.setup()
    site = web.SockSite(runner, web_socket())
    await site.start()
    await asyncio.Event().wait()

def web_socket():
    import socket
    listening = socket.create_server(("127.0.0.1", 0))
    print("port", listening.getsockname()[1], flush=True)
    return listening

logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.INFO)
logging.getLogger("aiohttp.server").disabled = True  # tracebacks of requests that do not parse
asyncio.run(main())
"""


class Aiohttp:
    """Real aiohttp, its access log on standard output."""

    def __init__(self, *arguments):
        pytest.importorskip("aiohttp", reason="needs aiohttp (Debian package python3-aiohttp)")
        self.output = tempfile.NamedTemporaryFile(mode="r", prefix="aiohttp-", suffix=".log", encoding="latin-1")
        self.process = subprocess.Popen([sys.executable, "-c", AIOHTTP, *arguments], stdout=self.output.file,
                                        env={"PYTHONIOENCODING": "latin-1:surrogateescape", **ZONE})
        self.pid = self.process.pid
        try:
            self.port = int(wait_until(lambda: re.match(r"port (\d+)\n", self.read()), "its port").group(1))
        except BaseException:
            self.stop()
            raise

    def read(self):
        self.output.seek(0)
        return self.output.read()

    def lines(self):
        return self.read().splitlines()[1:]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.output.close()


class Ours:
    """async_server, its access log in a file."""

    def __init__(self, folder, *arguments):
        self.access = folder / "access.log"
        self.server = AsyncServer("--sleep", "0", "--access-logfile", self.access, *arguments, env=ZONE)
        self.pid, self.port, self.stop = self.server.pid, self.server.port, self.server.stop

    def lines(self):
        return self.access.read_text().splitlines()


@pytest.fixture
def ours(tmp_path):
    server = Ours(tmp_path, "--access-log-format", FORMAT)
    yield server
    server.stop()


@pytest.fixture
def aiohttp():
    server = Aiohttp(FORMAT)
    yield server
    server.stop()


def ask(server, request):
    """Sends REQUEST; returns what came until the end of the connection, the line about it, and when that was."""
    before = len(server.lines())
    begin = time.time()
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
        peer.sendall(request)
        answer = read_all(peer)
    end = time.time()
    lines = wait_until(lambda: len(server.lines()) > before and server.lines(), "the line")
    assert len(lines) == before + 1
    return answer, dict(zip(ATOMS, lines[-1].split(" | "), strict=True)), (begin, end)


def check(server, answer, line, when):
    """What a line says about time, process and answer is what was seen from outside."""
    head = answer[answer.rindex(b"HTTP/1."):].partition(b"\r\n\r\n")[0].decode()
    fields = {name.lower(): value for name, value in re.findall(r"^(\S+): ?(.*?)\r?$", head, re.M)}
    for atom in ATOMS:
        if atom.endswith("}o"):
            assert line[atom] == fields.get(atom[2:-2].lower(), "-")
    assert line["%a"] == "127.0.0.1"
    assert line["%P"] == f"<{server.pid}>"
    assert int(line["%s"]) == int(head.split()[1])
    took = float(line["%Tf"])
    assert re.fullmatch(r"\d+\.\d{6}", line["%Tf"]) and 0 <= took <= when[1] - when[0] + 0.001
    assert int(line["%D"]) == round(took * 1e6)
    assert int(line["%T"]) in (int(took - 0.499999), int(took + 0.500001))
    stamp = calendar.timegm(time.strptime(line["%t"], "[%d/%b/%Y:%H:%M:%S +0000]"))
    assert int(when[0] - 0.001) <= stamp <= when[1] - took + 0.001


SAME = {
    "every field": b"GET /name?x=1&y=%20b HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\nX-One: first\r\nX-One: second\r\n"
                   b"Referer: http://r.example/\r\nUser-Agent: agent/1.0 (x)\r\n\r\n",
    "an empty field": b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent:\r\nX-One: \r\n\r\n",
    "a sleep": b"GET /?sleep=0.6 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "HEAD": b"HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "405": b"DELETE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "404": b"GET /a/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "a body": b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/x; a=b\r\nContent-Length: 5\r\n\r\nabcde",
    "chunks": b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("request_bytes", SAME.values(), ids=SAME)
def test_the_line_is_aiohttps(ours, aiohttp, request_bytes):
    answer, line, when = ask(ours, request_bytes)
    check(ours, answer, line, when)
    assert int(line["%b"]) == len(answer)
    answer, real, when = ask(aiohttp, request_bytes)
    check(aiohttp, answer, real, when)
    assert int(real["%b"]) == len(answer)
    for atom in ["%r", "%s", "%T", *(atom for atom in ATOMS if atom.endswith("}i"))]:
        assert line[atom] == real[atom]


def test_what_invites_a_body_is_counted(ours, aiohttp):
    """aiohttp 3.8 counts the interim answer, later ones do not."""
    request = (b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
               b"\r\n")
    for server in ours, aiohttp:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
            peer.sendall(request)
            interim = peer.recv(25, socket.MSG_WAITALL)
            assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
            peer.sendall(b"ab")
            answer = read_all(peer)
        line = wait_until(server.lines, "the line")[0]
        bytes_sent = int(line.split(" | ")[ATOMS.index("%b")])
        assert bytes_sent == 25 + len(answer) or server is aiohttp and bytes_sent == len(answer)


def test_where_the_line_differs_from_aiohttps_on_purpose(ours, aiohttp):
    # Nothing that a client sent reaches the log as it came.
    request = b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-One: a"b\\c\xe9\r\n\r\n'
    _, line, _ = ask(ours, request)
    assert line["%{X-One}i"] == r"a\"b\\c\xe9"
    _, real, _ = ask(aiohttp, request)
    assert real["%{X-One}i"] == 'a"b\\c\xe9'
    # A request that did not parse is not logged as one that somebody could have sent.
    answer, line, when = ask(ours, b"nonsense\r\n\r\n")
    check(ours, answer, line, when)
    assert (line["%r"], line["%s"], line["%b"]) == ("- - -", "400", str(len(answer)))
    _, real, _ = ask(aiohttp, b"nonsense\r\n\r\n")
    assert (real["%r"], real["%s"]) == ("UNKNOWN / HTTP/1.0", "400")


def test_the_default_is_aiohttps(tmp_path):
    request = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nReferer: r\r\nUser-Agent: u v\r\n\r\n"
    pattern = r'127\.0\.0\.1 \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] "GET /x HTTP/1\.1" 200 %d "r" "u v"'
    for server in Ours(tmp_path), Aiohttp('%a %t "%r" %s %b "%{Referer}i" "%{User-Agent}i"'):
        try:
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
                peer.sendall(request)
                answer = read_all(peer)
            assert re.fullmatch(pattern % len(answer), wait_until(server.lines, "the line")[0])
        finally:
            server.stop()


def test_a_percent_sign(tmp_path):
    """As aiohttp documents it; its formatter fails on one."""
    server = Ours(tmp_path, "--access-log-format", "100%% of %s")
    try:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
            peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            read_all(peer)
        assert wait_until(server.lines, "the line") == ["100% of 200"]
    finally:
        server.stop()


def test_requests_on_one_connection_have_lines_of_their_own(tmp_path):
    """Pipelined, asleep, in pieces, refused: times, sizes and fields of each are its own."""
    server = Ours(tmp_path, "--access-log-format", "%r %s %b %Tf %{X-One}i %{Content-Length}o %{Connection}o")
    names = [("a", 0), ("b", 0.3), ("c", 0), ("d", 0.2)]
    try:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
            peer.sendall(b"".join(b"GET /%s?sleep=%.1f HTTP/1.1\r\nHost: a\r\nX-One: one-%s\r\n\r\n"
                                  % (name.encode(), sleep, name.encode()) for name, sleep in names))
            peer.sendall(b"GET /last HTTP/1.1\r\nHost: a\r\nX-One: in two p")
            time.sleep(0.7)
            peer.sendall(b"ieces\r\nX-One: no\r\n\r\nnonsense\r\n\r\n")
            answers = re.split(rb"(?=HTTP/1\.1 )", read_all(peer))[1:]
        lines = wait_until(lambda: len(server.lines()) == 6 and server.lines(), "six lines")
        assert len(answers) == 6
        for (name, sleep), answer, line in zip(names, answers, lines):
            took = re.fullmatch(rf"GET /{name}\?sleep={sleep:.1f} HTTP/1\.1 200 {len(answer)} (\d+\.\d{{6}}) one-{name} 16 -",
                                line).group(1)
            assert float(took) >= sleep
        assert re.fullmatch(rf"GET /last HTTP/1\.1 200 {len(answers[4])} \d+\.\d{{6}} in two pieces 16 -", lines[4])
        length = re.search(rb"Content-Length: (\d+)", answers[5]).group(1).decode()
        assert lines[5] == f"- - - 400 {len(answers[5])} 0.000000 - {length} close"
    finally:
        server.stop()


@pytest.mark.parametrize("text,message", [
    ("%a %y", "at character 4: no such atom; use %a %t %P %r %s %b %T %Tf %D %{Name}i %{Name}o, or %% for a percent sign"),
    ("%{HOME}e", "at character 8: after } stands i for a field of the request, o for one of the answer"),
    ("", "a format has 1 to 1023 characters"),
])
def test_a_mistake_in_the_format_ends_the_start(text, message):
    done = subprocess.run([BIN / "async_server", "--bind", "127.0.0.1:0", "--access-log-format", text],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    shown = text or '""'
    assert done.stderr == f"async_server: --access-log-format {shown}: {message}\n"
