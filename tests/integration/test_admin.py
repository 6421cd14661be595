"""The admin address, the same on both servers: answered while every worker, or the loop, is asleep."""

import json
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from servers import BIN, PATIENCE, AsyncServer, PreforkServer, parse_response, wait_until


@pytest.fixture
def server(start_server):
    server = start_server("--admin", "127.0.0.1:0", "--sleep", "0")
    server.admin = server.admin_port()
    return server


def admin(server, method, target, body=b""):
    return server.get(target, method=method, body=body, port=server.admin)


def metric(server, name):
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", admin(server, "GET", "/metrics")[2].decode()).group(1))


def test_settings_are_shown_and_changed(server):
    mode = "async" if isinstance(server, AsyncServer) else "blocking"
    share = ', "blocking_share": 0' if isinstance(server, AsyncServer) else ""
    assert admin(server, "GET", "/settings")[2].decode() == f'{{"sleep": 0, "cpu": 0, "mode": "{mode}"{share}}}\n'
    status, head, body = admin(server, "PUT", "/settings", b"sleep=0.2&mode=blocking")
    assert status == 200 and b"application/json" in head
    assert body.decode() == f'{{"sleep": 0.2, "cpu": 0, "mode": "blocking"{share}}}\n'
    start = time.monotonic()
    assert server.get("/")[0] == 200
    assert time.monotonic() - start >= 0.2
    server.wait_log(r"Settings are now sleep=0.2 cpu=0 mode=blocking")


def test_what_is_named_is_what_a_handler_does(server):
    def put(form):
        status, _, body = admin(server, "PUT", "/settings", form)
        assert status == 200, body
        return json.loads(body)

    rest = {"mode": "blocking"} if isinstance(server, PreforkServer) else {"mode": "async", "blocking_share": 0}
    assert put(b"cpu=2.5")["cpu"] == 2.5
    assert metric(server, "loopfork_setting_cpu_seconds") == 0.0025
    assert put(b"cpu=1&sleep=0.5") == {"sleep": 0.5, "cpu": 1, **rest}
    assert put(b"sleep=0.2") == {"sleep": 0.2, "cpu": 0, **rest}
    assert put(b"sleep=0") == {"sleep": 0, "cpu": 0, **rest}
    if isinstance(server, PreforkServer):
        status, _, body = admin(server, "PUT", "/settings", b"blocking-share=1")
        assert status == 400 and b"sleep cpu mode, " in body
        return
    assert put(b"blocking-share=0.25") == {"sleep": 0, "cpu": 0, "mode": "async", "blocking_share": 0.25}
    assert metric(server, "loopfork_setting_blocking_share") == 0.0025
    assert put(b"sleep=0.5")["blocking_share"] == 0.25
    assert put(b"mode=async")["blocking_share"] == 0
    server.wait_log(r"Settings are now sleep=0.5 cpu=0 mode=async blocking-share=0 ")


@pytest.mark.parametrize("form", [b"sleep=-1", b"sleep=x", b"mode=fast", b"colour=red", b"sleep=1&mode=", b"sleep=999999",
                                  b"cpu=-1", b"cpu=20ms", b"cpu=3600001", b"sleep=1&cpu=", b"blocking-share=101"])
def test_wrong_settings_change_nothing_and_are_explained(server, form):
    before = admin(server, "GET", "/settings")[2]
    status, _, body = admin(server, "PUT", "/settings", form)
    assert status == 400 and body.startswith(b"400: Bad Request: ") and len(body) > 30
    assert admin(server, "GET", "/settings")[2] == before


def test_other_paths_and_methods(server):
    assert admin(server, "GET", "/nothing")[0] == 404
    status, head, _ = admin(server, "DELETE", "/settings")
    assert status == 405 and b"Allow: GET,HEAD,PUT" in head
    assert admin(server, "POST", "/metrics")[0] == 405
    assert admin(server, "HEAD", "/healthz")[2] == b""
    assert admin(server, "PUT", "/settings", b"x" * 2000)[0] == 413
    assert parse_response(server.exchange(b"nonsense\r\n\r\n", port=server.admin))[0] == 400


def test_metrics_count_what_happened(server):
    for _ in range(5):
        assert server.get("/")[0] == 200
    assert server.get("/a/b")[0] == 404
    wait_until(lambda: metric(server, 'loopfork_responses_total{code="200"}') == 5, "five answers counted")
    assert metric(server, 'loopfork_responses_total{code="404"}') == 1
    assert metric(server, "loopfork_connections_accepted_total") >= 6
    wait_until(lambda: metric(server, "loopfork_requests_in_flight") == 0, "nothing in flight")
    text = admin(server, "GET", "/metrics")[2].decode()
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [-+.e0-9]+", line), line
    for name in set(re.findall(r"(?m)^(\w+)[ {]", text)):
        assert f"# HELP {name} " in text and f"# TYPE {name} " in text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian package prometheus)")
def test_prometheus_finds_nothing_to_complain_about(server):
    """promtool checks the format, and the names by Prometheus' own rules."""
    assert server.get("/?sleep=0.01")[0] == 200
    assert server.get("/?cpu=1")[0] == 200
    assert metric(server, "loopfork_computed_seconds_total") == 0.001
    assert server.get("/a/b")[0] == 404
    assert server.get("/", method="POST")[0] == 405
    assert parse_response(server.exchange(b"nonsense\r\n\r\n"))[0] == 400
    assert metric(server, 'loopfork_responses_total{code="400"}') >= 1
    done = subprocess.run(["promtool", "check", "metrics"], input=admin(server, "GET", "/metrics")[2],
                          capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_it_answers_while_the_server_sleeps(server):
    """A blocking sleep holds the loop, or the only worker; the admin address must not wait for it."""
    admin(server, "PUT", "/settings", b"mode=blocking")
    sleeper = server.connect()
    sleeper.sendall(b"GET /?sleep=5 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    wait_until(lambda: metric(server, "loopfork_sleeping") == 1, "the sleep has begun")
    start = time.monotonic()
    assert admin(server, "GET", "/healthz")[::2] == (200, b"ok\n")
    assert admin(server, "GET", "/settings")[0] == 200
    assert metric(server, "loopfork_sleeping") == 1
    assert time.monotonic() - start < 4.5
    assert parse_response(sleeper.recv(4096))[0] == 200
    sleeper.close()


def test_a_slow_client_does_not_hold_it(server):
    idle = [socket.create_connection(("127.0.0.1", server.admin)) for _ in range(40)]
    for peer in idle[:20]:
        peer.sendall(b"GET /met")
    # More connections than it serves at a time: the deadline frees places for the others.
    assert admin(server, "GET", "/healthz")[0] == 200
    for peer in idle:
        peer.close()


def test_a_request_byte_by_byte(server):
    with socket.create_connection(("127.0.0.1", server.admin), PATIENCE) as peer:
        for byte in b"PUT /settings HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nsleep=0.3":
            peer.sendall(bytes([byte]))
        assert json.loads(parse_response(peer.recv(4096))[2])["sleep"] == 0.3


def test_many_at_once(server):
    failed = []

    def ask():
        for _ in range(20):
            if admin(server, "GET", "/metrics")[0] != 200:
                failed.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_its_port_in_use_is_told(server):
    for program in (AsyncServer, PreforkServer):

        done = subprocess.run([BIN / program.name, "--bind", "127.0.0.1:0", "--admin", f"127.0.0.1:{server.admin}"],
                              capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 1
        assert f"--admin 127.0.0.1:{server.admin}" in done.stderr and "in use" in done.stderr
        done = subprocess.run([BIN / program.name, "--bind", "127.0.0.1:0", "--admin", "nowhere"], capture_output=True,
                              text=True, timeout=PATIENCE)
        assert done.returncode == 2 and "--admin nowhere" in done.stderr


def test_it_ends_with_the_server(server):
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.admin), 2)
