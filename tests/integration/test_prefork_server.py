"""prefork_server from the outside: its arbiter and its workers on signals, deaths, slow clients and lack of means."""

import itertools
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from servers import BIN, PATIENCE, ROOT, PreforkServer, Program, parent_of, parse_response, read_all, wait_until

PROGRAM = BIN / "prefork_server"
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


@pytest.fixture
def start():
    """start(*arguments) starts a server; all are stopped at the end of the test."""
    running = []

    def start_one(*arguments, **more):
        running.append(PreforkServer(*arguments, **more))
        return running[-1]

    yield start_one
    for server in running:
        server.stop()


def workers(server, count):
    """Waits until COUNT workers live; returns their pids, oldest first."""
    return wait_until(lambda: len(pids := server.worker_pids()) == count and pids, f"{count} workers")


def children_of(parent):
    """The pids of PARENT's live children."""
    return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*") if parent_of(path.name) == parent]


def is_alive(pid):
    return parent_of(pid) is not None


def send(server, data=GET):
    """A connection on which DATA was sent."""
    peer = server.connect()
    peer.sendall(data)
    return peer


def status_of(peer):
    with peer:
        return parse_response(read_all(peer))[0]


def asleep(server, count=1):
    """Waits until COUNT workers are in the middle of a sleep, as the metrics tell."""
    admin = server.admin_port()

    def sleeping():
        text = server.get("/metrics", port=admin)[2].decode()
        return float(re.search(r"(?m)^loopfork_sleeping (\S+)", text).group(1)) == count

    wait_until(sleeping, f"{count} asleep")


def queue_length(server):
    """Connections that wait to be accepted."""
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == server.port:
            return int(fields[4].split(":")[1], 16)
    return 0


def metric(server, name):
    text = server.get("/metrics", port=server.admin_port())[2].decode()
    return float(re.search(rf"(?m)^{re.escape(name)} (\S+)", text).group(1))


class Load:
    """COUNT clients that each ask again and again; `lost` are the requests that got no answer of 200."""

    def __init__(self, server, count, target="/"):
        self.server, self.target = server, target
        self.done, self.lost, self.stopped = 0, [], False
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopped:
            try:
                status = self.server.get(self.target)[0]
                failure = None if status == 200 else status
            except (OSError, AssertionError) as error:
                failure = repr(error)
            with self.lock:
                self.done += failure is None
                if failure is not None:
                    self.lost.append(failure)

    def wait(self, count):
        wait_until(lambda: self.done >= count, f"{count} answers; lost: {self.lost}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        for thread in self.threads:
            thread.join(PATIENCE)


# Starting


def lines_of(log):
    """The log without what differs from run to run: times, pids, addresses, and the name and version of the program."""
    lines = []
    for line in log.splitlines():
        match = re.fullmatch(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[\d+\] \[(\w+)\] (.*)", line)
        assert match, f"not in gunicorn's form: {line}"
        text = re.sub(r"Starting \S+ \S+", "Starting NAME VERSION", match.group(2))
        text = re.sub(r"http://\S+", "URL", text)
        text = re.sub(r"\(\d+\)", "(PID)", text)
        lines.append((match.group(1), re.sub(r"pid: ?\d+", "pid: PID", text)))
    return lines


STORY = [
    (None, "Booting worker", 1),
    (signal.SIGTTIN, "Booting worker", 2),
    (signal.SIGTTOU, "Worker exiting", 1),
    (signal.SIGHUP, "Booting worker", 3),
    (None, "Worker exiting", 2),
    (signal.SIGTTOU, "Handling signal: ttou", 2),
    (signal.SIGUSR1, "Handling signal: usr1", 1),
    (signal.SIGTERM, "Worker exiting", 3),
]


# gunicorn sends TERM to a worker again and again until it is reaped; it may come when the handlers are gone already.
SECOND_TERM = re.compile(r"Worker with pid: PID was terminated|Worker with pid \d+ was terminated due to signal 15")


def tell_story(program, last):
    """Drives an arbiter by signals; returns its log's lines, in an order that does not depend on the scheduler."""
    for number, text, count in STORY[:-1] + [(last, "Worker exiting", 3)]:
        if number is not None:
            program.signal(number)
        pid = re.search(r"\d+$", program.wait_log(text + r".*", count=count).group().rstrip(")"))
        if text == "Booting worker":
            program.wait_for_worker(int(pid.group()))
    assert program.wait() == 0
    # The processes write their lines at the same time: only each one's own order is certain.
    lines = [line for line in lines_of(program.log()) if not SECOND_TERM.match(line[1])]
    of_workers = [line for line in lines if line[1].startswith(("Booting worker", "Worker exiting"))]
    return sorted(of_workers), [line for line in lines if line not in of_workers]


class RealGunicorn(Program):
    name = "gunicorn"

    def wait_for_worker(self, pid):
        """Until it has handlers of its own, which do not catch HUP: before, it would act as its arbiter on a signal."""

        def has_own_handlers():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            return not int(re.search(r"SigCgt:\s+(\w+)", status).group(1), 16) & 1

        wait_until(has_own_handlers, "gunicorn's worker to start")


class OurGunicorn(PreforkServer):
    def wait_for_worker(self, pid):
        """Nothing to wait for: signals stay blocked until a worker can take them."""


@pytest.mark.skipif(shutil.which("gunicorn") is None, reason="gunicorn is not installed")
@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT], ids=["term", "int", "quit"])
def test_the_log_is_gunicorns(tmp_path, monkeypatch, last):
    with OurGunicorn() as server:
        ours = tell_story(server, last)
    (tmp_path / "app.py").write_text("def application(environ, start_response):\n    raise SystemExit\n")
    monkeypatch.setattr("servers.BIN", pathlib.Path(shutil.which("gunicorn")).parent)
    with RealGunicorn("--bind", "127.0.0.1:0", "--chdir", tmp_path, "app:application") as real:
        theirs = tell_story(real, last)
    assert ours == theirs


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


def run(*arguments, **more):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, **more)


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
    assert done.stderr.count("\n") == 1 and "WEB_CONCURRENCY" in done.stderr and f"workers = {value}:" in done.stderr


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


# Answers


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


def test_a_full_disk_under_the_logs(start):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    server = start("--sleep", 0, "--access-logfile", "/dev/full", "--workers", 2)
    for _ in range(5):
        assert server.get()[0] == 200


# Slow clients


def test_a_header_that_does_not_come(start):
    server = start("--header-timeout", 0.3, "--sleep", 0)
    begin = time.monotonic()
    status, _, body = parse_response(server.exchange(b"GET /half HTTP/1.1\r\nHo"))
    assert status == 408 and time.monotonic() - begin >= 0.3
    server.wait_log(r'\[WARNING\] Request from 127\.0\.0\.1 timed out after \d+(\.\d+)? s: 22 bytes came, '
                    r'"GET /half HTTP/1\.1\\x0d\\x0aHo"')
    assert server.get()[0] == 200


def test_a_header_that_trickles(start):
    """The deadline is for the whole header: progress does not move it."""
    server = start("--header-timeout", 0.5, "--sleep", 0)
    with server.connect() as peer:
        begin = time.monotonic()
        peer.settimeout(0.05)
        answer = b""
        peer.sendall(b"GET / HTTP/1.1\r\nX: ")
        while not answer:
            assert time.monotonic() - begin < PATIENCE
            try:
                peer.sendall(b"x")
                answer = peer.recv(1000)
            except socket.timeout:
                pass
    assert answer.startswith(b"HTTP/1.1 408") and time.monotonic() - begin >= 0.5


def test_a_body_that_does_not_come(start):
    server = start("--body-timeout", 0.3, "--sleep", 0)
    for target in ("/", "/echo"):
        answer = server.exchange(b"GET " + target.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert parse_response(answer)[0] == 408
    cut = server.exchange(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc")
    assert parse_response(cut)[::2] == (200, b"abc")  # fewer than the 5 bytes promised: the client can tell
    server.wait_log("timed out", count=3)


def test_a_client_that_does_not_read(start):
    server = start("--drain-timeout", 0.3, "--sleep", 0)
    with server.connect() as peer:
        peer.settimeout(0.1)
        peer.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            for _ in range(10_000):
                peer.sendall(b"x" * 65536)
        except OSError:
            pass
        server.wait_log(r"127\.0\.0\.1 does not read its answer: cut off after \d+(\.\d+)? s\n")
    assert server.get()[0] == 200


def test_a_slow_client_ends_before_its_worker(start):
    """However long a client may take, it takes less than the worker's --timeout: no worker dies of a client."""
    # Long, as an eighth of it is all the time that a worker has left when its client's is over.
    server = start("--timeout", 24, "--header-timeout", 60, "--body-timeout", 60, "--sleep", 0, "--workers", 3)
    old = workers(server, 3)
    slow = [b"", b"GET / HT", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1"]
    peers = [send(server, data) for data in slow]
    for peer in peers:
        peer.settimeout(24 + PATIENCE)
        with peer:
            read_all(peer)
    assert server.get()[0] == 200
    assert workers(server, 3) == old
    assert "WORKER TIMEOUT" not in server.log()


def test_clients_that_leave(start):
    server = start("--sleep", 0.05)
    (worker,) = workers(server, 1)
    for data in (b"", b"GET", GET, b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12"):
        peer = send(server, data)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()  # by a reset
        send(server, data).close()
    with server.connect() as peer:
        peer.sendall(GET)
        peer.shutdown(socket.SHUT_WR)  # it has sent all, and still listens
        assert parse_response(read_all(peer))[0] == 200
    assert workers(server, 1) == [worker]


# Signals


def test_ttin_and_ttou(start):
    server = start("--sleep", 0)
    (first,) = workers(server, 1)
    server.signal(signal.SIGTTIN)
    _, second = workers(server, 2)
    server.signal(signal.SIGTTIN)
    workers(server, 3)
    server.signal(signal.SIGTTOU)
    assert workers(server, 2)[0] == second  # the oldest goes
    assert not is_alive(first)
    for count in range(2, 5):
        server.signal(signal.SIGTTOU)
        server.wait_log("Handling signal: ttou", count=count)
    assert len(workers(server, 1)) == 1  # never below
    assert server.get()[0] == 200


def test_hup_replaces_every_worker_and_serves_meanwhile(start):
    server = start("--workers", 3, "--sleep", 0.02)
    old = workers(server, 3)
    with Load(server, 6) as load:
        load.wait(20)
        server.signal(signal.SIGHUP)
        wait_until(lambda: not any(map(is_alive, old)), "the end of the old workers")
        load.wait(load.done + 20)
    assert load.lost == []
    assert not set(workers(server, 3)) & set(old)
    exits = [int(pid) for pid in re.findall(r"Worker exiting \(pid: (\d+)\)", server.log())]
    assert sorted(exits) == sorted(old)


def test_hup_brings_the_configured_number_back(start):
    server = start("--workers", 2, "--sleep", 0)
    workers(server, 2)
    server.signal(signal.SIGTTIN)
    old = workers(server, 3)
    server.signal(signal.SIGHUP)
    wait_until(lambda: not any(map(is_alive, old)), "the end of the old workers")
    assert len(workers(server, 2)) == 2


def test_hup_lets_a_request_end(start):
    server = start("--sleep", 1, "--admin", "127.0.0.1:0")
    (old,) = workers(server, 1)
    peer = send(server)
    asleep(server)
    server.signal(signal.SIGHUP)
    server.wait_log("Booting worker", count=2)
    assert is_alive(old)
    assert status_of(peer) == 200
    wait_until(lambda: not is_alive(old), "the end of the old worker")


@pytest.mark.parametrize("target", ["arbiter", "worker"])
def test_term_lets_a_request_end(start, target):
    server = start("--sleep", 0.5, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    peer = send(server)
    asleep(server)
    if target == "arbiter":
        server.signal(signal.SIGTERM)
    else:
        os.kill(worker, signal.SIGTERM)
    assert status_of(peer) == 200
    if target == "arbiter":
        assert server.wait() == 0
        assert "Shutting down: Master" in server.log()
    else:
        server.wait_log("Booting worker", count=2)
        assert server.get()[0] == 200


def test_term_serves_those_who_wait_already(start):
    """A connection in the backlog was accepted by the kernel: its client has no way to know that nobody came for it."""
    server = start("--sleep", 0.1, "--workers", 2, "--admin", "127.0.0.1:0")
    workers(server, 2)
    peers = [send(server) for _ in range(14)]
    asleep(server, 2)
    server.signal(signal.SIGTERM)
    assert [status_of(peer) for peer in peers] == [200] * 14
    assert server.wait() == 0
    assert "SIGKILL" not in server.log()


def test_term_under_endless_load_ends(start):
    """What comes after TERM is not waited for, or a busy server would never stop."""
    server = start("--sleep", 0.01, "--workers", 2)
    workers(server, 2)
    with Load(server, 8) as load:
        load.wait(20)
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
    assert "SIGKILL" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("target", ["arbiter", "worker"])
def test_int_and_quit_end_it_in_the_middle_of_a_sleep(start, number, target):
    server = start("--sleep", 60, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    peer = send(server)
    asleep(server)
    if target == "arbiter":
        server.signal(number)
        assert server.wait() == 0
    else:
        os.kill(worker, number)
    assert read_all(peer) == b""
    peer.close()
    server.wait_log(rf"\[{worker}\] \[INFO\] Worker exiting \(pid: {worker}\)")
    assert "exited with code" not in server.log()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_end_it_in_the_middle_of_a_computation(start, number):
    server = start("--cpu", 600000, "--max-cpu", 600000, "--admin", "127.0.0.1:0")
    peer = send(server)
    wait_until(lambda: metric(server, "loopfork_computing") == 1, "the computation")
    server.signal(number)
    assert server.wait() == 0
    assert read_all(peer) == b""
    peer.close()
    assert "SIGKILL" not in server.log()


def test_a_connection_ends_int_too(start):
    """A worker waits in more places than a sleep: for a header, for a body, for a client to read."""
    for data in (b"", b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"):
        server = start("--sleep", 0)
        workers(server, 1)
        with send(server, data):
            wait_until(lambda: queue_length(server) == 0, "accept")
            server.signal(signal.SIGINT)
            assert server.wait() == 0


def test_the_health_check_tells_of_a_stop(start):
    server = start("--sleep", 1, "--admin", "127.0.0.1:0")
    port = server.admin_port()
    peer = send(server)
    asleep(server)
    server.signal(signal.SIGTERM)
    server.wait_log("Handling signal: term")
    status, _, body = wait_until(lambda: (answer := server.get("/healthz", port=port))[0] == 503 and answer, "503")
    assert b"stopping" in body
    assert status_of(peer) == 200


def test_graceful_timeout_is_the_end_of_patience(start):
    server = start("--sleep", 60, "--graceful-timeout", 0.5, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    with send(server) as peer:
        asleep(server)
        begin = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert 0.5 <= time.monotonic() - begin
        assert read_all(peer) == b""
    assert f"Worker (pid:{worker}) was sent SIGKILL! Perhaps out of memory?" in server.log()


def test_int_hurries_a_graceful_stop(start):
    server = start("--sleep", 60, "--graceful-timeout", 60, "--admin", "127.0.0.1:0")
    with send(server):
        asleep(server)
        server.signal(signal.SIGTERM)
        server.wait_log("Handling signal: term")
        server.signal(signal.SIGINT)
        assert server.wait() == 0
    assert "SIGKILL" not in server.log()


def test_a_second_int_does_not_wait_for_a_stopped_worker(start):
    server = start("--graceful-timeout", 60)
    (worker,) = workers(server, 1)
    os.kill(worker, signal.SIGSTOP)
    server.signal(signal.SIGINT)
    server.wait_log("Handling signal: int")
    server.signal(signal.SIGINT)
    assert server.wait() == 0
    assert not is_alive(worker)


def test_usr1_opens_the_logs_again(start, tmp_path):
    error, access = tmp_path / "error", tmp_path / "access"
    process = PreforkServerWithLogFile(error, access)
    with process:
        process.get("/before")
        wait_until(lambda: "/before" in access.read_text(), "the access log")
        error.rename(tmp_path / "error.1")
        access.rename(tmp_path / "access.1")
        process.signal(signal.SIGUSR1)
        wait_until(lambda: error.exists() and access.exists(), "new files")
        wait_until(lambda: process.get("/after")[0] == 200 and access.exists() and "/after" in access.read_text(),
                   "the access log in the new file")
        assert "/after" not in (tmp_path / "access.1").read_text().replace("/after", "", 5)
        process.signal(signal.SIGTTIN)
        wait_until(lambda: "Booting worker" in error.read_text(), "the error log in the new file")
        assert "Handling signal: usr1" in (tmp_path / "error.1").read_text()


class PreforkServerWithLogFile(PreforkServer):
    """Its log goes to the file ERROR, which the usual helpers do not see."""

    def __init__(self, error, access):
        self.error = error
        super().__init__("--sleep", "0", "--error-logfile", error, "--access-logfile", access)

    def log(self):
        parts = [path.read_text() for path in sorted(self.error.parent.glob(self.error.name + "*"), reverse=True)]
        return "".join(parts)


def test_a_storm_of_usr1_and_a_quit_end_a_busy_worker(start, tmp_path):
    """A signal that meets a worker while it obeys another: it ends all the same, and writes no line twice."""
    access = tmp_path / "access"
    server = start("--workers", 16, "--sleep", 0, "--access-logfile", access)
    numbers = itertools.count()
    stopped = threading.Event()

    def ask():
        while not stopped.is_set():
            try:
                server.get(fields=f"User-Agent: n{next(numbers)}\r\n")
            except (OSError, AssertionError):
                pass  # its worker has ended

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            old = workers(server, 16)
            time.sleep(1.1)  # so that no death is an early one
            for pid in old:
                for _ in range(30):
                    os.kill(pid, signal.SIGUSR1)
                os.kill(pid, signal.SIGQUIT)
            wait_until(lambda: not any(map(is_alive, old)), "the end of the workers")
    finally:
        stopped.set()
        for thread in threads:
            thread.join(PATIENCE)
    assert "SIGKILL" not in server.log() and "WORKER TIMEOUT" not in server.log()
    exits = re.findall(r"Worker exiting \(pid: (\d+)\)", server.log())
    assert len(exits) == len(set(exits)) >= 48
    lines = re.findall(r'"n(\d+)"\n', access.read_text())
    assert len(lines) == len(set(lines)) > 0


# Deaths


def test_a_worker_killed_under_load_loses_no_other_request(start):
    """Four clients, four workers: a kill costs the request it was in, and no other."""
    server = start("--workers", 4, "--sleep", 0.05)
    killed = workers(server, 4)[1]
    with Load(server, 8) as load:
        load.wait(20)
        os.kill(killed, signal.SIGKILL)
        server.wait_log("Booting worker", count=5)
        load.wait(load.done + 60)
    assert len(load.lost) <= 1, load.lost
    server.wait_log(rf"\[{server.pid}\] \[ERROR\] Worker \(pid:{killed}\) was sent SIGKILL! Perhaps out of memory\?")
    assert len(workers(server, 4)) == 4


def test_a_request_longer_than_timeout_is_ended(start):
    server = start("--timeout", 4, "--sleep", 0, "--admin", "127.0.0.1:0")
    (worker,) = workers(server, 1)
    assert server.exchange(b"GET /?sleep=30 HTTP/1.1\r\nHost: x\r\n\r\n") == b""
    server.wait_log(rf"\[CRITICAL\] WORKER TIMEOUT \(pid:{worker}\)")
    server.wait_log(rf"\[ERROR\] Worker \(pid:{worker}\) exited with code 1")
    assert workers(server, 1) != [worker]
    assert server.get()[0] == 200
    assert metric(server, "loopfork_worker_timeouts_total") == 1
    assert "SIGKILL" not in server.log()


def test_a_computation_longer_than_timeout_is_ended(start):
    """As a sleep is: at once, and not by force."""
    server = start("--timeout", 4, "--cpu", 600000, "--max-cpu", 600000)
    (worker,) = workers(server, 1)
    assert server.exchange(GET) == b""
    server.wait_log(rf"\[CRITICAL\] WORKER TIMEOUT \(pid:{worker}\)")
    server.wait_log(rf"\[ERROR\] Worker \(pid:{worker}\) exited with code 1")
    assert workers(server, 1) != [worker]
    assert server.get("/?cpu=1")[0] == 200
    assert "SIGKILL" not in server.log()


def test_idle_and_busy_workers_are_not_overdue(start):
    server = start("--timeout", 5, "--workers", 2, "--sleep", 0.5)
    old = workers(server, 2)
    for _ in range(14):
        assert server.get()[0] == 200
    assert workers(server, 2) == old


def test_timeout_0_waits_for_ever(start):
    server = start("--timeout", 0, "--sleep", 2.5)
    old = workers(server, 1)
    assert server.get()[0] == 200
    assert workers(server, 1) == old


def test_a_stopped_worker_is_replaced(start):
    server = start("--timeout", 4, "--sleep", 0)
    (worker,) = workers(server, 1)
    os.kill(worker, signal.SIGSTOP)
    server.wait_log(rf"WORKER TIMEOUT \(pid:{worker}\)")
    server.wait_log(rf"Worker \(pid:{worker}\) was sent SIGKILL!")
    assert workers(server, 1) != [worker]
    assert server.get()[0] == 200


def test_a_stopped_arbiter_does_not_blame_its_workers(start):
    server = start("--timeout", 6, "--sleep", 0)
    old = workers(server, 1)
    server.signal(signal.SIGSTOP)
    time.sleep(8)
    server.signal(signal.SIGCONT)
    time.sleep(1.5)
    assert workers(server, 1) == old
    assert "WORKER TIMEOUT" not in server.log()


def test_workers_follow_a_killed_arbiter(start):
    server = start("--workers", 3, "--sleep", 0.5, "--admin", "127.0.0.1:0")
    pids = workers(server, 3)
    peer = send(server)
    asleep(server)
    server.signal(signal.SIGKILL)
    server.wait()
    assert status_of(peer) == 200  # the request under way ends
    wait_until(lambda: all(parent_of(pid) is None for pid in pids), "the end of the workers")
    assert server.log().count("Parent changed, shutting down") == 3
    with pytest.raises(OSError):
        for _ in range(200):
            socket.create_connection(("127.0.0.1", server.admin_port()), 1).close()
            time.sleep(0.05)


def test_workers_that_cannot_live_do_not_spin(start):
    server = start("--sleep", 0)
    for count in range(1, 6):
        worker = int(server.wait_log(r"Booting worker with pid: (\d+)", count=count).group(1))
        os.kill(worker, signal.SIGKILL)
        server.wait_log(rf"Worker \(pid:{worker}\) was sent SIGKILL")
    server.wait_log(r"\[WARNING\] Workers die as they start \(\d+ in a row\): the next one in \d+\.\d s")
    assert server.get()[0] == 200


def test_no_zombies_and_no_lost_descriptors(start):
    server = start("--workers", 3, "--sleep", 0, "--admin", "127.0.0.1:0", "--max-sleep", 1)

    def descriptors(pid):
        return sorted(os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0] for fd in os.listdir(f"/proc/{pid}/fd"))

    def children():
        found = []
        for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == server.pid:
                found.append(fields[0])
        return found

    first = workers(server, 3)
    assert server.get()[0] == 200
    before = descriptors(server.pid)
    workers_before = descriptors(first[0])
    time.sleep(1.1)  # so that no death is an early one
    for round_number in range(1, 6):
        for pid in workers(server, 3):
            os.kill(pid, signal.SIGKILL)
        server.wait_log("Booting worker", count=3 * round_number + 3)
        workers(server, 3)
        time.sleep(1.1)
    wait_until(lambda: len(children()) == 4 and "Z" not in children(), "three workers, the admin process, no zombie")
    assert descriptors(server.pid) == before
    for pid in workers(server, 3):
        wait_until(lambda: descriptors(pid) == workers_before, "a worker with the usual descriptors")
    # The arbiter: 0 to 2, two listening sockets, the pipe that holds the admin process.
    # A worker: 0 to 2, its listening socket twice, and what TERM puts in its place.
    assert len(before) == 6 and len(workers_before) == 6


def test_the_admin_process_is_replaced(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 0)
    (worker,) = workers(server, 1)
    port = server.admin_port()
    assert server.get("/healthz", port=port)[0] == 200

    (first,) = wait_until(lambda: [pid for pid in children_of(server.pid) if pid != worker], "the admin process")
    os.kill(first, signal.SIGKILL)
    server.wait_log(rf"admin process \(pid:{first}\) ended unasked")
    assert server.get("/healthz", port=port)[0] == 200
    assert workers(server, 1) == [worker]
    assert server.log().count("Booting worker") == 1


def test_settings_outlive_the_workers(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 0)
    port = server.admin_port()
    assert server.get("/settings", "PUT", body=b"sleep=0.25", port=port)[0] == 200
    (worker,) = workers(server, 1)
    os.kill(worker, signal.SIGKILL)
    server.wait_log("Booting worker", count=2)
    begin = time.monotonic()
    assert server.get()[0] == 200
    assert time.monotonic() - begin >= 0.25


def test_metrics_of_dead_workers_stay_counted(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 0.5)
    (worker,) = workers(server, 1)
    assert server.get("/?sleep=0")[0] == 200
    peer = send(server)
    asleep(server)
    os.kill(worker, signal.SIGKILL)
    peer.close()
    server.wait_log("Booting worker", count=2)
    assert metric(server, 'loopfork_responses_total{code="200"}') == 1
    assert metric(server, "loopfork_sleeping") == 0
    assert metric(server, "loopfork_requests_in_flight") == 0
    assert metric(server, "loopfork_workers") == 1
    assert metric(server, "loopfork_worker_restarts_total") == 1


def test_computations_are_counted(start):
    server = start("--admin", "127.0.0.1:0", "--cpu", 600000, "--max-cpu", 600000)
    (worker,) = workers(server, 1)
    assert server.get("/?cpu=20&sleep=0.01")[0] == 200
    assert server.get("/?sleep=0")[0] == 200
    wait_until(lambda: metric(server, "loopfork_computing") == 0, "its end")
    assert metric(server, "loopfork_computations_total") == 1
    assert metric(server, "loopfork_computed_seconds_total") == 0.02
    peer = send(server)
    wait_until(lambda: metric(server, "loopfork_computing") == 1, "the computation")
    os.kill(worker, signal.SIGKILL)
    peer.close()
    wait_until(lambda: metric(server, "loopfork_computing") == 0, "a gauge without the dead worker")
    assert metric(server, "loopfork_computations_total") == 2
    assert metric(server, "loopfork_computed_seconds_total") == 0.02


def test_a_killed_worker_that_nobody_replaces_leaves_no_gauge_behind(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 60)
    (oldest,) = workers(server, 1)
    server.signal(signal.SIGTTIN)
    workers(server, 2)
    peers = [send(server), send(server)]
    asleep(server, 2)
    server.signal(signal.SIGTTOU)
    server.wait_log("Handling signal: ttou")
    os.kill(oldest, signal.SIGKILL)
    asleep(server, 1)
    assert metric(server, "loopfork_requests_in_flight") == 1
    assert metric(server, "loopfork_connections_open") == 1
    assert metric(server, "loopfork_connections_accepted_total") == 2
    assert server.log().count("Booting worker") == 2
    server.signal(signal.SIGINT)  # there is a long sleep to cut short
    assert server.wait() == 0
    for peer in peers:
        peer.close()


def test_a_worker_killed_together_with_the_admin_process_is_settled_too(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 60)
    (worker,) = workers(server, 1)
    (admin,) = wait_until(lambda: [pid for pid in children_of(server.pid) if pid != worker], "the admin process")
    peer = send(server)
    asleep(server)
    os.kill(server.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    os.kill(admin, signal.SIGKILL)
    os.kill(server.pid, signal.SIGCONT)
    server.wait_log("ended unasked")
    asleep(server, 0)
    peer.close()


# Lack of means


def test_no_descriptor_for_a_connection(start):
    """EMFILE at accept: the worker lives, says so once, and serves as soon as it can."""
    server = start("--sleep", 0)
    (worker,) = workers(server, 1)
    assert server.get()[0] == 200
    used = wait_until(lambda: len(os.listdir(f"/proc/{worker}/fd")) == 6 and 6, "a worker at rest")
    hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used, hard))
    peers = [send(server) for _ in range(3)]
    server.wait_log(r"\[ERROR\] Cannot accept: Too many open files")
    time.sleep(0.5)
    assert server.log().count("Cannot accept") == 1
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
    assert [status_of(peer) for peer in peers] == [200] * 3
    assert workers(server, 1) == [worker]


def test_no_process_for_a_worker(start):
    """fork fails with EAGAIN: said, and tried again; the health check tells it meanwhile."""
    uid = 20_000 + os.getpid() % 40_000  # whose processes are all ours to count

    def become_user(limit=None):
        if limit:
            resource.setrlimit(resource.RLIMIT_NPROC, (limit, limit))
        os.setuid(uid)

    if os.geteuid() != 0:
        pytest.skip("only root can become a user without other processes")
    try:
        subprocess.run([PROGRAM, "--version"], preexec_fn=become_user, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("another user cannot reach the program")
    # Room for the arbiter, the admin process and one worker.
    server = start("--sleep", 0, "--admin", "127.0.0.1:0", preexec_fn=lambda: become_user(3))
    (worker,) = workers(server, 1)
    port = server.admin_port()
    assert server.get("/healthz", port=port)[0] == 200
    with subprocess.Popen(["sleep", "60"], preexec_fn=become_user) as other:
        os.kill(worker, signal.SIGKILL)
        server.wait_log(r"\[ERROR\] Cannot start a worker: Resource temporarily unavailable; trying again", count=2)
        status, _, body = server.get("/healthz", port=port)
        assert status == 503 and b"no worker is alive" in body
        other.kill()
    assert server.get()[0] == 200
    assert server.get("/healthz", port=port)[0] == 200


def test_workers_that_cannot_begin_end_the_arbiter():
    """Exit status 3 of a worker is the arbiter's too, as in gunicorn: to try again would change nothing."""
    # (A leak check would want descriptors of its own.)
    done = run("--bind", "127.0.0.1:0", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4)),
               env=dict(os.environ, ASAN_OPTIONS="detect_leaks=0"))
    assert done.returncode == 3
    assert re.search(r"\[ERROR\] Worker cannot begin: Too many open files", done.stderr)
    assert re.search(r"\[ERROR\] Worker \(pid:\d+\) exited with code 3\n", done.stderr)
    assert re.search(r"Shutting down: Master\n.*Reason: Worker failed to boot\.\n$", done.stderr)


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


def test_the_real_client_gets_what_it_asked_for(start):
    if shutil.which("ab") is None:
        pytest.skip("ab is not installed")
    server = start("--sleep", 0.01, "--workers", 2)
    done = subprocess.run(["ab", "-n", "100", "-c", "10", server.url], capture_output=True, text=True,
                          timeout=2 * PATIENCE)
    assert re.search(r"Complete requests: +100\b", done.stdout) and re.search(r"Failed requests: +0\b", done.stdout)


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
