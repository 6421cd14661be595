"""How async_server starts and goes on: inherited sockets, a configuration file, and SIGHUP."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from servers import BIN, PATIENCE, AsyncServer, parse_response, read_all, read_response, wait_until

HELLO = b"Hello, Anonymous"
GET = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"

# Does what systemd does between fork and exec: the sockets go to descriptors 3 ..., and the variables name the process.
LAUNCHER = """
import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",") if fd]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for fd in range(3, 100):
    try:
        os.close(fd)
    except OSError:
        pass
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
    os.close(fd)
os.environ["LISTEN_PID"] = sys.argv[2] or str(os.getpid())
os.environ["LISTEN_FDS"] = sys.argv[3] or str(len(fds))
os.environ["LISTEN_FDNAMES"] = ":".join("web" for _ in fds)
os.execv(sys.argv[4], sys.argv[4:])
"""


def launcher(sockets, arguments, pid="", count=""):
    fds = [one.fileno() for one in sockets]
    command = [sys.executable, "-c", LAUNCHER, ",".join(map(str, fds)), str(pid), str(count),
               str(BIN / "async_server"), *map(str, arguments)]
    return command, fds


class Activated(AsyncServer):
    """A server that inherits SOCKETS from its parent."""

    def __init__(self, sockets, *arguments, **more):
        command, fds = launcher(sockets, arguments, **more)
        self.log_file = tempfile.NamedTemporaryFile(prefix="activated-", suffix=".log")
        self.process = subprocess.Popen(command, pass_fds=fds, stdin=subprocess.DEVNULL, stdout=self.log_file,
                                        stderr=subprocess.STDOUT)
        try:
            self.wait_log(self.listening)
        except BaseException:
            self.stop()
            raise


@pytest.fixture
def keep():
    """keep(thing) ends a server or closes a socket at the end of the test, the last one first."""
    kept = []

    def one(thing):
        kept.append(thing)
        return thing

    yield one
    for thing in reversed(kept):
        thing.stop() if isinstance(thing, AsyncServer) else thing.close()


def tcp_socket(family=socket.AF_INET):
    """A listening socket as systemd opens it: blocking, without SO_REUSEPORT or TCP_NODELAY."""
    one = socket.socket(family, socket.SOCK_STREAM)
    one.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    one.listen(128)
    return one


def unix_socket(path):
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.bind(str(path))
    one.listen(128)
    return one


def ask(address, data=GET):
    """One request to a socket's own address; returns (status, header bytes, body)."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(address)
        peer.sendall(data)
        return parse_response(read_all(peer))


def refusal(command, fds=()):
    """Runs what should not start. Returns (status, what it printed)."""
    ended = subprocess.run(command, pass_fds=fds, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=PATIENCE)
    return ended.returncode, ended.stdout.decode()


def settings(server, port):
    return json.loads(server.get("/settings", port=port)[2])


class TestInheritedSockets:
    @pytest.mark.parametrize("loops", [1, 2])
    def test_all_kinds_are_served_and_bind_is_not_opened(self, keep, tmp_path, loops):
        sockets = [keep(tcp_socket()), keep(unix_socket(tmp_path / "socket"))]
        try:
            sockets.append(keep(tcp_socket(socket.AF_INET6)))
        except OSError:
            pass  # a machine without IPv6
        taken = keep(tcp_socket())
        keep(Activated(sockets, "--sleep", 0, "--loops", loops, "--bind", f"127.0.0.1:{taken.getsockname()[1]}"))
        for _ in range(10):
            for one in sockets:
                status, _, body = ask(one.getsockname())
                assert (status, body) == (200, HELLO)

    @pytest.mark.parametrize("loops", [1, 2])
    def test_a_restart_loses_no_connection(self, keep, tmp_path, loops):
        path = tmp_path / "socket"
        listening = keep(unix_socket(path))
        first = Activated([listening], "--sleep", 0, "--loops", loops)
        assert ask(str(path))[0] == 200
        assert first.stop() == 0
        assert path.is_socket()
        # Nobody serves now, and whoever comes waits in the backlog.
        peers = []
        for _ in range(5):
            peer = keep(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            peer.settimeout(PATIENCE)
            peer.connect(str(path))
            peer.sendall(GET)
            peers.append(peer)
        keep(Activated([listening], "--sleep", 0, "--loops", loops))
        for peer in peers:
            assert parse_response(read_all(peer))[0] == 200

    def test_sockets_of_another_process_are_left_alone(self, keep):
        other = keep(tcp_socket())
        server = keep(Activated([other], "--sleep", 0, "--bind", "127.0.0.1:0", pid=1))
        port = int(server.wait_log(server.listening).group(1))
        assert port != other.getsockname()[1]
        assert ask(("127.0.0.1", port))[0] == 200

    def test_what_cannot_be_served_is_refused_with_its_descriptor(self, keep):
        good = keep(tcp_socket())
        datagrams = keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        deaf = keep(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        cases = [
            ([good, datagrams], {}, "descriptor 4: not a stream socket"),
            ([good, deaf], {}, "descriptor 4: a socket that does not listen"),
            ([good], {"count": 2}, "descriptor 4: not open"),
            ([good], {"count": "x"}, "must be whole numbers"),
            ([good], {"count": 1000000}, "more sockets than can be served"),
        ]
        for sockets, more, message in cases:
            command, fds = launcher(sockets, ["--bind", "127.0.0.1:0"], **more)
            status, output = refusal(command, fds)
            assert status in (1, 2)
            assert message in output
            assert output.startswith("async_server: ") and output.count("\n") == 1


class TestConfigFile:
    def start(self, keep, path, *arguments):
        server = keep(AsyncServer("--config", path, "--admin", "127.0.0.1:0", *arguments))
        server.admin = server.admin_port()
        return server

    def test_the_command_line_is_above_the_file_and_the_file_above_defaults(self, keep, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("# two of these are typed as well\nsleep = 7\nmode = threadpool\nmax-sleep = 50\n"
                        "bind = 127.0.0.1:1\n")
        server = self.start(keep, path, "--sleep", 0)
        assert settings(server, server.admin)["sleep"] == 0
        assert settings(server, server.admin)["mode"] == "threadpool"
        assert server.get("/?sleep=51")[0] == 400
        assert server.get("/")[0] == 200

    def test_a_mistake_is_told_with_its_line(self, tmp_path):
        path = tmp_path / "server.ini"
        command = [str(BIN / "async_server"), "--bind", "127.0.0.1:0", "--config", str(path)]
        assert refusal(command) == (2, f"async_server: {path}: No such file or directory\n")
        for text, message in [
            ("sleep = 0\nslep = 1\n", ":2: unknown option slep; see async_server --help"),
            ("[server]\nsleep = 0\n", ":1: there are no sections; write option = value"),
            ("sleep = 0\n\nsleep = 1\n", ":3: sleep is there already, in line 1"),
            ("mode = sideways\n", ":1: mode = sideways: must be one of async|blocking|threadpool"),
        ]:
            path.write_text(text)
            assert refusal(command) == (2, f"async_server: {path}{message}\n")

    def test_options_that_do_not_go_together_are_refused_wherever_they_stand(self, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("max-sleep = 1\n")
        status, output = refusal(
            [str(BIN / "async_server"), "--bind", "127.0.0.1:0", "--config", str(path), "--sleep", "2"])
        assert status == 2
        assert "--sleep 2 is above --max-sleep 1" in output


class TestHangup:
    def start(self, keep, path, *arguments):
        server = keep(AsyncServer("--config", path, "--admin", "127.0.0.1:0", *arguments))
        server.admin = server.admin_port()
        return server

    def wait_settings(self, server, name, value):
        wait_until(lambda: settings(server, server.admin)[name] == value, f"{name} {value}")

    @pytest.mark.parametrize("loops", [1, 2])
    def test_what_changed_in_the_file_is_applied(self, keep, tmp_path, loops):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\n")
        server = self.start(keep, path, "--loops", loops)
        path.write_text("sleep = 0.25\nmode = threadpool\n")
        server.signal(signal.SIGHUP)
        self.wait_settings(server, "sleep", 0.25)
        self.wait_settings(server, "mode", "threadpool")
        # What is no longer there is as by default again.
        path.write_text("sleep = 0\n")
        server.signal(signal.SIGHUP)
        self.wait_settings(server, "sleep", 0)
        self.wait_settings(server, "mode", "async")
        assert server.get("/")[0] == 200

    def test_what_was_typed_stays(self, keep, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("")
        server = self.start(keep, path, "--sleep", 0)
        path.write_text("sleep = 9\nmode = threadpool\n")
        server.signal(signal.SIGHUP)
        self.wait_settings(server, "mode", "threadpool")
        assert settings(server, server.admin)["sleep"] == 0

    @pytest.mark.parametrize("text, message", [
        ("sleep = x\n", r":1: sleep = x: must be a number of seconds"),
        ("mode = threadpool\nslep = 1\n", r":2: unknown option slep"),
        ("mode = threadpool\nsleep = 5\nmax-sleep = 1\n", r"--sleep 5 is above --max-sleep 1"),
        (None, r"No such file or directory"),
    ])
    def test_a_bad_file_changes_nothing(self, keep, tmp_path, text, message):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\n")
        server = self.start(keep, path)
        before = settings(server, server.admin)
        if text is None:
            path.unlink()
        else:
            path.write_text(text)
        server.signal(signal.SIGHUP)
        server.wait_log(message)
        assert settings(server, server.admin) == before
        assert server.get("/")[0] == 200
        # And the next one is read as if it had never been.
        path.write_text("mode = threadpool\n")
        server.signal(signal.SIGHUP)
        self.wait_settings(server, "mode", "threadpool")

    def test_what_needs_a_restart_is_named(self, keep, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\nbacklog = 100\n")
        server = self.start(keep, path)
        path.write_text("sleep = 0\nbacklog = 200\n")
        server.signal(signal.SIGHUP)
        server.wait_log(r"backlog.*restart|restart.*backlog")
        assert server.get("/")[0] == 200

    def test_what_was_put_stays_until_the_file_says_something_else(self, keep, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\n")
        server = self.start(keep, path)
        assert server.get("/settings", method="PUT", body=b"sleep=0.125", port=server.admin)[0] == 200
        path.write_text("sleep = 0\nkeep-alive = 5\n")
        server.signal(signal.SIGHUP)
        server.wait_log("--keep-alive has changed")
        server.wait_log("Read .* again")
        assert settings(server, server.admin)["sleep"] == 0.125
        path.write_text("sleep = 0.25\nkeep-alive = 5\n")
        server.signal(signal.SIGHUP)
        self.wait_settings(server, "sleep", 0.25)

    @pytest.mark.parametrize("loops", [1, 2])
    def test_times_hold_from_then_on(self, keep, tmp_path, loops):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\nkeep-alive = 3600\n")
        server = self.start(keep, path, "--loops", loops)
        ask_only = GET.replace(b"Connection: close\r\n", b"")
        path.write_text("sleep = 0\nkeep-alive = 0.05\n")
        server.signal(signal.SIGHUP)
        server.wait_log("Read .* again")

        # Each loop hears of it in its next round; the second request is certainly after that.
        for _ in range(4 * loops):
            with server.connect() as peer:
                for _ in range(2):
                    try:
                        peer.sendall(ask_only)
                        assert read_response(peer)[0] == 200
                    except (AssertionError, OSError):
                        break  # it was idle for longer than 0.05 s here
                assert peer.recv(1) == b""

    def test_the_number_of_connections_can_change(self, keep, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\nmax-connections = 1\n")
        server = self.start(keep, path)
        first = keep(server.connect())
        first.sendall(GET.replace(b"Connection: close\r\n", b""))
        assert read_response(first)[0] == 200
        second = keep(server.connect())
        second.sendall(GET)
        second.settimeout(0.2)
        with pytest.raises(TimeoutError):
            second.recv(1)
        second.settimeout(PATIENCE)
        path.write_text("sleep = 0\nmax-connections = 2\n")
        server.signal(signal.SIGHUP)
        assert parse_response(read_all(second))[0] == 200

    def test_the_log_level_can_change(self, keep, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("log-level = error\n")
        server = keep(AsyncServer("--config", path, "--sleep", 0))
        path.write_text("log-level = info\n")
        server.signal(signal.SIGHUP)
        server.wait_log("Read .* again")

    def test_what_goes_with_the_file_but_not_with_what_runs_is_refused(self, keep, tmp_path):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\nmax-sleep = 1\nloops = 2\nmax-connections = 2\n")
        server = self.start(keep, path)
        for text, message in [
            # The limit needs a restart, so the sleep that needs the limit must wait as well.
            ("sleep = 5\nmax-sleep = 10\nloops = 2\nmax-connections = 2\nmode = threadpool\n",
             "--sleep 5 is above --max-sleep 1"),
            ("sleep = 0\nmax-sleep = 1\nloops = 1\nmax-connections = 1\nmode = threadpool\n",
             "--max-connections 1 is below --loops 2"),
        ]:
            path.write_text(text)
            server.signal(signal.SIGHUP)
            server.wait_log(message)
            assert settings(server, server.admin)["sleep"] == 0
            assert settings(server, server.admin)["mode"] == "async"
        path.write_text("sleep = 1\nmax-sleep = 1\nloops = 2\nmax-connections = 2\n")
        server.signal(signal.SIGHUP)
        self.wait_settings(server, "sleep", 1)

    @pytest.mark.parametrize("loops", [1, 2])
    def test_a_hundred_of_them_leave_nothing_open(self, keep, tmp_path, loops):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0\n")
        errors = tmp_path / "errors"
        server = keep(AsyncServer("--config", path, "--loops", loops, "--access-logfile", tmp_path / "access",
                                  "--error-logfile", errors))
        assert server.get("/")[0] == 200

        def hang_up(times):
            for _ in range(times):
                before = errors.read_text().count(" again: ")
                server.signal(signal.SIGHUP)
                wait_until(lambda: errors.read_text().count(" again: ") > before, "a reload")
            for _ in range(4 * loops):
                assert server.get("/")[0] == 200

        def open_fds():
            tasks = os.listdir(f"/proc/{server.pid}/task")
            return sum(len(os.listdir(f"/proc/{server.pid}/task/{task}/fd")) for task in tasks)

        hang_up(1)
        before = open_fds()
        hang_up(100)
        wait_until(lambda: open_fds() <= before, "no more descriptors than before")

    @pytest.mark.parametrize("loops", [1, 2])
    def test_logs_that_cannot_be_opened_go_on_as_they_were(self, keep, tmp_path, loops):
        logs, moved = tmp_path / "logs", tmp_path / "moved"
        logs.mkdir()
        server = keep(AsyncServer("--sleep", 0, "--loops", loops, "--access-logfile", logs / "access",
                                  "--error-logfile", logs / "errors"))
        logs.rename(moved)
        server.signal(signal.SIGHUP)
        wait_until(lambda: "Cannot open the error log again" in (moved / "errors").read_text(), "why")
        wait_until(lambda: (moved / "errors").read_text().count("Cannot open the access log again") == loops, "why")
        assert server.get("/")[0] == 200
        wait_until(lambda: "GET / HTTP" in (moved / "access").read_text(), "the request")
        logs.mkdir()
        server.signal(signal.SIGHUP)

        def line():
            assert server.get("/")[0] == 200
            return (logs / "access").exists() and "GET / HTTP" in (logs / "access").read_text()

        wait_until(line, "requests in the new log")

    def test_without_anything_to_read_it_is_as_term(self, keep):
        server = keep(AsyncServer("--sleep", 0.5, "--admin", "127.0.0.1:0"))
        peer = keep(server.connect())
        peer.sendall(GET)
        admin = server.admin_port()
        wait_until(lambda: b"\nloopfork_sleeping 1" in server.get("/metrics", port=admin)[2], "a sleep")
        server.signal(signal.SIGHUP)
        server.wait_log(r"Stopping \(SIGHUP\)")
        # A terminal that is closed sends it twice: from the kernel, and from the shell. INT and TERM alone are impatience.
        server.signal(signal.SIGHUP)
        assert parse_response(read_all(peer))[0] == 200
        assert server.wait() == 0
        server.wait_log("Stopped")

    @pytest.mark.parametrize("loops", [1, 2])
    def test_logs_are_opened_again(self, keep, tmp_path, loops):
        access, errors = tmp_path / "access.log", tmp_path / "error.log"
        server = keep(AsyncServer("--sleep", 0, "--loops", loops, "--access-logfile", access,
                                  "--error-logfile", errors))

        def access_lines(path):
            return path.read_text().count("GET / HTTP") if path.exists() else 0

        assert server.get("/")[0] == 200
        wait_until(lambda: access_lines(access) == 1, "a line in the access log")
        os.rename(access, tmp_path / "access.1")
        os.rename(errors, tmp_path / "error.1")
        server.signal(signal.SIGHUP)

        # Each loop opens its log when it hears of the signal: until then a request is told in the old file.
        def new_lines():
            assert server.get("/")[0] == 200
            return access_lines(access) > 3

        wait_until(new_lines, "lines in the new access log")
        assert server.stop() == 0
        assert "Stopped" in errors.read_text()
        assert "Stopped" not in (tmp_path / "error.1").read_text()

    @pytest.mark.parametrize("loops", [1, 2])
    def test_no_thread_keeps_the_old_error_log(self, keep, tmp_path, loops):
        # Whoever does would keep the space of a log that has been rotated away and removed.
        errors = tmp_path / "errors"
        server = keep(AsyncServer("--sleep", 0, "--loops", loops, "--error-logfile", errors, "--admin", f"unix:{tmp_path}/admin"))
        os.rename(errors, tmp_path / "errors.1")
        server.signal(signal.SIGHUP)

        def is_open(path):
            try:
                return os.readlink(path) == f"{tmp_path}/errors.1"
            except FileNotFoundError:  # closed meanwhile
                return False

        def holders():
            ask(f"{tmp_path}/admin", b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")  # the admin thread sleeps till then
            tasks = [f"/proc/{server.pid}/task/{task}/fd" for task in os.listdir(f"/proc/{server.pid}/task")]
            return [fd for task in tasks for fd in os.listdir(task) if is_open(f"{task}/{fd}")]

        wait_until(lambda: not holders(), "all threads in the new log")

    @pytest.mark.parametrize("loops", [1, 2])
    def test_a_log_that_is_a_pipe_without_a_reader_holds_nobody_up(self, keep, tmp_path, loops):
        pipes = [tmp_path / "access", tmp_path / "errors"]
        for pipe in pipes:
            os.mkfifo(pipe)
        readers = [os.open(pipe, os.O_RDONLY | os.O_NONBLOCK) for pipe in pipes]
        server = keep(AsyncServer("--sleep", 0, "--loops", loops, "--access-logfile", pipes[0], "--error-logfile", pipes[1],
                                  "--admin", f"unix:{tmp_path}/admin"))
        for reader in readers:
            os.set_blocking(reader, True)
        assert server.get("/")[0] == 200
        assert b"GET / HTTP/1.1" in os.read(readers[0], 65536)
        assert b"Admin on" in os.read(readers[1], 65536)
        for reader in readers:
            os.close(reader)
        for _ in range(3):
            server.signal(signal.SIGHUP)
            for _ in range(4 * loops):
                assert server.get("/?sleep=0.2&mode=blocking")[0] == 200  # which wants a line in both logs
        ask(f"{tmp_path}/admin", b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0

    @pytest.mark.parametrize("loops", [1, 2])
    def test_requests_in_flight_are_answered(self, keep, tmp_path, loops):
        path = tmp_path / "server.ini"
        path.write_text("sleep = 0.5\n")
        server = self.start(keep, path, "--loops", loops)
        peers = [keep(server.connect()) for _ in range(20)]
        for peer in peers:
            peer.sendall(GET)
        path.write_text("sleep = 0\nkeep-alive = 1\n")
        for _ in range(5):
            server.signal(signal.SIGHUP)
        self.wait_settings(server, "sleep", 0)
        for peer in peers:
            assert parse_response(read_all(peer))[0] == 200


class TestRefusedStart:
    """What cannot start says why in one line, and leaves nothing behind."""

    @pytest.mark.parametrize("loops", [1, 2])
    def test_no_socket_stays(self, tmp_path, loops):
        command = [BIN / "async_server", "--loops", str(loops), "--bind", f"unix:{tmp_path}/http", "--admin", f"unix:{tmp_path}/admin"]
        status, text = refusal([*command, "--access-logfile", "/nowhere/access"])
        assert (status, text) == (1, "async_server: --access-logfile /nowhere/access: No such file or directory\n")
        assert os.listdir(tmp_path) == []

    @pytest.mark.parametrize("loops", [1, 3])
    def test_too_few_descriptors(self, tmp_path, loops):
        if re.search(rb"lib[at]san", (BIN / "async_server").read_bytes()):
            pytest.skip("the sanitizer needs descriptors itself")
        started = 0
        for count in range(4, 44):
            path = tmp_path / "log"
            with open(path, "wb") as log:
                process = subprocess.Popen(
                    [BIN / "async_server", "--loops", str(loops), "--bind", "127.0.0.1:0", "--admin", f"unix:{tmp_path}/admin",
                     "--access-logfile", tmp_path / "access"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count)))
            try:
                wait_until(lambda: process.poll() is not None or "Running on" in path.read_text(), "an end, or a server")
                if process.poll() is None:
                    started += 1
                    process.terminate()
                    assert process.wait(PATIENCE) == 0
                    assert "The admin address stopped" not in path.read_text()
                else:
                    # 127: the dynamic linker's; it needs descriptors, too.
                    assert process.returncode in (1, 127), (count, path.read_text())
                    assert path.read_text().count("\n") == 1
                assert not (tmp_path / "admin").exists()
            finally:
                process.kill()
                process.wait()
        assert 0 < started < 40

    @pytest.mark.parametrize("option", ["--access-logfile", "--error-logfile"])
    def test_a_log_that_is_a_pipe_without_a_reader(self, tmp_path, option):
        os.mkfifo(tmp_path / "log")
        status, text = refusal([BIN / "async_server", "--bind", "127.0.0.1:0", option, tmp_path / "log"])
        assert (status, text) == (1, f"async_server: {option} {tmp_path}/log: No such device or address\n")
