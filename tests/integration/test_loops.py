"""Several loops in one async_server: each has its own socket, and they behave as one server."""

import ctypes
import os
import platform
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from servers import BIN, PATIENCE, Program, read_all, read_response, wait_until

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
HELLO = b"Hello, Anonymous"


class Starting(Program):
    """A server that nobody waits for."""

    name = "async_server"


def per_loop(server, name):
    """{loop: value} of a metric that each loop has."""
    text = server.get("/metrics", port=server.admin_port())[2].decode()
    return {int(loop): float(value) for loop, value in re.findall(rf'(?m)^{name}{{loop="(\d+)"}} (\S+)$', text)}


def listening_sockets(server):
    """How many listening sockets there are on the server's port, by /proc/net/tcp."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(row[1].endswith(f":{server.port:04X}") and row[3] == "0A" for row in rows)


def test_each_loop_has_a_thread_and_a_listening_socket(start):
    server = start("--loops", "3", "--sleep", "0", "--admin", "127.0.0.1:0")
    assert listening_sockets(server) == 3
    assert len(per_loop(server, "loopfork_loop_lag_seconds")) == 3


def test_auto_is_one_for_each_processor_it_may_use(start):
    server = start("--loops", "auto", "--sleep", "0", "--admin", "127.0.0.1:0",
                   preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]))
    assert listening_sockets(server) == 1
    server = start("--loops", "auto", "--sleep", "0", "--admin", "127.0.0.1:0")
    assert listening_sockets(server) == len(os.sched_getaffinity(0))


def test_connections_are_spread_and_counted_together(start):
    server = start("--loops", "2", "--sleep", "0", "--admin", "127.0.0.1:0")
    connections = [server.connect() for _ in range(64)]
    for connection in connections:
        connection.sendall(GET)
        assert read_response(connection)[2] == HELLO
    open_ones = per_loop(server, "loopfork_loop_connections_open")
    # The kernel hashes ports: 64 on one side have a chance of 2^-63.
    assert sum(open_ones.values()) == 64 and min(open_ones.values()) > 0
    text = server.get("/metrics", port=server.admin_port())[2].decode()
    assert "\nloopfork_connections_open 64\n" in text
    for connection in connections:
        connection.close()


def test_a_blocked_loop_does_not_hold_up_the_others(start):
    server = start("--loops", "2", "--sleep", "0", "--admin", "127.0.0.1:0")
    blocked = server.connect()
    blocked.sendall(b"GET /?sleep=5&mode=blocking HTTP/1.1\r\nHost: test\r\n\r\n")
    stuck = wait_until(lambda: [loop for loop, lag in per_loop(server, "loopfork_loop_lag_seconds").items() if lag > 0.3],
                       "a loop that is blocked, seen from outside while it is")
    assert len(stuck) == 1
    # Some new connections fall to the loop that is free, and are answered long before the 5 s are over.
    begun = time.monotonic()
    connections = [server.connect() for _ in range(32)]
    for connection in connections:
        connection.sendall(GET)
    answered = 0
    for connection in connections:
        connection.settimeout(0.2)
        try:
            answered += read_response(connection)[2] == HELLO
        except TimeoutError:
            pass
        if answered and time.monotonic() - begun > 2:
            break
    assert answered > 0
    for connection in [blocked, *connections]:
        connection.close()


def test_requests_in_flight_in_all_loops_are_answered(start):
    server = start("--loops", "3", "--sleep", "3", "--admin", "127.0.0.1:0")
    connections = [server.connect() for _ in range(24)]
    for connection in connections:
        connection.sendall(GET)
    wait_until(lambda: b"\nloopfork_sleeping 24\n" in server.get("/metrics", port=server.admin_port())[2],
               "24 handlers asleep")
    server.signal(signal.SIGTERM)
    assert [read_response(connection)[2] for connection in connections] == [HELLO] * 24
    for connection in connections:
        connection.close()
    assert server.wait() == 0


def test_a_second_server_does_not_creep_in(start):
    # SO_REUSEPORT would let it: it would silently get half of the connections.
    first = start("--loops", "2")
    done = subprocess.run([BIN / "async_server", "--loops", "2", "--bind", f"127.0.0.1:{first.port}"], timeout=PATIENCE,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is in use" in done.stderr and done.stderr.count("\n") == 1


def test_they_share_a_unix_socket(start, tmp_path):
    path = str(tmp_path / "socket")
    server = start("--loops", "2", "--sleep", "0", bind=f"unix:{path}")
    for _ in range(50):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(path)
            peer.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert read_all(peer).endswith(HELLO)
    assert server.stop() == 0
    assert not os.path.exists(path)


UNSHARE = {"x86_64": 272, "aarch64": 97}.get(platform.machine())


def forbid_unshare():
    """Has the kernel refuse unshare(2) with EPERM, as container sandboxes do: a seccomp filter of four instructions."""
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in [
        (0x20, 0, 0, 0),  # load the number of the system call
        (0x15, 0, 1, UNSHARE),
        (0x06, 0, 0, 0x00050001),  # SECCOMP_RET_ERRNO | EPERM
        (0x06, 0, 0, 0x7FFF0000)])  # SECCOMP_RET_ALLOW
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = ctypes.create_string_buffer(struct.pack("@HP", 4, ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(38, ctypes.c_ulong(1), zero, zero, zero) != 0 or libc.prctl(22, ctypes.c_ulong(2), filters) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


@pytest.mark.skipif(UNSHARE is None, reason="the number of unshare(2) is not known here")
def test_a_shared_table_of_descriptors_does_as_well(start, tmp_path):
    path = str(tmp_path / "socket")
    server = start("--loops", "3", "--sleep", "1", "--access-logfile", tmp_path / "access", bind=f"unix:{path}",
                   preexec_fn=forbid_unshare)
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        assert "\nSeccomp:\t2\n" in status.read()
    connections = [socket.socket(socket.AF_UNIX) for _ in range(30)]
    for connection in connections:
        connection.settimeout(PATIENCE)
        connection.connect(path)
        connection.sendall(GET)
    server.signal(signal.SIGHUP)
    server.wait_log("Opening the logs again")
    server.signal(signal.SIGTERM)
    # The loops close the socket one after the other: none may close it for the others.
    assert [read_response(connection)[2] for connection in connections] == [HELLO] * 30
    for connection in connections:
        connection.close()
    assert server.wait() == 0
    assert "ERROR" not in server.log()
    assert not os.path.exists(path)


def test_ipv6_and_a_chosen_port(start):
    server = start("--loops", "2", "--sleep", "0", bind="[::1]:0")
    with socket.create_connection(("::1", server.port), PATIENCE) as peer:
        peer.sendall(GET)
        assert read_response(peer)[2] == HELLO


def test_max_connections_is_shared_out(start):
    server = start("--loops", "2", "--sleep", "0", "--max-connections", "5", "--header-timeout", "60")
    connections = []
    for _ in range(40):
        connection = server.connect()
        connection.sendall(GET)
        connections.append(connection)
    # Five at most are served; the rest wait in the backlogs.
    time.sleep(0.5)
    answered = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            answered += connection.recv(4096).startswith(b"HTTP/1.1 200")
        except BlockingIOError:
            pass
    assert answered == 5
    server.wait_log("At --max-connections 3, this loop's share: ")
    server.wait_log("At --max-connections 2, this loop's share: ")
    for connection in connections:
        connection.close()


def test_the_admin_address_answers_while_the_loops_are_prepared(tmp_path):
    # What it shows of them is there from the beginning; built with ThreadSanitizer, this tells whether in order.
    path = str(tmp_path / "admin")
    texts = []
    with Starting("--bind", "127.0.0.1:0", "--loops", "64", "--admin", f"unix:{path}") as server:
        wait_until(lambda: os.path.exists(path), "the admin address")
        while not texts or "Running on" not in server.log():
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(PATIENCE)
                try:
                    peer.connect(path)
                    peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
                except ConnectionRefusedError:
                    continue  # it is bound, and does not listen yet
                texts.append(read_all(peer).decode())
    assert all(re.findall(r'(?m)^loopfork_loop_pool_queue{loop="(\d+)"} 0$', text) == list(map(str, range(64))) for text in texts)


@pytest.mark.parametrize("arguments", [["--loops", "0"], ["--loops", "65"], ["--loops", "two"], ["--loops", ""],
                                       ["--loops", "-1"], ["--loops", "2x"],
                                       ["--loops", "3", "--max-connections", "2"]])
def test_a_mistake_gets_one_line_and_status_2(arguments):
    done = subprocess.run([BIN / "async_server", *arguments], timeout=PATIENCE, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("async_server: --") and done.stderr.count("\n") == 1


def test_a_stop_during_start_is_obeyed(start):
    for _ in range(5):
        process = subprocess.Popen([BIN / "async_server", "--loops", "8", "--bind", "127.0.0.1:0"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.005)
        process.terminate()
        # Before it has blocked the signal the signal ends it; afterwards it ends by itself.
        assert process.wait(PATIENCE) in (0, -signal.SIGTERM)
