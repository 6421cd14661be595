"""prefork_server's USR2: a new arbiter beside the old one, on the same sockets."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from prefork import PROGRAM, asleep, is_alive, send, status_of, workers
from servers import PATIENCE, PreforkServer, parent_of, wait_until
from test_prefork_stop import Senders


class Upgradable(PreforkServer):
    """A server whose later arbiters, which outlive the first one, are ended with it."""

    def arbiters(self):
        """All that have begun to listen, in this order."""
        return [int(pid) for pid in re.findall(r"Listening at: \S+ \((\d+)\)", self.log())]

    def upgrade(self):
        """Starts the next arbiter. Returns its pid."""
        count = len(self.arbiters())
        os.kill([pid for pid in self.arbiters() if is_alive(pid)][-1], signal.SIGUSR2)
        wait_until(lambda: len(self.arbiters()) > count, "the next arbiter")
        pid = self.arbiters()[-1]
        self.wait_log(rf"\[{pid}\] \[INFO\] Using worker")
        wait_until(lambda: self.children_that_serve(pid), "its workers")
        return pid

    def children_that_serve(self, pid):
        booted = map(int, re.findall(r"Booting worker with pid: (\d+)", self.log()))
        return [child for child in booted if parent_of(child) == pid]

    def wait_end(self, pid):
        """Waits until PID, which need not be a child of ours, has ended."""
        if pid == self.pid:
            return self.wait()
        wait_until(lambda: not is_alive(pid), f"the end of {pid}")

    def stop(self):
        others = [pid for pid in self.arbiters() if pid != self.pid]
        status = super().stop()
        for pid in others:
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(pid), "the end of the other arbiter")
        return status


@pytest.fixture
def start():
    running = []

    def start_one(*arguments, **more):
        running.append(Upgradable(*arguments, **more))
        return running[-1]

    yield start_one
    for server in running:
        server.stop()


def test_the_new_one_takes_over(start, tmp_path):
    pid_file, second = tmp_path / "pid", tmp_path / "pid.2"
    server = start("--workers", 2, "--sleep", 0, "--pid", pid_file)
    new = server.upgrade()
    assert pid_file.read_text() == f"{server.pid}\n" and second.read_text() == f"{new}\n"
    assert len(workers(server, 2)) == 2  # the old ones stay
    os.kill(new, signal.SIGHUP)
    server.wait_log("Hang up: Master.2")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    wait_until(lambda: f"[{new}] [INFO] Master has been promoted." in server.log(), "promotion")
    wait_until(lambda: not second.exists(), "the pid file's new name")
    assert pid_file.read_text() == f"{new}\n"
    assert server.get()[0] == 200
    os.kill(new, signal.SIGHUP)
    wait_until(lambda: re.search(r"Hang up: Master\n", server.log()), "the name")
    os.kill(new, signal.SIGTERM)
    server.wait_end(new)
    assert not pid_file.exists()
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert not re.search(r"ERROR|WARNING|CRITICAL", server.log())


@pytest.mark.parametrize("threads", [1, 3])
def test_nobody_is_lost(start, threads):
    server = start("--workers", 2, "--threads", threads, "--sleep", 0.002)
    old = server.pid
    with Senders((server.host, server.port), ends=False) as senders:
        for _ in range(4):
            senders.wait(20)
            new = server.upgrade()
            senders.wait(20)
            os.kill(old, signal.SIGTERM)
            server.wait_end(old)
            wait_until(lambda: f"[{new}] [INFO] Master has been promoted." in server.log(), "promotion")
            old = new
        senders.wait(20)
    assert senders.lost == []


def test_nobody_is_lost_when_the_new_one_is_taken_back(start):
    server = start("--workers", 2, "--sleep", 0.002)
    with Senders((server.host, server.port), ends=False) as senders:
        for _ in range(3):
            new = server.upgrade()
            senders.wait(20)
            os.kill(new, signal.SIGTERM)
            server.wait_log(rf"The other arbiter \(pid:{new}\) has ended; this one goes on")
            senders.wait(20)
    assert senders.lost == []
    assert server.get()[0] == 200


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_unix_socket_outlives_the_one_that_goes_first(start, tmp_path, first):
    path = tmp_path / "socket"
    server = start("--sleep", 0, bind=f"unix:{path}")
    new = server.upgrade()
    order = [server.pid, new] if first == "old" else [new, server.pid]
    os.kill(order[0], signal.SIGTERM)
    server.wait_end(order[0])
    with Senders(str(path), count=2, ends=False, family=socket.AF_UNIX) as senders:
        senders.wait(5)
    assert senders.lost == []
    if first == "old":
        wait_until(lambda: "Master has been promoted" in server.log(), "promotion")
    os.kill(order[1], signal.SIGTERM)
    server.wait_end(order[1])
    assert not path.exists()


def test_one_upgrade_at_a_time(start):
    server = start("--sleep", 0)
    new = server.upgrade()
    server.signal(signal.SIGUSR2)
    server.wait_log(r"USR2 signal ignored\. Child exists\.")
    os.kill(new, signal.SIGUSR2)
    server.wait_log(rf"\[{new}\] \[WARNING\] USR2 signal ignored\. Parent exists\.")
    os.kill(new, signal.SIGQUIT)
    server.wait_log("this one goes on")
    assert is_alive(server.upgrade())


def test_a_program_that_is_gone_changes_nothing(start, tmp_path):
    program = tmp_path / "prefork_server"
    shutil.copy(PROGRAM, program)

    class Copied(Upgradable):
        command = [str(program)]

    with Copied("--sleep", 0, "--admin", "127.0.0.1:0") as server:
        (worker,) = workers(server, 1)
        program.unlink()
        server.signal(signal.SIGUSR2)
        server.wait_log(rf"Cannot start {program} in .*: No such file or directory")
        server.wait_log("this one goes on")
        assert workers(server, 1) == [worker]
        assert server.get()[0] == 200
        assert server.get("/healthz", port=server.admin_port())[0] == 200


def test_a_program_that_was_cut_short_is_no_script(tmp_path):
    program = tmp_path / "prefork_server"
    shutil.copy(PROGRAM, program)

    class Copied(Upgradable):
        command = [str(program)]

    class Found(Upgradable):
        command = [program.name]

    path = f"{tmp_path}/missing:{program}:{tmp_path}:{os.environ['PATH']}"
    for kind, more in ((Copied, {}), (Found, {"env": {"PATH": path}})):
        shutil.copy(PROGRAM, program)
        with kind("--sleep", 0, **more) as server:
            assert is_alive(server.upgrade())
            os.kill(server.arbiters()[1], signal.SIGTERM)
            server.wait_log("has ended; this one goes on")
            program.unlink()
            program.write_text(f"touch {tmp_path}/ran\n")
            program.chmod(0o755)
            server.signal(signal.SIGUSR2)
            server.wait_log(rf"Cannot start {kind.command[0]} in .*: Exec format error")
            server.wait_log(r"\[ERROR\] The other arbiter \(pid:\d+\) failed with exit status 127; this one goes on")
            assert server.get()[0] == 200
            program.unlink()
    assert not (tmp_path / "ran").exists()


def test_a_new_one_that_is_killed_leaves_no_pid_file(start, tmp_path):
    server = start("--sleep", 0, "--pid", tmp_path / "pid")
    new = server.upgrade()
    assert (tmp_path / "pid.2").exists()
    os.kill(new, signal.SIGKILL)
    server.wait_log(rf"\[ERROR\] The other arbiter \(pid:{new}\) was killed by SIGKILL; this one goes on")
    wait_until(lambda: not (tmp_path / "pid.2").exists(), "the end of the second pid file")
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"
    assert server.get()[0] == 200


def test_a_new_one_that_cannot_start_changes_nothing(start, tmp_path):
    config = tmp_path / "config"
    config.write_text("workers = 1\n")
    server = start("--config", config, "--sleep", 0, "--admin", "127.0.0.1:0", "--pid", tmp_path / "pid")
    config.write_text("workers = many\n")
    server.signal(signal.SIGUSR2)
    server.wait_log("config:1: ")
    server.wait_log("this one goes on")
    assert server.get()[0] == 200
    assert server.get("/healthz", port=server.admin_port())[0] == 200
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n" and not (tmp_path / "pid.2").exists()


def test_a_fork_that_fails_changes_nothing(start, tmp_path):
    source, library = tmp_path / "refuses.c", tmp_path / "refuses.so"
    source.write_text("""
#include <errno.h>
#include <unistd.h>

/* The first child is the worker; there is room for no other. */
pid_t
fork(void)
{
	extern pid_t _Fork(void);
	static int count;

	if (count++ == 0)
		return _Fork();
	errno = EAGAIN;
	return -1;
}
""")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    options = os.environ.get("ASAN_OPTIONS", "")
    server = start("--sleep", 0, env={"LD_PRELOAD": str(library),
                                      "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".lstrip(":")})
    workers(server, 1)
    server.signal(signal.SIGUSR2)
    server.wait_log("Cannot start another arbiter: Resource temporarily unavailable")
    assert server.get()[0] == 200


def test_it_starts_where_the_old_one_was_started(tmp_path):
    """By the name of the directory: a symbolic link may lead to a new release by now."""
    releases = [tmp_path / "one", tmp_path / "two"]
    for number, release in enumerate(releases):
        release.mkdir()
        (release / "prefork_server").symlink_to(PROGRAM)
        (release / "config").write_text(f"workers = {number + 1}\nsleep = 0\n")
    current = tmp_path / "current"
    current.symlink_to(releases[0])

    class Relative(Upgradable):
        command = ["sh", "-c", f'cd {current} && exec ./prefork_server "$@"', "sh"]

    with Relative("--config", "config") as server:
        workers(server, 1)
        current.unlink()
        current.symlink_to(releases[1])
        new = server.upgrade()
        wait_until(lambda: len(server.children_that_serve(new)) == 2, "the workers of the new release")


def test_the_admin_address_is_answered_by_the_new_one_alone(start):
    server = start("--workers", 1, "--sleep", 0, "--admin", "127.0.0.1:0")
    port = server.admin_port()
    assert server.get("/settings", method="PUT", body=b"sleep=0.1", port=port)[0] == 200
    new = server.upgrade()
    answers = {server.get("/settings", port=port)[2] for _ in range(10)}
    assert len(answers) == 1 and b'"sleep": 0,' in answers.pop()  # the new one's own
    os.kill(new, signal.SIGTERM)
    server.wait_log("this one goes on")
    assert b'"sleep": 0.1' in server.get("/settings", port=port)[2]


def test_the_admin_address_outlives_the_old_one(start):
    server = start("--sleep", 0, "--admin", "127.0.0.1:0")
    port = server.admin_port()
    new = server.upgrade()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert server.get("/healthz", port=port)[0] == 200
    os.kill(new, signal.SIGTERM)
    server.wait_end(new)
    with pytest.raises(ConnectionRefusedError):
        server.get("/healthz", port=port)


def test_as_many_addresses_as_there_can_be_and_the_admin_address(start):
    server = start("--sleep", 0, "--admin", "127.0.0.1:0", bind=",".join(["127.0.0.1:0"] * 16))
    server.upgrade()
    assert server.get("/healthz", port=server.admin_port())[0] == 200
    lines = re.findall(r"Listening at: (\S+) ", server.log())
    assert lines[0].count("http") == 16 and lines == [lines[0]] * 2


def test_who_waits_at_the_end_of_the_old_one_is_served_by_the_new_one(start):
    server = start("--workers", 1, "--sleep", 0.7, "--admin", "127.0.0.1:0")
    first = send(server)
    asleep(server)
    server.upgrade()
    peers = [send(server) for _ in range(3)]
    server.signal(signal.SIGTERM)
    assert [status_of(peer) for peer in [first, *peers]] == [200] * 4
    assert server.wait() == 0


def test_an_old_one_that_is_killed_leaves_a_master(start, tmp_path):
    pid_file = tmp_path / "pid"
    server = start("--sleep", 0, "--pid", pid_file)
    new = server.upgrade()
    server.signal(signal.SIGKILL)
    server.wait()
    wait_until(lambda: "Master has been promoted." in server.log(), "promotion")
    wait_until(lambda: pid_file.read_text() == f"{new}\n", "the pid file")
    assert server.get()[0] == 200


def test_a_pid_file_that_cannot_be_moved_keeps_its_name(start, tmp_path):
    pid_file, second = tmp_path / "pid", tmp_path / "pid.2"
    server = start("--sleep", 0, "--pid", pid_file)
    new = server.upgrade()
    pid_file.write_text("somebody's notes\n")
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    wait_until(lambda: f"The pid file stays {second}: " in server.log(), "the message")
    assert second.read_text() == f"{new}\n"
    os.kill(new, signal.SIGTERM)
    server.wait_end(new)
    assert not second.exists() and pid_file.read_text() == "somebody's notes\n"


def listening():
    one = socket.create_server(("127.0.0.1", 0))
    one.set_inheritable(True)
    return one


@pytest.mark.parametrize("fds, message", [
    (None, "$GUNICORN_PID is set, but not $GUNICORN_FD"),
    ("", "must be numbers of descriptors"),
    ("x", "must be numbers of descriptors"),
    ("0", "must be numbers of descriptors"),
    ("-3", "must be numbers of descriptors"),
    ("2", "must be numbers of descriptors"),
    ("{0},", "must be numbers of descriptors"),
    ("{0};{0}", "must be numbers of descriptors"),
    ("99999999999999999999", "must be numbers of descriptors"),
    ("{0},{0}", "named twice"),
    ("999", "not open"),
    ("{1}", "does not listen"),
    ("{2}", "not a socket"),
    (",".join(["{0}"] * 2 + ["999"] * 20), "named twice"),
])
def test_the_environment_is_not_trusted(fds, message):
    with listening() as good, socket.socket() as deaf, open("/dev/null") as file:
        os.set_inheritable(deaf.fileno(), True)
        os.set_inheritable(file.fileno(), True)
        env = dict(os.environ, GUNICORN_PID=str(os.getpid()))
        if fds is not None:
            env["GUNICORN_FD"] = fds.format(good.fileno(), deaf.fileno(), file.fileno())
        result = subprocess.run([PROGRAM], env=env, capture_output=True, text=True, timeout=PATIENCE, close_fds=False)
    assert result.returncode == 1 and message in result.stderr, result
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("pid", ["", "x", "0", "-1", "1x", "99999999999999"])
def test_a_parent_that_is_no_pid_is_refused(pid):
    result = subprocess.run([PROGRAM], env=dict(os.environ, GUNICORN_PID=pid), capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1 and result.stderr.count("\n") == 1 and "$GUNICORN_PID" in result.stderr


@pytest.mark.parametrize("admin, message", [("999", "not open"), ("{0}", "named twice"), ("x", "must be the number")])
def test_the_admin_descriptor_is_not_trusted_either(admin, message):
    with listening() as good:
        number = good.fileno()
        result = subprocess.run([PROGRAM, "--admin", "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE,
                                close_fds=False, env=dict(os.environ, GUNICORN_PID=str(os.getpid()), GUNICORN_FD=str(number),
                                                          LOOPFORK_ADMIN_FD=admin.format(number)))
    assert result.returncode == 1 and message in result.stderr, result
