"""Starts the programs under test, talks to them over raw sockets, and ends them, whatever a test does."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BIN = pathlib.Path(os.environ.get("LOOPFORK_BIN", ROOT / "build/release/bin"))
PATIENCE = 20.0  # seconds that anything may take before a test gives up; never a measure of speed


def wait_until(condition, what, seconds=PATIENCE):
    """Polls until CONDITION() is true and returns what it returned."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.01)
    raise AssertionError(f"not within {seconds} s: {what}")


class Program:
    """A program running in the background; its output goes to a file that the test reads."""

    name = None
    command = None  # how it is started, where it is not one of ours

    def __init__(self, *arguments, env=None, preexec_fn=None):
        self.log_file = tempfile.NamedTemporaryFile(prefix=f"{self.name}-", suffix=".log")
        self.process = subprocess.Popen(
            [*(self.command or [str(BIN / self.name)]), *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=self.log_file, stderr=subprocess.STDOUT, env=env and dict(os.environ, **env), preexec_fn=preexec_fn)

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return pathlib.Path(self.log_file.name).read_text(errors="replace")

    def wait_log(self, pattern, seconds=PATIENCE, count=1):
        """Waits until PATTERN stands COUNT times in the log; returns the last match."""

        def found():
            assert self.process.poll() is None or len(re.findall(pattern, self.log())) >= count, \
                f"{self.name} ended with {self.process.returncode}:\n{self.log()}"
            matches = list(re.finditer(pattern, self.log()))
            return matches[-1] if len(matches) >= count else None

        try:
            return wait_until(found, f"{pattern!r} in the log", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE):
        return self.process.wait(seconds)

    def stop(self):
        """Ends it the way a person would, then the hard way. Returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        assert not re.search(r"(Address|Thread|Leak|UndefinedBehavior)Sanitizer|runtime error:", self.log()), self.log()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Server(Program):
    """A server on a free port; HOST and PORT are where it listens."""

    listening = None  # pattern in the log; group 1 is the port
    keeps_alive = True  # serves another request on the same connection

    def __init__(self, *arguments, bind="127.0.0.1:0", **more):
        super().__init__("--bind", bind, *arguments, **more)
        try:
            match = self.wait_log(self.listening)
        except BaseException:
            self.stop()
            raise
        self.host = "127.0.0.1"
        self.port = int(match.group(1)) if match.group(1) else None
        self.url = f"http://{self.host}:{self.port}/"

    def admin_port(self):
        """The port of --admin 127.0.0.1:0."""
        return int(self.wait_log(r"[Aa]dmin (?:on|at):? http://[^\s]*:(\d+)").group(1))

    def connect(self, timeout=PATIENCE):
        return socket.create_connection((self.host, self.port), timeout)

    def exchange(self, data, timeout=PATIENCE, port=None):
        """Sends DATA, then reads until the server closes. Returns all it answered."""
        with socket.create_connection((self.host, port or self.port), timeout) as peer:
            peer.sendall(data)
            return read_all(peer)

    def get(self, target="/", method="GET", fields="", body=b"", port=None):
        """One request with Connection: close. Returns (status, header bytes, body)."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{method} {target} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{length}{fields}\r\n".encode()
        return parse_response(self.exchange(head + body, port=port))


class AsyncServer(Server):
    name = "async_server"
    listening = r"Running on (?:http://\S*:(\d+)|unix:\S+)"


class PreforkServer(Server):
    name = "prefork_server"
    keeps_alive = False  # the sync worker, as gunicorn's
    listening = r"Listening at: (?:http://\S*:(\d+)|unix:\S+)"

    def worker_pids(self):
        """The live children that serve requests, oldest first, as the log tells them."""
        booted = [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.log())]
        return [pid for pid in booted if parent_of(pid) == self.pid]


class GthreadServer(PreforkServer):
    """prefork_server with threads, which keep connections."""

    keeps_alive = True

    def __init__(self, *arguments, **more):
        super().__init__("--worker-class", "gthread", "--threads", 4, *arguments, **more)


def parent_of(pid):
    """The parent's pid of a live process (a zombie counts as gone); None where there is none."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[1])


def read_all(peer):
    parts = []
    while True:
        try:
            part = peer.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def read_response(peer, head_only=False):
    """Reads one response with a Content-Length from a connection that stays open. Returns (status, header bytes, body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(1)
        assert part, f"closed in the middle of a header: {data!r}"
        data += part
    head = data[: data.index(b"\r\n\r\n")]
    length = 0 if head_only else int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    body = b""
    while len(body) < length:
        part = peer.recv(length - len(body))
        assert part, "closed in the middle of a body"
        body += part
    return int(head.split(b" ")[1]), head, body


def parse_response(data):
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1."), f"not a response: {data[:200]!r}"
    return int(head.split(b" ")[1]), head, body
