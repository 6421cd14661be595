"""Runs loadgen, and plays servers that misbehave exactly as told."""

import json
import re
import signal
import socket
import subprocess
import threading

from servers import BIN, PATIENCE

LOADGEN = BIN / "loadgen"
OK = b"HTTP/1.1 200 OK\r\nServer: toy/1\r\nContent-Length: 5\r\n\r\nhello"

DOUBTFUL = 3  # the exit status when loadgen's checks of itself fail,
WELL = (0, DOUBTFUL)  # as they may on a machine that is busy


def default_signals():
    """For Popen's preexec_fn: a test runner in the background, or under nohup, may hand down ignored ones."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def loadgen(*arguments, timeout=60, **more):
    """Runs loadgen to its end. Returns the finished process, with text in stdout and stderr."""
    return subprocess.run([LOADGEN, *map(str, arguments)], capture_output=True, text=True, errors="replace", timeout=timeout,
                          stdin=subprocess.DEVNULL, preexec_fn=default_signals, **more)


def loadgen_json(*arguments, status=0, **more):
    """Runs loadgen with --json - and returns the object; the exit status must be STATUS, or one of WELL where that is 0."""
    done = loadgen("--json", "-", *arguments, **more)
    assert done.returncode in (WELL if status == 0 else (status,)), done.stderr
    return json.loads(done.stdout)


def one_cell(*arguments, status=0, **more):
    cells = loadgen_json(*arguments, status=status, **more)["cells"]
    assert len(cells) == 1
    return cells[0]


def failures(cell):
    """The classes that are not zero."""
    return {name: count for name, count in cell["failures"].items() if count}


def assert_all_well(cell, count):
    assert (cell["complete"], cell["failed"], failures(cell)) == (count, 0, {})


def free_port():
    """A port that nobody listens on, and that is unlikely to be given to anybody soon."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return holder.getsockname()[1]


class Peer:
    """One accepted connection of a scripted server."""

    def __init__(self, connection, number):
        self.socket = connection
        self.number = number  # of the connection, from 0
        self.data = b""

    def request(self):
        """Reads one request and returns its bytes; b"" when the client has closed."""
        while b"\r\n\r\n" not in self.data:
            more = self.socket.recv(65536)
            if not more:
                return b""
            self.data += more
        head, _, rest = self.data.partition(b"\r\n\r\n")
        match = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(match.group(1)) if match else 0
        while len(rest) < length:
            more = self.socket.recv(65536)
            if not more:
                return b""
            rest += more
        self.data = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]

    def send(self, data):
        self.socket.sendall(data)

    def reset(self):
        """Ends the connection with RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


class ScriptedServer:
    """Calls SCRIPT(peer) in a thread of its own for each connection, and closes the connection behind it."""

    def __init__(self, script, family=socket.AF_INET, backlog=512, port=0):
        self.script = script
        self.requests = []
        self.errors = []
        self.connections = 0
        self.open = 0
        self.most_open = 0
        self.lock = threading.Lock()
        self.peers = set()
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", port))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://[::1]:{self.port}/" if family == socket.AF_INET6 else f"http://127.0.0.1:{self.port}/"
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(PATIENCE)
            with self.lock:
                peer = Peer(connection, self.connections)
                self.connections += 1
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                self.peers.add(connection)
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            self.script(peer)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass  # the client's good right
        except OSError as error:
            if error.errno != 9:  # closed by us: the test is over
                self.errors.append(error)
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(error)
        finally:
            with self.lock:
                self.open -= 1
                self.peers.discard(peer.socket)
            peer.socket.close()

    def stop_listening(self):
        """From now on connects are refused."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)

    def hang_up(self):
        """Ends all connections."""
        with self.lock:
            peers = list(self.peers)
        for peer in peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.stop_listening()
        except OSError:
            pass  # the test did it
        self.hang_up()
        assert self.errors == []


def answering(response=OK, keep=True):
    """A script that answers every request with RESPONSE, or with RESPONSE(request)."""

    def script(peer):
        while True:
            request = peer.request()
            if not request:
                return
            peer.send(response(request) if callable(response) else response)
            if not keep or b"Connection: close" in request or b" HTTP/1.0\r\n" in request and b"Keep-Alive" not in request:
                return

    return script
