"""What prefork_server answers, and how it works meanwhile."""

import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from prefork import GET, asleep, queue_length, send, start, status_of, workers
from servers import PATIENCE, parse_response, read_all, wait_until


def test_hello_and_the_connection_closes(start):
    server = start("--sleep", 0)
    for version in (b"1.0", b"1.1"):
        request = b"GET /you HTTP/" + version + b"\r\nHost: test\r\nConnection: keep-alive\r\n\r\n"
        status, head, body = parse_response(server.exchange(request))
        assert (status, body) == (200, b"Hello, Anonymous")
        assert b"\r\nConnection: close" in head and b"\r\nServer: prefork_server/0.1.0" in head


def test_only_a_blocking_sleep(start):
    server = start("--sleep", 0)
    status, _, body = server.get("/?mode=async")
    assert status == 400 and b"blocking" in body
    assert server.get("/?mode=blocking")[0] == 200


def test_a_sleep_is_never_short_whatever_signals_come(start):
    server = start("--sleep", 0.3)
    (worker,) = workers(server, 1)
    begin = time.monotonic()
    peer = send(server)
    for _ in range(20):
        os.kill(worker, signal.SIGUSR1)
        server.signal(signal.SIGUSR1)
        time.sleep(0.01)
    assert status_of(peer) == 200
    assert time.monotonic() - begin >= 0.3


def cpu_seconds(pid):
    """The CPU time that a process has used so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_handler_computes_sleeps_or_does_both(start):
    """What is named is what it does. (How fast a CPU is at this moment is nobody's promise: a third is enough.)"""
    server = start("--cpu", 600)
    (worker,) = workers(server, 1)
    used = cpu_seconds(worker)
    assert server.get()[0] == 200
    assert cpu_seconds(worker) - used >= 0.2
    used, begin = cpu_seconds(worker), time.monotonic()
    assert server.get("/?sleep=0.7")[0] == 200
    assert time.monotonic() - begin >= 0.7
    assert cpu_seconds(worker) - used < 0.2
    used, begin = cpu_seconds(worker), time.monotonic()
    assert server.get("/?sleep=0.7&cpu=600")[0] == 200
    assert time.monotonic() - begin >= 0.7
    assert cpu_seconds(worker) - used >= 0.2
    status, _, body = server.get("/?cpu=10001")
    assert status == 400 and b"0 to 10000 (--max-cpu)" in body


def test_one_request_a_worker_at_a_time(start):
    server = start("--sleep", 0.2, "--workers", 2)
    begin = time.monotonic()
    peers = [send(server) for _ in range(6)]
    assert [status_of(peer) for peer in peers] == [200] * 6
    assert time.monotonic() - begin >= 3 * 0.2


def test_all_workers_sleep_at_once(start):
    server = start("--sleep", 1, "--workers", 20, "--admin", "127.0.0.1:0")
    workers(server, 20)
    peers = [send(server) for _ in range(20)]
    asleep(server, 20)
    assert [status_of(peer) for peer in peers] == [200] * 20


@pytest.mark.parametrize("length", [1, 100_000, 8_000_000])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_echo_gives_the_body_back_as_it_comes(start, length, chunked):
    server = start()
    body = os.urandom(length)
    with server.connect() as peer:
        framing = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % length
        pieces = [body[i:i + 50_000] for i in range(0, length, 50_000)]
        if chunked:
            pieces = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]

        def feed():
            fields = b"Host: x\r\nContent-Type: application/x-test\r\n" + framing
            peer.sendall(b"POST /echo HTTP/1.1\r\n" + fields + b"\r\n\r\n")
            for piece in pieces:
                peer.sendall(piece)

        thread = threading.Thread(target=feed)
        thread.start()
        status, head, answer = parse_response(read_all(peer))
        thread.join()
    assert status == 200 and b"Content-Type: application/x-test" in head
    if chunked:
        joined = b""
        while (size := int(answer[:answer.index(b"\r\n")], 16)) > 0:
            start_of_data = answer.index(b"\r\n") + 2
            joined += answer[start_of_data:start_of_data + size]
            answer = answer[start_of_data + size + 2:]
        assert answer == b"0\r\n\r\n"
        answer = joined
    assert answer == body


def test_echo_does_not_wait_for_the_whole_body(start):
    server = start()
    with server.connect() as peer:
        peer.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n")
        assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"one")
        answer = b""
        while not answer.endswith(b"\r\n\r\none"):
            answer += peer.recv(1000)
        peer.sendall(b"two")
        assert read_all(peer) == b"two"


def test_the_type_of_an_echo_is_not_a_way_in(start):
    server = start()
    for own in (b"x" * 500, b"text/\xff\xfe"):
        request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: " + own + b"\r\nContent-Length: 2\r\n\r\nok"
        status, head, body = parse_response(server.exchange(request))
        if status == 200:
            assert body == b"ok" and b"Content-Type: application/octet-stream" in head
        else:
            assert status == 400


def test_an_unread_body_does_not_cost_the_answer(start):
    """Closing a socket with unread bytes resets it: the client must see the answer all the same."""
    server = start("--sleep", 0)
    for target, expected in (("/", 405), ("/a/b", 404)):
        assert server.get(target, "POST", body=b"x" * 900_000)[0] == expected
    assert server.get("/", body=b"x" * 1_048_576)[0] == 200
    assert server.get("/", body=b"x" * 1_048_577)[0] == 413
    chunks = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    request = b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + 17 * chunks + b"0\r\n\r\n"
    assert parse_response(server.exchange(request))[0] == 413
    assert parse_response(server.exchange(b"nonsense\r\n\r\n" + b"x" * 500_000))[0] == 400


def test_a_second_request_on_the_connection_does_not_cost_the_first_answer(start):
    server = start("--sleep", 0.1)
    answer = server.exchange(GET + GET)
    assert answer.count(b"HTTP/1.1 200") == 1
    with send(server) as peer:
        time.sleep(0.02)
        peer.sendall(GET)
        assert read_all(peer).count(b"HTTP/1.1 200") == 1


def test_the_access_log_has_gunicorns_format(start, tmp_path):
    path = tmp_path / "access"
    server = start("--sleep", 0, "--access-logfile", path)
    server.get("/one", fields='User-Agent: a"b\r\nReferer: http://r/\r\n')
    server.exchange(b"nonsense\r\n\r\n")
    wait_until(lambda: path.read_text().count("\n") == 2, "two lines")
    lines = path.read_text().splitlines()
    assert re.fullmatch(r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /one HTTP/1\.1" 200 16 '
                        r'"http://r/" "a\\"b"', lines[0])
    assert " 400 " in lines[1]


def test_a_client_that_resets_is_logged_with_its_address(start, tmp_path):
    """It has no address any more when its request is over."""
    path = tmp_path / "access"
    server = start("--sleep", 0.3, "--access-logfile", path)
    with send(server) as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wait_until(lambda: queue_length(server) == 0, "accept")
        time.sleep(0.1)
    wait_until(lambda: path.read_text().count("\n") == 1, "its line")
    assert path.read_text().startswith("127.0.0.1 - - ")


def test_a_full_disk_under_the_logs(start):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    server = start("--sleep", 0, "--access-logfile", "/dev/full", "--workers", 2)
    for _ in range(5):
        assert server.get()[0] == 200


def test_the_real_client_gets_what_it_asked_for(start):
    if shutil.which("ab") is None:
        pytest.skip("ab is not installed")
    server = start("--sleep", 0.01, "--workers", 2)
    done = subprocess.run(["ab", "-n", "100", "-c", "10", server.url], capture_output=True, text=True,
                          timeout=2 * PATIENCE)
    assert re.search(r"Complete requests: +100\b", done.stdout) and re.search(r"Failed requests: +0\b", done.stdout)
