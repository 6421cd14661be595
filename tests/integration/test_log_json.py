"""--log-json, in both servers: every line of both logs is a JSON object, whatever a client sends."""

import datetime
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

import pytest

from servers import BIN, PATIENCE, AsyncServer, read_all, wait_until

KEYS = ["time", "pid", "peer", "user", "method", "path", "query", "protocol", "status", "body_bytes", "sent_bytes",
        "duration_s", "referer", "user_agent"]
FORMAT_OPTION = {"async_server": ("--access-log-format", "%s"), "prefork_server": ("--access-logformat", "%(s)s")}


def objects(data):
    """The objects of a log: strict JSON in ASCII, one to a line, each key once."""
    def unique(pairs):
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    assert data == b"" or data.endswith(b"\n")
    assert all(byte in b"\n" or 0x20 <= byte < 0x7f for byte in data)
    return [json.loads(line, object_pairs_hook=unique, parse_constant=refuse) for line in data.decode("ascii").splitlines()]


def check_error_line(line):
    assert list(line) == ["time", "pid", "level", "message"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", line["time"])
    assert isinstance(line["pid"], int) and isinstance(line["message"], str)
    assert line["level"] in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@pytest.fixture
def logged(start_server, tmp_path):
    """logged(*arguments) starts a server whose access log is a file, and whose error log its output."""
    def start(*arguments, **more):
        server = start_server("--log-json", "--access-logfile", tmp_path / "access.log", "--sleep", "0", *arguments, **more)
        server.access = tmp_path / "access.log"
        return server

    return start


def lines_of(server, count):
    """The access log's objects, once there are COUNT."""
    data = wait_until(lambda: (data := server.access.read_bytes()).count(b"\n") >= count and data, f"{count} lines")
    return objects(data)


def ask(server, request):
    """Sends REQUEST; returns the answer and the object about it."""
    before = server.access.read_bytes().count(b"\n")
    with server.connect() as peer:
        peer.sendall(request)
        answer = read_all(peer)
    lines = lines_of(server, before + 1)
    assert len(lines) == before + 1
    return answer, lines[-1]


def test_a_request_is_told_with_types(logged):
    server = logged(env={"TZ": "XYZ-05:30"})
    begin = time.time()
    answer, line = ask(server, b"GET /a%20b?sleep=0.2&x=%22 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nReferer: http://r/\r\n"
                               b"User-Agent: agent/1.0 (x)\r\nAuthorization: Basic Ym9iOnNlY3JldA==\r\n\r\n")
    end = time.time()
    assert list(line) == KEYS
    body = answer.partition(b"\r\n\r\n")[2]
    assert {key: line[key] for key in KEYS if key not in ("time", "pid", "duration_s")} == {
        "peer": "127.0.0.1", "user": "bob", "method": "GET", "path": "/a%20b", "query": "sleep=0.2&x=%22",
        "protocol": "HTTP/1.1", "status": 200, "body_bytes": len(body), "sent_bytes": len(answer),
        "referer": "http://r/", "user_agent": "agent/1.0 (x)"}
    assert isinstance(line["status"], int) and isinstance(line["duration_s"], float)
    assert 0.2 <= line["duration_s"] <= end - begin + 0.001
    assert line["time"].endswith("+00:00")
    assert begin + 0.199 <= datetime.datetime.fromisoformat(line["time"]).timestamp() <= end + 0.001
    pids = [server.pid] if isinstance(server, AsyncServer) else server.worker_pids()
    assert line["pid"] in pids


def test_what_is_not_there_is_null(logged):
    server = logged()
    answer, line = ask(server, b"GET / HTTP/1.0\r\n\r\n")
    assert [key for key in KEYS if line[key] is None] == ["user", "query", "referer", "user_agent"]
    assert (line["protocol"], line["sent_bytes"]) == ("HTTP/1.0", len(answer))
    answer, line = ask(server, b"nonsense\xff\r\n\r\n")
    assert {key: value for key, value in line.items() if value is not None} == {
        "time": line["time"], "pid": line["pid"], "peer": "127.0.0.1", "status": 400, "sent_bytes": len(answer),
        "body_bytes": len(answer.partition(b"\r\n\r\n")[2])}


@pytest.mark.parametrize("request_bytes,body_bytes", [
    (b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 0),
    (b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nabcde", 5),
    (b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 5),
], ids=["HEAD", "length", "chunks"])
def test_the_bytes_of_an_answer(logged, request_bytes, body_bytes):
    answer, line = ask(logged(), request_bytes)
    assert (line["status"], line["body_bytes"], line["sent_bytes"]) == (200, body_bytes, len(answer))


def as_logged(value):
    """What a field's value reads as: UTF-8, and each byte that is none as the character of its number."""
    text, begin = "", 0
    while begin < len(value):
        for length in range(1, 5):
            try:
                text += value[begin:begin + length].decode()
                break
            except UnicodeDecodeError:
                pass
        else:
            text += chr(value[begin])
            length = 1
        begin += length
    return text


@pytest.mark.parametrize("value", [
    b'a "quoted" \\back\\slash', b"tab\there", b"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", b"caf\xe9", b"\xff\xfe\x80",
    b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe2\x80\xa8\xc2\x85", b"\xf0\x9f\x98", b"</script>", b"{}[]:,null",
], ids=repr)
def test_what_a_client_sends_reads_back(logged, value):
    _, line = ask(logged(), b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: %s\r\nReferer: %s\r\n\r\n"
                  % (value, value[::-1]))
    assert line["user_agent"] == as_logged(value)
    assert line["referer"] == as_logged(value[::-1])


def test_lines_that_are_cut_are_json(logged):
    server = logged()
    for byte in (b"\xe9", b"\\", b"u"):
        _, line = ask(server, b"GET /%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: %s\r\nReferer: %s\r\n\r\n"
                      % (b"p" * 3000, byte * 5000, byte * 5000))
        assert line["path"] == "/" + "p" * 2046
        assert 300 < len(line["user_agent"]) <= 2047 and set(line["user_agent"]) == {byte.decode("latin-1")}


def test_every_line_of_the_error_log(logged):
    """From the first to the last; also one with what a client sent, which is escaped in the plain line already."""
    server = logged("--header-timeout", "0.3", "--log-level", "debug", "--admin", "127.0.0.1:0")
    with server.connect() as peer:
        peer.sendall(b'GET / HTTP/1.1\r\nX: "\\\xff')
        assert b" 408 " in read_all(peer)
    server.signal(signal.SIGUSR1)
    server.signal(signal.SIGTERM)
    server.wait()
    lines = objects(pathlib.Path(server.log_file.name).read_bytes())
    for line in lines:
        check_error_line(line)
    messages = [line["message"] for line in lines]
    assert any(f"http://127.0.0.1:{server.port}" in message for message in messages)
    if not isinstance(server, AsyncServer):
        assert any('"GET / HTTP/1.1\\x0d\\x0aX: \\"\\\\\\xff"' in message for message in messages)
        assert messages[-1] == "Shutting down: Master"
    else:
        assert messages[-1] == "Stopped"


def test_both_logs_on_one_stream(start_server):
    """As in a container: nothing else is printed there, and `status` tells an access line from the others."""
    server = start_server("--log-json", "--access-logfile", "-", "--sleep", "0")
    assert server.get("/x")[0] == 200
    server.wait_log(r'"path":"/x"')
    server.signal(signal.SIGTERM)
    server.wait()
    lines = objects(pathlib.Path(server.log_file.name).read_bytes())
    assert [line["path"] for line in lines if "status" in line] == ["/x"]
    for line in lines:
        if "status" not in line:
            check_error_line(line)


def test_lines_through_a_pipe_are_whole(start_server, tmp_path):
    """A pipe takes PIPE_BUF bytes at once: long lines of several writers are cut for it, and never mix."""
    pipe = tmp_path / "access.pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    server = start_server("--log-json", "--access-logfile", pipe, "--sleep", "0.01")
    try:
        long = b'"' * 3000
        peers = [server.connect() for _ in range(12)]
        for peer in peers:
            peer.sendall(b"GET /p?%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nUser-Agent: %s\r\nReferer: %s\r\n\r\n"
                         % (b"q" * 3000, long, long))
        for peer in peers:
            assert b" 200 " in read_all(peer)
            peer.close()
        data = b""

        def whole():
            nonlocal data
            try:
                data += os.read(reader, 1 << 20)
            except BlockingIOError:
                pass
            return data.count(b"\n") == 12

        wait_until(whole, "12 lines")
        for line in objects(data):
            assert list(line) == KEYS
            assert (line["path"], line["status"]) == ("/p", 200)
            assert len(line["query"]) > 500 and set(line["user_agent"]) == set(line["referer"]) == {'"'}
        assert max(map(len, data.splitlines())) < 4096
    finally:
        server.stop()
        os.close(reader)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP], ids=["USR1", "HUP"])
def test_a_rotation(logged, tmp_path, number):
    server = logged()
    if isinstance(server, AsyncServer) and number == signal.SIGUSR1:
        pytest.skip("USR1 switches blocking sleeps there")
    ask(server, b"GET /before HTTP/1.0\r\n\r\n")
    server.access.rename(tmp_path / "access.log.1")
    server.signal(number)
    wait_until(server.access.exists, "a new file")

    def moved():
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
            peer.sendall(b"GET /after HTTP/1.0\r\n\r\n")
            read_all(peer)
        return b"/after" in server.access.read_bytes()

    wait_until(moved, "a line in the new file")
    assert {line["path"] for line in objects(server.access.read_bytes())} == {"/after"}
    assert objects((tmp_path / "access.log.1").read_bytes())[0]["path"] == "/before"


@pytest.mark.parametrize("program", FORMAT_OPTION)
def test_a_format_besides_is_refused(program):
    option, value = FORMAT_OPTION[program]
    done = subprocess.run([BIN / program, "--bind", "127.0.0.1:0", "--log-json", option, value], capture_output=True,
                          text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (f"{program}: {option} does not go with --log-json, whose lines have fixed keys; "
                           "leave one of them out\n")
