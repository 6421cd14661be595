"""prefork_server's start: options, the pid file, where it listens, what it was started with."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from prefork import GET, PROGRAM, asleep, children_of, run, send, start, status_of, workers
from servers import PATIENCE, ROOT, parse_response, read_all, wait_until


def test_the_first_lines(start):
    server = start("--workers", 2, "--admin", "127.0.0.1:0")
    first, second = workers(server, 2)
    text = server.log()
    assert f"[{server.pid}] [INFO] Starting prefork_server 0.1.0\n" in text
    assert f"[{server.pid}] [INFO] Listening at: http://127.0.0.1:{server.port} ({server.pid})\n" in text
    assert f"[{server.pid}] [INFO] Using worker: sync\n" in text
    assert f"[{server.pid}] [INFO] Admin at: http://127.0.0.1:{server.admin_port()}\n" in text
    assert f"[{first}] [INFO] Booting worker with pid: {first}\n" in text
    assert f"[{second}] [INFO] Booting worker with pid: {second}\n" in text
    assert text.count("Booting worker") == 2


@pytest.mark.parametrize("arguments, names", [
    (["--nonsense"], ["--nonsense"]),
    (["--workers", "0"], ["--workers", "1 to 1024"]),
    (["--workers", "2x"], ["--workers", "2x"]),
    (["-w"], ["-w"]),
    (["--worker-class", "gevent"], ["--worker-class", "gevent", "sync"]),
    (["--backlog", "0"], ["--backlog"]),
    (["--sleep", "-1"], ["--sleep", "-1"]),
    (["--sleep", "61"], ["--sleep", "--max-sleep"]),
    (["--cpu", "5ms"], ["--cpu", "5ms", "milliseconds"]),
    (["--cpu", "20000"], ["--cpu", "--max-cpu"]),
    (["--cpu", "3600001", "--max-cpu", "3600000"], ["--cpu", "3600000"]),
    (["--blocking-share", "1"], ["--blocking-share"]),
    (["--timeout", "soon"], ["--timeout", "soon"]),
    (["--limit-request-fields", "32769"], ["--limit-request-fields", "32768"]),
    (["--log-level", "loud"], ["--log-level", "debug|info|warning|error|critical"]),
    (["--bind", "nowhere"], ["--bind", "nowhere"]),
    (["--bind", "127.0.0.1:99999"], ["--bind", "99999"]),
    (["--bind", "127.0.0.1:0", "--admin", "x:y"], ["--admin", "x:y"]),
    (["app:application"], ["app:application"]),
])
def test_wrong_options_get_one_line_and_status_2(arguments, names):
    done = run(*arguments)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("prefork_server: ")
    for name in names:
        assert name in done.stderr


def test_a_port_in_use(start):
    server = start()
    done = run("--bind", f"127.0.0.1:{server.port}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "in use" in done.stderr
    assert server.get()[0] == 200


@pytest.mark.parametrize("option", ["--error-logfile", "--log-file", "--access-logfile", "--pid"])
def test_a_file_that_cannot_be_written(option, tmp_path):
    done = run("--bind", "127.0.0.1:0", option, tmp_path / "nowhere" / "file")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and str(tmp_path / "nowhere" / "file") in done.stderr


def test_web_concurrency(start):
    workers(start(env={"WEB_CONCURRENCY": "3"}), 3)
    workers(start("-w", 2, env={"WEB_CONCURRENCY": "3"}), 2)


@pytest.mark.parametrize("value", ["", "0", "many", "2.5", "1025"])
def test_a_wrong_web_concurrency_is_named(value):
    done = run("--bind", "127.0.0.1:0", env=dict(os.environ, WEB_CONCURRENCY=value))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "WEB_CONCURRENCY" in done.stderr
    assert ('workers = "":' if value == "" else f"workers = {value}:") in done.stderr


def test_the_pid_file(start, tmp_path):
    path = tmp_path / "pid"
    path.write_text("precious\n")
    done = run("--bind", "127.0.0.1:0", "-p", path)
    assert done.returncode == 1 and "no pid file" in done.stderr and path.read_text() == "precious\n"
    path.write_text("99999999\n")  # stale: no such process
    server = start("--pid", path)
    assert path.read_text() == f"{server.pid}\n"
    done = run("--bind", "127.0.0.1:0", "-p", path)
    assert done.returncode == 1 and f"already running on PID {server.pid}" in done.stderr
    assert path.read_text() == f"{server.pid}\n"
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_signal_at_the_start_leaves_no_pid_file(tmp_path):
    """Wherever TERM meets it: as soon as the file is there, the arbiter takes the signal and removes it."""
    path = tmp_path / "pid"
    for _ in range(20):
        process = subprocess.Popen([PROGRAM, "--bind", "127.0.0.1:0", "--pid", path], stderr=subprocess.DEVNULL)
        try:
            end = time.monotonic() + PATIENCE
            while not path.exists():
                assert process.poll() is None and time.monotonic() < end
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
        assert list(tmp_path.iterdir()) == []


def test_a_log_that_nobody_reads_is_refused(tmp_path):
    """To wait for a reader of a FIFO would be a start, or later a worker, that hangs."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    done = subprocess.run([PROGRAM, "--bind", "127.0.0.1:0", "--pid", tmp_path / "pid", "--log-file", fifo], timeout=PATIENCE,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and str(fifo) in done.stderr and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [fifo]


def test_a_unix_socket(start, tmp_path):
    path = tmp_path / "socket"
    server = start("--sleep", 0.2, "--admin", "127.0.0.1:0", bind=f"unix:{path}")
    workers(server, 1)

    def ask():
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(PATIENCE)
        peer.connect(str(path))
        peer.sendall(GET)
        return peer

    assert status_of(ask()) == 200
    peers = [ask() for _ in range(4)]
    asleep(server)
    server.signal(signal.SIGTERM)
    assert [status_of(peer) for peer in peers] == [200] * 4
    assert server.wait() == 0
    assert not path.exists()


def test_started_with_closed_standard_files_and_ignored_children(tmp_path):
    """Whoever starts us may have closed 0 to 2, and may ignore SIGCHLD: neither is for our children to suffer from."""
    log = tmp_path / "log"

    def prepare():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
        os.closerange(0, 3)

    process = subprocess.Popen([PROGRAM, "--bind", "127.0.0.1:0", "--sleep", "0", "--log-file", log],
                               preexec_fn=prepare)
    try:
        port = wait_until(lambda: log.exists() and (found := re.search(r"Listening at: \S+:(\d+)", log.read_text())) and
                          int(found.group(1)), "the log file")
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
            peer.sendall(GET)
            assert parse_response(read_all(peer))[2] == b"Hello, Anonymous"
        worker = int(re.search(r"Booting worker with pid: (\d+)", log.read_text()).group(1))
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: f"Worker (pid:{worker}) was sent SIGKILL!" in log.read_text(), "the worker's end in the log")
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def test_as_pid_1(tmp_path):
    """In a container the arbiter is PID 1: signals without a handler do not reach it, and orphans become its own."""
    log = tmp_path / "log"
    enter = ["unshare", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        enter += ["--user", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*enter, "true"], capture_output=True).returncode != 0:
        pytest.skip("no new PID namespace here")
    process = subprocess.Popen([*enter, PROGRAM, "--bind", "127.0.0.1:0", "--sleep", "0", "--log-file", log])
    try:
        listening = r"Listening at: \S+:(\d+) \(1\)"
        port = int(wait_until(lambda: log.exists() and re.search(listening, log.read_text()), "PID 1").group(1))
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
            peer.sendall(GET)
            assert parse_response(read_all(peer))[0] == 200
        (arbiter,) = children_of(process.pid)
        os.kill(arbiter, signal.SIGTTIN)
        wait_until(lambda: log.read_text().count("Booting worker") == 2, "a second worker")
        os.kill(arbiter, signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Shutting down: Master" in log.read_text()
    finally:
        process.kill()
        process.wait()


def test_many_workers_start_and_end(start):
    server = start("--workers", 64, "--sleep", 0)
    assert len(workers(server, 64)) == 64
    peers = [send(server) for _ in range(128)]
    assert [status_of(peer) for peer in peers] == [200] * 128
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


def test_no_path_of_the_project_is_needed(start, tmp_path):
    """It serves from any folder, and leaves nothing there."""
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        server = start("--sleep", 0)
    finally:
        os.chdir(before)
    assert server.get()[0] == 200
    assert list(tmp_path.iterdir()) == [] and ROOT.exists()
