"""loadgen against real servers: aiohttp, gunicorn, and our own two."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from load import WELL, free_port, loadgen, one_cell
from servers import PATIENCE, AsyncServer, PreforkServer, wait_until

import socket

AIOHTTP = """
import asyncio, sys
from aiohttp import web

async def hello(request):
    await asyncio.sleep(0.02)
    return web.Response(text="Hello, Anonymous")

async def echo(request):
    return web.Response(body=await request.read())

app = web.Application(client_max_size=1 << 30)
app.add_routes([web.get("/", hello), web.route("*", "/echo", echo)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""

WSGI = """
import time

def app(environ, start_response):
    time.sleep(0.01)
    start_response("200 OK", [("Content-Length", "16")])
    return [b"Hello, Anonymous"]
"""


class Background:
    """A server process that is ready when its port takes connections."""

    def __init__(self, command, port, cwd):
        self.process = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{port}/"
        self.port = port

    def is_ready(self):
        assert self.process.poll() is None, "the server ended"
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def __enter__(self):
        try:
            wait_until(self.is_ready, "the server")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def aiohttp_server(tmp_path):
    pytest.importorskip("aiohttp", reason="needs aiohttp (Debian package python3-aiohttp)")
    (tmp_path / "server.py").write_text(AIOHTTP)
    port = free_port()
    with Background([sys.executable, "server.py", str(port)], port, tmp_path) as server:
        yield server


@pytest.fixture(params=["sync", "gthread"])
def gunicorn_server(tmp_path, request):
    program = shutil.which("gunicorn")
    if program is None:
        pytest.skip("needs gunicorn (Debian package gunicorn)")
    (tmp_path / "server.py").write_text(WSGI)
    port = free_port()
    command = [program, "-b", f"127.0.0.1:{port}", "-k", request.param, "--threads", "4" if request.param == "gthread" else "1",
               "server:app"]
    with Background(command, port, tmp_path) as server:
        yield server


@pytest.mark.parametrize("keep", [[], ["-k"]], ids=["close", "keep"])
class TestReal:
    def test_aiohttp(self, aiohttp_server, keep):
        cell = one_cell("-n", 40, "-c", 8, *keep, aiohttp_server.url)
        assert (cell["complete"], cell["failed"], cell["non_2xx"], cell["document_length"]) == (40, 0, 0, 16)
        assert cell["keepalive_requests"] == (40 if keep else 0)
        assert cell["latency_ms"]["min"] >= 20
        assert "aiohttp" in cell["server_software"]

    def test_aiohttp_echoes_a_large_body(self, aiohttp_server, keep, tmp_path):
        body = pathlib.Path(tmp_path, "body")
        body.write_bytes(os.urandom(3 << 20))
        cell = one_cell("-n", 6, "-c", 2, *keep, "-p", body, aiohttp_server.url + "echo")
        assert (cell["complete"], cell["failed"], cell["bytes"]["body"]) == (6, 0, 6 * (3 << 20))

    def test_aiohttp_answers_405_and_404(self, aiohttp_server, keep):
        assert one_cell("-n", 4, *keep, "-m", "DELETE", aiohttp_server.url)["non_2xx"] == 4
        assert one_cell("-n", 4, *keep, "-i", aiohttp_server.url + "no/such/thing")["non_2xx"] == 4

    def test_gunicorn(self, gunicorn_server, keep):
        cell = one_cell("-n", 40, "-c", 8, *keep, gunicorn_server.url)
        assert (cell["complete"], cell["failed"], cell["non_2xx"], cell["document_length"]) == (40, 0, 0, 16)
        assert cell["latency_ms"]["min"] >= 10
        assert "gunicorn" in cell["server_software"]


class TestOurs:
    @pytest.mark.parametrize("keep", [[], ["-k"]], ids=["close", "keep"])
    def test_both_servers_wait_as_asked(self, start_server, keep):
        server = start_server("--sleep", "0")
        cell = one_cell("-n", 12, "-c", 3, "--sleep", "0.03", *keep, server.url)
        assert (cell["complete"], cell["failed"], cell["non_2xx"], cell["document_length"]) == (12, 0, 0, 16)
        assert cell["latency_ms"]["min"] >= 30

    def test_the_table_compares_them(self):
        with AsyncServer("--sleep", "0.05") as a, PreforkServer("--sleep", "0.05") as b:
            done = loadgen("-n", 12, "-c", "1,6", a.url, b.url)
        assert done.returncode in WELL, done.stderr
        assert f"A  {a.url}  async_server/" in done.stdout and f"B  {b.url}  prefork_server/" in done.stdout
        rows = [line.split() for line in done.stdout.splitlines()[6:] if line.startswith(("A ", "B "))]
        assert [row[:4] for row in rows] == [["A", "1", "12", "0"], ["B", "1", "12", "0"], ["A", "6", "12", "0"],
                                            ["B", "6", "12", "0"]]
        assert float(rows[3][4]) <= 20  # one worker answers one request in 50 ms

    def test_a_body_comes_back(self, start_server, tmp_path):
        body = tmp_path / "body"
        body.write_bytes(os.urandom(1 << 20))
        cell = one_cell("-n", 4, "-c", 2, "-k", "-u", body, start_server("--sleep", "0").url + "echo")
        assert (cell["complete"], cell["failed"], cell["bytes"]["body"]) == (4, 0, 4 << 20)
