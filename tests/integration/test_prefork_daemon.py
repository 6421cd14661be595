"""prefork_server in the background: --daemon, SIGWINCH, and as PID 1."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from prefork import GET, PROGRAM, is_alive, start
from servers import PATIENCE, parent_of, parse_response, read_all, wait_until


class Daemon:
    """A server in the background: `result` is what whoever started it saw."""

    def __init__(self, folder, *arguments, bind="127.0.0.1:0", **more):
        self.error, self.pid_file = folder / "error", folder / "pid"
        self.result = subprocess.run([PROGRAM, "--daemon", "--bind", bind, "--pid", self.pid_file, "--error-logfile", self.error,
                                      *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE,
                                     stdin=subprocess.DEVNULL, **more)
        self.pid = int(self.pid_file.read_text()) if self.result.returncode == 0 else None

    def log(self):
        return self.error.read_text() if self.error.exists() else ""

    def wait_log(self, pattern, count=1):
        return wait_until(lambda: len(found := list(re.finditer(pattern, self.log()))) >= count and found[-1], pattern)

    def workers(self, count):
        def look():
            booted = map(int, re.findall(r"Booting worker with pid: (\d+)", self.log()))
            return [pid for pid in booted if parent_of(pid) == self.pid]

        wait_until(lambda: len(look()) == count, f"{count} workers")
        return look()

    def get(self):
        port = int(self.wait_log(r"Listening at: http://\S+:(\d+)").group(1))
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
            peer.sendall(GET)
            return parse_response(read_all(peer))[0]

    def stop(self):
        if self.pid is not None and is_alive(self.pid):
            os.kill(self.pid, signal.SIGTERM)
            wait_until(lambda: not is_alive(self.pid), "the end of the daemon")


@pytest.fixture
def daemon(tmp_path):
    running = []

    def start_one(*arguments, **more):
        running.append(Daemon(tmp_path, *arguments, **more))
        return running[-1]

    yield start_one
    for server in running:
        server.stop()


def stat_of(pid):
    """Parent, group, session and terminal."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return [int(field) for field in fields[1:5]]


def test_it_serves_in_the_background(daemon):
    server = daemon("--sleep", 0)
    assert server.result.returncode == 0 and server.result.stdout == "" and server.result.stderr == ""
    assert server.get() == 200  # it was ready when its starter ended
    parent, group, session, terminal = stat_of(server.pid)
    assert parent != os.getpid() and terminal == 0
    assert session != os.getsid(0) and session != server.pid  # leads no session, so it gets no terminal
    for number in range(3):
        assert os.readlink(f"/proc/{server.pid}/fd/{number}") == "/dev/null"
    umask = re.search(r"Umask:\s+(\d+)", pathlib.Path(f"/proc/{server.pid}/status").read_text()).group(1)
    assert int(umask, 8) == 0o22
    server.stop()
    assert not server.pid_file.exists()
    assert "Shutting down: Master" in server.log()


def test_a_umask_of_its_own(daemon):
    server = daemon("--sleep", 0, "--umask", 77)
    umask = re.search(r"Umask:\s+(\d+)", pathlib.Path(f"/proc/{server.pid}/status").read_text()).group(1)
    assert int(umask, 8) == 0o77
    assert server.error.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("arguments, status, message", [
    (["--bind", "127.0.0.1:http"], 2, "not an address"),
    (["--access-logfile", "/nonexistent/log"], 1, "/nonexistent/log"),
    (["--pid", "/nonexistent/pid"], 1, "/nonexistent/pid"),
    (["--workers", "0"], 2, "--workers"),
])
def test_a_start_that_fails_is_told(daemon, arguments, status, message):
    server = daemon(*arguments)
    assert server.result.returncode == status and message in server.result.stderr
    assert server.result.stderr.count("\n") == 1


def test_an_address_in_use_is_told(daemon):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = daemon(bind=f"127.0.0.1:{taken.getsockname()[1]}")
    assert server.result.returncode == 1 and "in use" in server.result.stderr


def library(folder, source):
    """Compiles SOURCE. Returns the environment that preloads it."""
    (folder / "preload.c").write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "preload.so", folder / "preload.c"], check=True)
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": str(folder / "preload.so"), "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".lstrip(":")}


FORK = """
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* The fork number $FORK_FAILS, counted along a line of descent, fails. */
pid_t
fork(void)
{
	extern pid_t _Fork(void);
	static int count;

	if (++count != atoi(getenv("FORK_FAILS")))
		return _Fork();
	errno = EAGAIN;
	return -1;
}

/* Where $START_KILLS is set, it dies as it starts. */
int
setsid(void)
{
	if (getenv("START_KILLS") != NULL)
		abort();
	return 0;
}
"""


@pytest.mark.parametrize("which, message", [(1, "--daemon: Resource temporarily unavailable"),
                                            (2, "the daemon ended before it could serve")])
def test_a_fork_that_fails_is_told(daemon, tmp_path, which, message):
    env = dict(os.environ, FORK_FAILS=str(which), **library(tmp_path, FORK))
    server = daemon(env=env)
    assert server.result.returncode == 1 and message in server.result.stderr


def test_a_daemon_that_dies_at_once_is_told(daemon, tmp_path):
    env = dict(os.environ, FORK_FAILS="0", START_KILLS="1", **library(tmp_path, FORK))
    server = daemon(env=env)
    assert server.result.returncode == 1 and "the daemon ended before it could serve" in server.result.stderr


def test_winch_stops_the_workers_of_a_daemon(daemon):
    server = daemon("--sleep", 0, "--workers", 2)
    old = server.workers(2)
    os.kill(server.pid, signal.SIGWINCH)
    server.wait_log("graceful stop of workers")
    server.workers(0)
    time.sleep(0.3)
    server.workers(0)
    os.kill(server.pid, signal.SIGTTIN)
    assert server.workers(1)[0] not in old
    assert server.get() == 200
    os.kill(server.pid, signal.SIGWINCH)
    server.workers(0)
    os.kill(server.pid, signal.SIGHUP)
    server.workers(2)
    assert server.get() == 200
    os.kill(server.pid, signal.SIGWINCH)
    server.workers(0)  # and TERM finds nobody to wait for
    server.stop()
    assert "SIGKILL" not in server.log()


def test_an_upgraded_daemon_stays_one(daemon):
    server = daemon("--sleep", 0)
    old = server.pid
    os.kill(old, signal.SIGUSR2)
    new = int(server.wait_log(r"Listening at: \S+ \((\d+)\)", count=2).group(1))
    os.kill(old, signal.SIGTERM)
    server.wait_log("Master has been promoted.")
    wait_until(lambda: server.pid_file.read_text() == f"{new}\n", "the pid file")
    server.pid = new
    assert server.get() == 200
    server.workers(1)
    os.kill(new, signal.SIGWINCH)
    server.workers(0)


def test_winch_means_nothing_in_the_foreground(start):
    server = start("--sleep", 0, "--log-level", "debug")
    server.signal(signal.SIGWINCH)
    server.wait_log(r"Handling signal: winch\n.*\[DEBUG\] SIGWINCH ignored\. Not daemonized")
    assert server.get()[0] == 200


EXITS = """
#include <unistd.h>
#include <stdlib.h>
#include <sys/prctl.h>

/* What a worker does first. */
int
prctl(int option, ...)
{
	if (option == PR_SET_PDEATHSIG)
		_exit(atoi(getenv("EXIT_STATUS")));
	return 0;
}
"""


@pytest.mark.parametrize("status, reason", [(3, "Worker failed to boot."), (4, "App failed to load.")])
def test_a_worker_that_could_not_begin_ends_the_server(tmp_path, status, reason):
    result = subprocess.run([PROGRAM, "--bind", "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE,
                            env=dict(os.environ, EXIT_STATUS=str(status), **library(tmp_path, EXITS)))
    assert result.returncode == status
    assert f"Worker (pid:" in result.stderr and f"exited with code {status}" in result.stderr
    assert re.search(rf"Shutting down: Master\n.*Reason: {re.escape(reason)}\n$", result.stderr)


def test_as_pid_1_it_reaps_the_orphans_of_others(start, tmp_path):
    enter = ["unshare", "--pid", "--fork", "--kill-child", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
    if shutil.which("unshare") is None or subprocess.run([*enter, "true"], capture_output=True).returncode != 0:
        pytest.skip("no pid namespaces here")
    log = tmp_path / "log"
    inner = f'(sleep 0.2 & sleep 0.2 &) ; exec {PROGRAM} --bind 127.0.0.1:0 --sleep 0 --log-file {log}'
    outer = subprocess.Popen([*enter, "sh", "-c", inner])
    try:
        wait_until(lambda: log.exists() and "Booting worker" in log.read_text(), "the server")

        def children(pid):
            found = []
            for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
                try:
                    name, rest = path.read_text().rsplit(")", 1)
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if int(rest.split()[1]) == pid:
                    found.append((int(path.parent.name), name.split("(", 1)[1]))
            return found

        (server, _), = children(outer.pid)
        wait_until(lambda: [name for _, name in children(server)] == ["prefork_server"], "one worker, and no orphan or zombie")
        os.kill(server, signal.SIGTERM)
        assert outer.wait(PATIENCE) == 0
    finally:
        if outer.poll() is None:
            outer.kill()
            outer.wait()
