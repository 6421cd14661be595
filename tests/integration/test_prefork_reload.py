"""prefork_server's HUP: the configuration is read again, without a request lost or a half-applied mistake."""

import os
import re
import signal
import socket

import pytest

from prefork import asleep, is_alive, queue_length, send, status_of, workers
from servers import PreforkServer, Program, parse_response, read_all, wait_until
from test_prefork_activation import Activated
from test_prefork_stop import Senders, without_filters


class Configured(PreforkServer):
    """A server whose options stand in the file CONFIG, which says TEXT."""

    def __init__(self, config, text, *arguments, **more):
        self.config = config
        self.write(text)
        super().__init__("--config", config, *arguments, **more)

    def write(self, text):
        self.config.write_text(text)

    def hup(self, text=None):
        """Changes the file, and waits until it was read."""
        count = len(re.findall("Hang up: ", self.log()))
        if text is not None:
            self.write(text)
        self.signal(signal.SIGHUP)
        self.wait_log("Hang up: ", count=count + 1)

    def replaced(self, old, count):
        """Waits until COUNT workers serve, none of OLD among them. Returns their pids."""
        return wait_until(lambda: len(new := self.worker_pids()) == count and not set(new) & set(old) and new, "new workers")


@pytest.fixture
def configured(tmp_path):
    running = []

    def start_one(text, *arguments, **more):
        running.append(Configured(tmp_path / "config", text, *arguments, **more))
        return running[-1]

    yield start_one
    for server in running:
        server.stop()


class FromFile(Configured):
    """One whose addresses stand in the file too."""

    def __init__(self, config, text, **more):
        self.config = config
        self.write(text)
        Program.__init__(self, "--config", config, **more)
        try:
            self.host, self.port = "127.0.0.1", int(self.wait_log(self.listening).group(1))
        except BaseException:
            self.stop()
            raise


def test_what_the_file_says_holds_from_now_on(configured):
    server = configured("workers = 1\nsleep = 0\ntimeout = 20\n", "--admin", "127.0.0.1:0")
    old = workers(server, 1)
    server.hup("workers = 3\nsleep = 0.01\ntimeout = 25\n")
    server.replaced(old, 3)
    log = server.log()
    for option in ("workers", "sleep", "timeout"):
        assert f"--{option} has changed\n" in log
    assert log.count("has changed") == 3
    assert b'"sleep": 0.01' in server.get("/settings", port=server.admin_port())[2]
    assert server.get()[0] == 200


def test_an_unchanged_file_says_nothing_and_keeps_live_settings(configured):
    server = configured("workers = 2\nsleep = 0\n", "--admin", "127.0.0.1:0")
    old = workers(server, 2)
    server.get("/settings", method="PUT", body=b"sleep=0.02", port=server.admin_port())
    server.hup()
    server.replaced(old, 2)
    assert "has changed" not in server.log()
    assert b'"sleep": 0.02' in server.get("/settings", port=server.admin_port())[2]


def scribble(pid):
    """Fills what process PID can write to and others see, or the beginning of it, as one that went mad would."""
    with open(f"/proc/{pid}/maps") as maps:
        shared = [line.split()[0].split("-") for line in maps if line.split()[1] == "rw-s"]
    try:
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            for start, end in shared:
                memory.seek(int(start, 16))
                memory.write(b"\xff" * min(int(end, 16) - int(start, 16), 1 << 16))
    except PermissionError:
        pytest.skip("this machine lets nobody write to another process's memory")
    return len(shared)


def test_the_arbiter_minds_nothing_that_a_worker_writes(configured):
    """Settings, counters, turns: the reload replaces what has to be whole, locks included."""
    server = configured("workers = 2\nsleep = 0\n", "--admin", "127.0.0.1:0")
    old = workers(server, 2)
    assert scribble(old[0]) >= 3
    server.hup("workers = 2\nsleep = 0.01\n")
    server.replaced(old, 2)
    assert b'"sleep": 0.01' in server.get("/settings", port=server.admin_port())[2]
    assert server.get()[0] == 200
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_the_command_line_wins_over_the_file_again(configured):
    server = configured("workers = 1\nsleep = 0\n", "--workers", 2)
    old = workers(server, 2)
    server.hup("workers = 5\nsleep = 0\n")
    server.replaced(old, 2)
    assert "has changed" not in server.log()


@pytest.mark.parametrize("text, message", [
    ("workers = 1\nworkerz = 2\n", r"config:2: .*workerz"),
    ("workers = 0\n", r"config:1: "),
    ("sleep = 70\n", r"--sleep 70 is above --max-sleep 60"),
    ("sleep = 70\nmax-sleep = 80\n", r"with what needs a restart as it was, --sleep 70 is above --max-sleep 60"),
    ("bind = 127.0.0.1:http\n", r"not an address"),
    ("error-logfile = /nonexistent/log\n", r"Cannot open /nonexistent/log: No such file or directory"),
    ("access-logfile = /nonexistent/log\n", r"Cannot open /nonexistent/log: No such file or directory"),
    (None, r"config: No such file or directory"),
])
def test_a_mistake_changes_nothing(tmp_path, text, message):
    with FromFile(tmp_path / "config", "bind = 127.0.0.1:0\nsleep = 0\nworkers = 2\n") as server:
        old = workers(server, 2)
        if text is None:
            server.config.unlink()
        else:
            server.write(text if "bind" in text or "config:" in message else "bind = 127.0.0.1:0\n" + text)
        server.signal(signal.SIGHUP)
        server.wait_log(message + ".*; everything stays as it was")
        assert "has changed" not in server.log()
        assert server.get()[0] == 200
        assert workers(server, 2) == old
        # And a good one is good again.
        server.hup("bind = 127.0.0.1:0\nsleep = 0\nworkers = 1\n")
        server.replaced(old, 1)
        assert server.get()[0] == 200


def test_logs_are_opened_again_though_the_file_is_wrong(configured, tmp_path):
    access = tmp_path / "access"
    server = configured("sleep = 0\n", "--access-logfile", access)
    access.rename(tmp_path / "access.1")
    server.hup("nonsense\n")
    wait_until(access.exists, "the new access log")


def test_what_needs_a_restart_says_so_each_time(configured):
    server = configured("sleep = 0\n")
    old = workers(server, 1)
    for count in range(1, 3):
        server.hup("sleep = 0\nadmin = 127.0.0.1:0\ndaemon = true\nmax-cpu = 5\numask = 77\n")
        for option in ("admin", "daemon", "max-cpu", "umask"):
            server.wait_log(f"--{option} has changed, but needs a restart", count=count)
        old = server.replaced(old, 1)
    assert server.get()[0] == 200


def test_an_old_worker_keeps_its_configuration_to_its_end(configured):
    server = configured("sleep = 2.5\ntimeout = 30\n", "--admin", "127.0.0.1:0")
    (old,) = workers(server, 1)
    peer = send(server)
    asleep(server)
    server.hup("sleep = 2.5\ntimeout = 1\n")
    server.wait_log("Booting worker", count=2)
    assert status_of(peer) == 200
    wait_until(lambda: not is_alive(old), "the end of the old worker")
    assert "WORKER TIMEOUT" not in server.log()
    with send(server) as peer:
        server.wait_log("WORKER TIMEOUT")  # the new one goes by the new timeout


def test_logs_and_their_names_change(tmp_path):
    config, error, access = tmp_path / "config", tmp_path / "error", tmp_path / "access"
    with Configured(config, "sleep = 0\n", "--admin", "127.0.0.1:0") as server:
        old = workers(server, 1)
        server.write(f"sleep = 0\nerror-logfile = {error}\naccess-logfile = {access}\naccess-logformat = %(m)s<%(U)s>\nlog-level = debug\n")
        server.signal(signal.SIGHUP)
        wait_until(lambda: error.exists() and re.search(r"Booting worker with pid: (\d+)", error.read_text()), "the error log")
        wait_until(lambda: not is_alive(old[0]), "the end of the old worker")
        assert server.get("/now")[0] == 200
        wait_until(lambda: access.read_text() == "GET</now>\n", "the access log")
        server.write("sleep = 0\n")
        server.signal(signal.SIGHUP)
        server.wait_log("Booting worker", count=2)  # to standard error again
        assert "Handling signal: hup" in error.read_text()
        wait_until(lambda: server.get()[0] == 200 and len(server.worker_pids()) == 1, "one worker")
        assert access.read_text() == "GET</now>\n"
        # The admin process goes along.
        assert server.get("/healthz", port=server.admin_port())[0] == 200


def test_the_pid_file_moves(configured, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    server = configured(f"sleep = 0\npid = {one}\n")
    assert one.read_text() == f"{server.pid}\n"
    server.hup(f"sleep = 0\npid = {two}\n")
    wait_until(lambda: two.exists() and not one.exists(), "the new pid file")
    assert two.read_text() == f"{server.pid}\n"
    one.write_text("notes\n")
    server.hup(f"sleep = 0\npid = {one}\n")
    server.wait_log("The pid file stays as it was: .* is no pid file")
    assert two.exists() and one.read_text() == "notes\n"
    server.hup("sleep = 0\n")
    wait_until(lambda: not two.exists(), "no pid file")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(port):
    with socket.create_connection(("127.0.0.1", port), 5) as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return parse_response(read_all(peer))[0]


def test_addresses_change_and_nobody_is_lost(tmp_path):
    with FromFile(tmp_path / "config", "bind = 127.0.0.1:0\nworkers = 2\nsleep = 0.002\n") as server:
        first = server.port
        for _ in range(3):
            old = workers(server, 2)
            port = free_port()
            with Senders(("127.0.0.1", first)) as senders:
                senders.wait(20)
                server.hup(f"bind = 127.0.0.1:{port}\nworkers = 2\nsleep = 0.002\n")
                senders.join()  # all are refused in the end
            assert senders.lost == []
            assert ask(port) == 200
            server.replaced(old, 2)
            server.wait_log(rf"Listening at: http://127\.0\.0\.1:{port}\n")
            first = port


def test_an_address_that_stays_is_never_closed(tmp_path):
    with FromFile(tmp_path / "config", "bind = 127.0.0.1:0\nworkers = 2\nsleep = 0.002\n") as server:
        path = tmp_path / "socket"
        with Senders((server.host, server.port), ends=False) as senders:
            for text in (f"bind = 127.0.0.1:0,unix:{path}\n", "bind = 127.0.0.1:0\n", f"bind = unix:{path},127.0.0.1:0\n"):
                senders.wait(20)
                old = workers(server, 2)
                server.hup(text + "workers = 2\nsleep = 0.002\n")
                server.replaced(old, 2)
                wait_until(lambda: path.exists() == ("unix" in text), "the Unix socket")
                if "unix" in text:
                    with Senders(str(path), count=2, ends=False, family=socket.AF_UNIX) as others:
                        others.wait(10)
                    assert others.lost == []
            senders.wait(20)
        assert senders.lost == []


def test_an_address_that_is_taken_changes_nothing(tmp_path):
    with FromFile(tmp_path / "config", "bind = 127.0.0.1:0\nsleep = 0\n") as server, \
            socket.create_server(("127.0.0.1", 0)) as taken:
        path = tmp_path / "socket"
        old = workers(server, 1)
        server.write(f"bind = unix:{path},127.0.0.1:{taken.getsockname()[1]}\nsleep = 0\n")
        server.signal(signal.SIGHUP)
        server.wait_log("the address is in use: .*; everything stays as it was")
        assert workers(server, 1) == old and not path.exists()
        assert server.get()[0] == 200


def test_who_waits_at_an_address_that_is_left_is_served_by_the_old_worker(tmp_path):
    with FromFile(tmp_path / "config", "bind = 127.0.0.1:0\nsleep = 1\n") as server:
        (old,) = workers(server, 1)
        peers = [send(server) for _ in range(2)]
        wait_until(lambda: queue_length(server) == 1, "the queue")
        port = free_port()
        server.hup(f"bind = 127.0.0.1:{port}\nsleep = 1\n")
        server.wait_log("Booting worker", count=2)
        server.hup(f"bind = 127.0.0.1:{port}\nsleep = 1\nworkers = 2\n")  # this one waits for the first
        assert is_alive(old)
        assert [status_of(peer) for peer in peers] == [200, 200]
        server.replaced([old], 2)
        assert "--workers has changed" in server.log()
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_term_while_an_address_is_left_serves_who_waits_there(tmp_path):
    with FromFile(tmp_path / "config", "bind = 127.0.0.1:0\nsleep = 0.7\n") as server:
        workers(server, 1)
        peers = [send(server) for _ in range(3)]
        wait_until(lambda: queue_length(server) == 2, "the queue")
        server.hup(f"bind = 127.0.0.1:{free_port()}\nsleep = 0.7\n")
        server.wait_log("Booting worker", count=2)
        server.signal(signal.SIGTERM)
        assert [status_of(peer) for peer in peers] == [200] * 3
        assert server.wait() == 0


def test_without_a_filter_an_address_is_left_at_once(tmp_path):
    with FromFile(tmp_path / "config", "bind = 127.0.0.1:0\nsleep = 0\n", env=without_filters(tmp_path)) as server:
        old = workers(server, 1)
        port = free_port()
        server.hup(f"bind = 127.0.0.1:{port}\nsleep = 0\n")
        server.wait_log("Cannot hold new connections back: Operation not permitted; .* an address that is left may be reset")
        server.replaced(old, 1)
        assert ask(port) == 200
        wait_until(lambda: is_refused(server), "the end of the old address")


def is_refused(server):
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_managers_addresses_stay(tmp_path):
    config = tmp_path / "config"
    config.write_text("sleep = 0\n")
    with socket.create_server(("127.0.0.1", 0)) as tcp, Activated([tcp], "--config", config) as server:
        old = workers(server, 1)
        config.write_text("sleep = 0\nbind = 127.0.0.1:0\n")
        server.signal(signal.SIGHUP)
        server.wait_log("--bind has changed, but needs a restart")
        wait_until(lambda: len(new := server.worker_pids()) == 1 and new != old, "the new worker")
        assert server.get()[0] == 200


def test_the_worker_class_changes_and_nobody_is_lost(configured):
    server = configured("sleep = 0.002\nworkers = 2\n")
    with Senders((server.host, server.port), ends=False) as senders:
        for number in range(6):
            senders.wait(20)
            old = workers(server, 2)
            server.hup(f"sleep = 0.002\nworkers = 2\nthreads = {(number + 1) % 2 * 3 + 1}\n")
            server.replaced(old, 2)
        senders.wait(20)
    assert senders.lost == []
    assert server.log().count("Using worker: gthread") == 3 and server.log().count("Using worker: sync") == 4


def test_many_reloads_leave_nothing_open(configured):
    server = configured("sleep = 0\nworkers = 1\n")
    count = lambda: len(os.listdir(f"/proc/{server.pid}/fd"))
    before = count()
    for number in range(12):
        old = workers(server, 1)
        server.hup(f"sleep = 0\nworkers = 1\ntimeout = {20 + number}\n")
        server.replaced(old, 1)
    assert count() == before
