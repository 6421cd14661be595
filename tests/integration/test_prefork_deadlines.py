"""Deadlines of prefork_server: no header, body, answer or handler takes longer than it may, and the log says whose it was."""

import time

import pytest

from prefork import metric, start, workers
from servers import parse_response


@pytest.mark.parametrize("work", ["sleep=30", "cpu=50000", "cpu=50000&sleep=30"])
def test_a_handler_that_takes_too_long(start, work):
    """Its client is told 504, the log names the request, and the worker goes on."""
    server = start("--handler-timeout", 0.3, "--max-cpu", 60000, "--admin", "127.0.0.1:0")
    old = workers(server, 1)
    begun = time.monotonic()
    status, _, body = parse_response(server.exchange(f"GET /slow?{work} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
    assert status == 504 and b"--handler-timeout" in body
    assert 0.3 <= time.monotonic() - begun < 15
    server.wait_log(rf'\[{old[0]}\] \[WARNING\] Handler of "GET /slow\?{work} HTTP/1\.1" from 127\.0\.0\.1 '
                    r"timed out after 0\.3 s \(--handler-timeout\)\n")
    assert server.get("/?sleep=0.01")[0] == 200
    assert workers(server, 1) == old
    assert metric(server, "loopfork_handler_timeouts_total") == 1
    assert metric(server, 'loopfork_responses_total{code="504"}') == 1
    assert metric(server, "loopfork_sleeping") == metric(server, "loopfork_computing") == 0


def test_a_handler_that_has_time_is_not_cut_short(start):
    server = start("--handler-timeout", 20, "--admin", "127.0.0.1:0")
    for seconds in (0, 0.001, 0.05, 0.3):
        begun = time.monotonic()
        assert server.get(f"/?sleep={seconds}&cpu=10")[0] == 200
        assert time.monotonic() - begun >= seconds
    assert metric(server, "loopfork_handler_timeouts_total") == 0
    assert "timed out" not in server.log()


def test_what_a_client_sent_stands_escaped_in_the_log(start):
    server = start("--handler-timeout", 0.05)
    target = '/"[CRITICAL]\\' + "x" * 3000 + "?sleep=5"
    assert parse_response(server.exchange(f"GET {target} HTTP/1.0\r\n\r\n".encode()))[0] == 504
    server.wait_log(r'\[WARNING\] Handler of "GET /\\"\[CRITICAL\]\\\\x{400,500} HTTP/1\.0" from 127\.0\.0\.1 timed out after')
