"""prefork_server's GET /scoreboard: what every worker does now, told while all of them sleep."""

import json
import os
import re
import signal
import socket
import tempfile
import time

import pytest

from prefork import Load, metric, send, start, status_of, workers  # noqa: F401 (start is a fixture)
from servers import PATIENCE, AsyncServer, parse_response, read_all, wait_until
from test_prefork_reload import FromFile


@pytest.fixture
def server(start):
    return start("--sleep", 0, "--workers", 2, "--admin", "127.0.0.1:0")


def unchunked(body):
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        chunk, body = body[:int(size, 16)], body[int(size, 16):]
        assert body[:2] == b"\r\n"
        whole, body = whole + chunk, body[2:]
        if not chunk:
            assert body == b""
            return whole


def ask(server, target="/scoreboard", fields=""):
    """The head, and the body as text, of an answer of 200."""
    status, head, body = server.get(target, fields=fields, port=server.admin_port())
    assert status == 200, body
    return head, (unchunked(body) if b"Transfer-Encoding: chunked" in head else body).decode("ascii")


def board(server):
    return json.loads(ask(server)[1])


def by_pid(server):
    return {worker["pid"]: worker for worker in board(server)["workers"]}


def requests_shown(server):
    return [worker["request"] for worker in board(server)["workers"] if worker["request"]]


def test_what_it_tells(server):
    pids = workers(server, 2)
    for _ in range(5):
        assert server.get("/")[0] == 200
    wait_until(lambda: all(worker["state"] == "idle" for worker in board(server)["workers"]), "all idle")
    head, text = ask(server)
    assert b"application/json" in head and b"Content-Length" in head
    told = json.loads(text)
    about = told["server"]
    assert about["name"] == "prefork_server" and about["pid"] == server.pid and about["uptime_s"] >= 0
    assert about["worker_class"] == "sync" and about["generation"] == 0 and about["stopping"] is False
    assert about["workers"] == {"target": 2, "alive": 2, "idle": 2, "busy": 0}
    assert about["threads"] == {"idle": 2, "busy": 0}
    assert set(about["restarts"]) == {"crash", "timeout", "max-requests", "max-rss", "reload"}
    assert about["listen"] == [{"name": f"http://127.0.0.1:{server.port}", "queue": 0, "queue_limit": 2048}]
    assert sorted(worker["pid"] for worker in told["workers"]) == sorted(pids)
    assert sum(worker["requests"] for worker in told["workers"]) == 5
    for worker in told["workers"]:
        assert worker["state"] == "idle" and worker["request"] is None and worker["ending"] is False
        assert worker["rss_kib"] > 0 and worker["cpu_s"] >= 0 and worker["uptime_s"] >= worker["state_s"] >= 0
        assert len(worker["threads"]) == 1


def test_it_is_told_while_every_worker_sleeps_and_their_requests_grow_older(server):
    peers = [send(server, f"GET /?sleep=3&n={i} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) for i in range(2)]
    wait_until(lambda: sorted(requests_shown(server)) == ["GET /?sleep=3&n=0", "GET /?sleep=3&n=1"], "both requests")
    waiting = send(server)
    wait_until(lambda: board(server)["server"]["listen"][0]["queue"] == 1, "a third in the queue")
    first = {worker["request"]: worker["request_s"] for worker in board(server)["workers"]}
    time.sleep(0.2)
    second = {worker["request"]: worker for worker in board(server)["workers"]}
    for request, age in first.items():
        assert second[request]["state"] == "working"
        assert second[request]["request_s"] >= age + 0.15
    assert metric(server, "loopfork_workers_busy") == 2 and metric(server, "loopfork_workers_idle") == 0
    assert metric(server, "loopfork_threads_busy") == 2 and metric(server, "loopfork_request_age_max_seconds") > 0.2
    listener = f'{{listener="http://127.0.0.1:{server.port}"}}'
    assert metric(server, "loopfork_accept_queue" + listener) == 1
    assert metric(server, "loopfork_accept_queue_limit" + listener) == 2048
    assert [status_of(peer) for peer in [*peers, waiting]] == [200] * 3
    wait_until(lambda: requests_shown(server) == [], "none to be shown")
    assert metric(server, "loopfork_request_age_max_seconds") == 0


def test_a_person_gets_a_table_of_80_columns(server):
    peer = send(server, b"GET /?sleep=2&" + b"x" * 90 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: requests_shown(server), "its request")
    for target, fields in [("/scoreboard?text", ""), ("/scoreboard", "Accept: text/plain\r\n")]:
        head, text = ask(server, target, fields)
        assert b"text/plain" in head
        lines = text.splitlines()
        assert re.fullmatch(rf"prefork_server [\d.]+, pid {server.pid}, up [\d.]+s, generation 0, sync", lines[0])
        assert lines[1] == f"http://127.0.0.1:{server.port}: 0 of 2048 wait"
        assert lines[2] == "Workers: 2 of 2, 1 idle, 1 busy; threads: 1 idle, 1 busy"
        assert all(len(line) <= 80 for line in lines)
        title = next(line for line in lines if "REQUEST" in line)
        rows = lines[lines.index(title) + 1:]
        assert len(rows) == 2
        (busy,) = [row for row in rows if " working " in row]
        assert busy.index("GET /?sleep=2&xxx") == title.rindex("REQUEST")
        for row in rows:
            assert re.match(r" *\d+ +0 (idle|working) +[\d.]+s +\d+ +[\d.]+s +[\d.]+M", row), row
    for accept in ["*/*", "application/json, text/plain", "text/html"]:
        assert b"application/json" in ask(server, fields=f"Accept: {accept}\r\n")[0]
    assert status_of(peer) == 200


def test_a_hostile_target_tells_no_lies(server):
    """Quotes, backslashes, braces, and bytes that a terminal obeys."""
    hostile = "/?sleep=2&\"},{\"pid\":1,\\u0041\x7f\x80\xff\u00fe[2J"
    raw = hostile.encode("latin-1")
    assert parse_response(server.exchange(b"GET " + raw + b" HTTP/1.1\r\nHost: x\r\n\r\n"))[0] in (200, 400)
    allowed = "/?sleep=2&\"},{\"pid\":1,\\u0041%1b[2J"
    peer = send(server, b"GET " + allowed.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: requests_shown(server), "its request")
    assert requests_shown(server) == ["GET " + allowed]
    assert len(board(server)["workers"]) == 2
    text = ask(server, "/scoreboard?text")[1]
    assert all(" " <= byte <= "~" or byte == "\n" for byte in text)
    assert status_of(peer) == 200


def test_a_connection_without_a_request_and_one_that_lingers(server):
    silent = send(server, b"GET /never")
    wait_until(lambda: [worker["state"] for worker in board(server)["workers"]].count("reading") == 1, "one reading")
    assert requests_shown(server) == []
    # Refused with a body still to come: the worker waits a moment for the rest.
    refused = send(server, b"POST /?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
    wait_until(lambda: [worker["state"] for worker in board(server)["workers"]].count("closing") == 1, "one closing")
    assert requests_shown(server) == ["POST /?x=1"]
    refused.close()
    silent.close()
    wait_until(lambda: board(server)["server"]["workers"]["idle"] == 2, "both idle again")


def test_an_answer_to_no_request_shows_no_old_one(server):
    for _ in range(4):
        assert server.get("/old")[0] == 200
    peers = [send(server, b"nonsense" + b"x" * 5000) for _ in range(2)]
    for _ in range(20):
        assert requests_shown(server) == []
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_worker_leaves_no_ghost(server, number):
    peer = send(server, b"GET /?sleep=60 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: requests_shown(server), "its request")
    (victim,) = [pid for pid, worker in by_pid(server).items() if worker["request"]]
    os.kill(victim, number)
    wait_until(lambda: len(by_pid(server)) == 2 and victim not in by_pid(server), "its successor instead")
    wait_until(lambda: board(server)["server"]["workers"] == {"target": 2, "alive": 2, "idle": 2, "busy": 0}, "two idle")
    assert requests_shown(server) == []
    assert board(server)["server"]["restarts"]["crash"] == 1
    peer.close()


def test_a_dead_worker_that_nobody_has_noticed_is_gone(server):
    """The arbiter is stopped, so nobody reaps; the admin process answers all the same."""
    peer = send(server, b"GET /?sleep=60 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: requests_shown(server), "its request")
    (victim,) = [pid for pid, worker in by_pid(server).items() if worker["request"]]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: by_pid(server)[victim]["state"] == "gone", "to be seen gone")
        worker = by_pid(server)[victim]
        assert worker["request"] is None and worker["cpu_s"] is None and worker["threads"] == []
        assert re.search(rf"(?m)^ *{victim} +0 gone ", ask(server, "/scoreboard?text")[1])
    finally:
        os.kill(server.pid, signal.SIGCONT)
    wait_until(lambda: victim not in by_pid(server), "to be replaced")
    peer.close()


def test_a_reload_is_seen_as_it_goes(server):
    old = workers(server, 2)
    peer = send(server, b"GET /?sleep=2 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: requests_shown(server), "its request")
    server.signal(signal.SIGHUP)
    wait_until(lambda: board(server)["server"]["generation"] == 1, "the new generation")
    told = wait_until(lambda: (now := board(server)["workers"]) and len(now) == 3 and now, "two new ones and a busy old one")
    (ending,) = [worker for worker in told if worker["ending"]]
    assert ending["pid"] in old and ending["generation"] == 0 and ending["request"] == "GET /?sleep=2"
    assert re.search(rf"(?m)^ *{ending['pid']} +0 working\* ", ask(server, "/scoreboard?text")[1])
    assert status_of(peer) == 200
    wait_until(lambda: len(board(server)["workers"]) == 2, "the old one to end")
    assert board(server)["server"]["restarts"]["reload"] == 2
    assert metric(server, 'loopfork_worker_restarts_total{reason="reload"}') == 2


def test_it_parses_at_every_moment(start):
    """Workers are born and die, and their requests come and go, while it is read."""
    server = start("--sleep", 0, "--workers", 4, "--max-requests", 20, "--admin", "127.0.0.1:0")
    with Load(server, 3, "/?x=\"quoted\"") as load:
        for _ in range(150):
            told = board(server)
            assert len(told["workers"]) <= 12
            for worker in told["workers"]:
                assert worker["request"] in (None, 'GET /?x="quoted"')
            ask(server, "/scoreboard?text")
        load.wait(100)
    assert load.lost == []


def test_a_long_answer_comes_in_chunks(start):
    server = start("--sleep", 0, "--workers", 200, "--admin", "127.0.0.1:0")
    workers(server, 200)
    wait_until(lambda: board(server)["server"]["workers"]["idle"] == 200, "200 idle workers")
    head, text = ask(server)
    assert b"Transfer-Encoding: chunked" in head
    assert len(json.loads(text)["workers"]) == 200 and len(text) > 65536
    # A client of HTTP/1.0 knows no chunks: the end of the connection ends it.
    head, _, body = server.exchange(b"GET /scoreboard HTTP/1.0\r\n\r\n", port=server.admin_port()).partition(b"\r\n\r\n")
    assert b"chunked" not in head and len(json.loads(body)["workers"]) == 200
    answer = server.exchange(b"HEAD /scoreboard HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", port=server.admin_port())
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\n")
    # One that does not read it holds nobody up.
    slow = socket.create_connection(("127.0.0.1", server.admin_port()), PATIENCE)
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b"GET /scoreboard HTTP/1.1\r\nHost: x\r\n\r\n")
    assert len(board(server)["workers"]) == 200
    slow.close()


def test_several_addresses_each_with_its_queue(start, tmp_path):
    server = start("--bind", "127.0.0.1:0", "--bind", f"unix:{tmp_path}/sock\"et", "--admin", "127.0.0.1:0", "--sleep", 0)
    first, second, third = board(server)["server"]["listen"]
    assert {first["queue_limit"], second["queue_limit"]} == {2048} and first["name"] != second["name"]
    # Of a Unix socket, the kernel does not tell.
    assert third == {"name": f"unix:{tmp_path}/sock\"et", "queue": None, "queue_limit": None}
    text = ask(server, "/metrics")[1]
    assert len(re.findall(r"(?m)^loopfork_accept_queue\{listener=\"http://127.0.0.1:\d+\"\} 0$", text)) == 2
    assert "unix" not in text


def test_an_address_that_a_reload_brings_has_its_queue_shown(tmp_path):
    """The admin process has the sockets from the arbiter, and begins anew where they change."""
    text = f"bind = 127.0.0.1:0\nadmin = unix:{tmp_path}/admin\nsleep = 0\n"
    with FromFile(tmp_path / "config", text) as server:
        server.hup(text.replace("bind = ", f"bind = unix:{tmp_path}/second,"))

        def names():
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(PATIENCE)
                try:
                    peer.connect(f"{tmp_path}/admin")
                    peer.sendall(b"GET /scoreboard HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    return [listener["name"] for listener in json.loads(read_all(peer).partition(b"\r\n\r\n")[2])["server"]["listen"]]
                except OSError:
                    return None

        first = f"unix:{tmp_path}/second"
        wait_until(lambda: names() == [first, f"http://127.0.0.1:{server.port}"], "the new one beside the old one")


def test_what_a_server_has_not_is_left_out(server):
    text = ask(server, "/metrics")[1]
    assert "websocket" not in text and "slow_callbacks" not in text
    assert server.get("/scoreboard", method="POST", port=server.admin_port())[0] == 405
    status, _, body = server.get("/nothing", port=server.admin_port())
    assert status == 404 and b"has /settings, /metrics, /scoreboard and /healthz" in body
    with AsyncServer("--admin", "127.0.0.1:0") as other:
        status, _, body = other.get("/scoreboard", port=other.admin_port())
        assert status == 404 and b"has /settings, /metrics and /healthz" in body
        assert b"loopfork_websockets_open" in other.get("/metrics", port=other.admin_port())[2]


def test_healthz_says_why_it_is_not(server):
    health = lambda: server.get("/healthz", port=server.admin_port())  # noqa: E731
    assert health()[::2] == (200, b"ok\n")
    peer = send(server, b"GET /?sleep=2 HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: requests_shown(server), "its request")
    server.signal(signal.SIGTERM)
    wait_until(lambda: health()[::2] == (503, b"the server is stopping\n"), "503")
    assert board(server)["server"]["stopping"] is True
    assert ", stopping\n" in ask(server, "/scoreboard?text")[1]
    assert status_of(peer) == 200
    assert server.wait() == 0


def test_the_longest_names_of_the_most_addresses(start):
    """Each byte of them becomes six in JSON, and four in the table."""
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        paths = [f"{folder}/{i:02}".ljust(107, "\x01") for i in range(16)]
        server = start("--sleep", 0, "--admin", "127.0.0.1:0", bind=",".join(f"unix:{path}" for path in paths))
        port = int(server.wait_log(r"Admin at: http://127\.0\.0\.1:(\d+)").group(1))
        for target, escaped in ("/scoreboard", rb"\u0001"), ("/scoreboard?text", rb"\x01"):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as peer:
                peer.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % target.encode())
                status, _, body = parse_response(read_all(peer))
            assert status == 200 and body.count(b"unix:") == 16 and body.count(escaped) > 16 * 80
