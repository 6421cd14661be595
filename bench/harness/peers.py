"""Servers to be compared: how one is started, verified and stopped; and those of bench/async_server, each set up as its
users would for this test: one process, one thread, no access log, keep-alive without a limit, and the lab's 16 bytes."""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time

from harness import machine
from harness.entrants import Entrants
from harness.machine import Failure, ROOT

BODY = b"Hello, Anonymous"
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LAST_REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
PATIENCE = 30  # seconds for a server to start, to answer, or to end
PYTHON = "/usr/bin/python3"
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
LIMIT, OURS, SLEEP_LIMIT = "bare epoll", "async_server", "bare timerfd"

PORTS = machine.Ports()


class Peer:
    """One server of the comparison. {port}, {sleep}, {sleep_ms}, {conf} and {counter} in its command are filled in when it
    starts. CONF: its configuration in bench/peers. KEEPS: several requests use one connection."""

    body = BODY  # of its answers

    def __init__(self, name, command, folder, conf=None, keeps=True):
        self.name, self.command, self.folder, self.conf = name, list(map(str, command)), folder, conf
        self.keeps = keeps

    def start(self, sleep=0, counter=None, **popen):
        """Starts it, without waiting until it answers. Returns the Running server."""
        port = PORTS.take()
        conf = self.folder / f"{self.name}.conf"
        if self.conf:
            text = (ROOT / "bench/peers" / self.conf).read_text()
            conf.write_text(text.replace("@port@", str(port)).replace("@folder@", str(self.folder)))
        command = [part.format(port=port, conf=conf, sleep=f"{sleep:g}", sleep_ms=round(sleep * 1000), counter=counter)
                   for part in self.command]
        # A file and not a pipe: nobody reads it unless the server fails. A session of its own, because apache passes the
        # TERM that ends it on to its whole process group.
        with open(self.log_path, "wb") as log:
            started_ns = time.perf_counter_ns()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                       start_new_session=True, **popen)
        return Running(self, process, port, started_ns)

    @property
    def log_path(self):
        return self.folder / f"{self.name}.log"

    @contextlib.contextmanager
    def running(self, sleep=0):
        """The server, on its CPU and verified; stopped at the end."""
        server = self.start(sleep, preexec_fn=machine.pinned_child(machine.SERVER_CPU))
        try:
            server.verify()
            yield server
        finally:
            server.stop()


class Running:
    """A peer that runs."""

    def __init__(self, peer, process, port, started_ns):
        self.peer, self.process, self.port, self.started_ns = peer, process, port, started_ns
        self.url = f"http://127.0.0.1:{port}/"

    def connect(self, pause):
        """A connection, as soon as the server takes one; PAUSE: seconds between attempts."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.is_alive():
            with contextlib.suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", self.port), PATIENCE)
            time.sleep(pause)
        said = self.peer.log_path.read_text(errors="replace").strip().splitlines()[-3:]
        raise Failure(f"{self.peer.name} does not start: {' '.join(map(str, self.process.args))}: {' | '.join(said)}")

    def verify(self):
        """Its answer is the one that all of them give: twice, on one connection where it keeps them."""
        with self.connect(0.01) as sock:
            for request in [REQUEST, REQUEST] if self.peer.keeps else [LAST_REQUEST]:
                sock.sendall(request)
                verify_answer(self.peer, read_answer(sock))

    def first_answer_ms(self):
        """From before exec to the end of the first answer."""
        with self.connect(0.0001) as sock:
            sock.sendall(REQUEST)
            if read_whole(sock, 1) != 1:
                raise Failure(f"{self.peer.name} does not answer its first request")
            return self.age_ms()

    def pipelines(self, depth):
        """Whether it answers DEPTH requests sent at once, all of them and in full."""
        with self.connect(0.01) as sock:
            sock.settimeout(5)
            sock.sendall(REQUEST * depth)
            return read_whole(sock, depth) == depth

    def is_alive(self):
        return self.process.poll() is None

    def age_ms(self):
        """Since before exec."""
        return (time.perf_counter_ns() - self.started_ns) / 1e6

    def cpu_ns(self):
        return machine.cpu_ns(self.process.pid)

    def rss_bytes(self):
        return machine.rss_bytes(self.process.pid)

    def stop(self):
        """TERM, and KILL for what does not end by it, workers included."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            for pid in machine.family(self.process.pid)[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            machine.kill(self.process)


def read_answer(sock):
    answer = http.client.HTTPResponse(sock, method="GET")
    answer.begin()
    return answer.status, answer.read(), answer.will_close


def verify_answer(peer, answer):
    if answer != (200, peer.body, not peer.keeps):
        status, body, closed = answer
        raise Failure(f"{peer.name} answers {status} with {body[:40]!r} and {'closes' if closed else 'keeps the connection'}")


def read_whole(sock, count):
    """Reads until COUNT answers are there, or nothing more comes. Returns how many there are; 200 and with BODY."""
    data = b""
    with contextlib.suppress(OSError):
        while data.count(BODY) < count and (part := sock.recv(65536)):
            data += part
    return min(data.count(BODY), data.count(b"HTTP/1.1 200 "))


def flags_of(module):
    """Compiler flags of a pkg-config MODULE, or None where it is not installed."""
    done = subprocess.run(["pkg-config", "--cflags", "--libs", module], capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else None


def llhttp_flags(programs):
    """llhttp as async_server has it: the system's, or the sources in the build folder of PROGRAMS (build/release/bin)."""
    folder = programs.parent.parent / "llhttp"
    sources = sorted(folder.glob("*.c"))
    return ["-isystem", folder, "-DLLHTTP_STRICT_MODE=1", "-w", *sources] if sources else flags_of("libllhttp")


def has_module(*names):
    return subprocess.run([PYTHON, "-c", f"import {', '.join(names)}"], stderr=subprocess.DEVNULL).returncode == 0


def program(name):
    return shutil.which(name) or shutil.which(name, path=SBIN)


class Peers(Entrants):
    """Servers, in FOLDER."""

    kind = "peer"

    def __init__(self, programs, folder):
        super().__init__()
        self.programs, self.folder = programs, folder
        folder.chmod(0o755)  # h2o and apache read it as another user
        (folder / "www").mkdir()
        (folder / "www/index.txt").write_bytes(BODY)

    def add(self, name, command, conf=None, keeps=True):
        self.all.append(Peer(name, command, self.folder, conf, keeps))

    def add_built(self, name, source, package, flags):
        if flags is None:
            self.leave_out(name, package)
        else:
            self.add(name, [machine.build(source, self.folder, *flags), "{port}"])

    def add_installed(self, name, package, path, *arguments, conf=None, keeps=True):
        """CONF: name.conf unless told."""
        if not path:
            self.leave_out(name, package)
        else:
            self.add(name, [path, *arguments], (conf or f"{name}.conf") if "{conf}" in arguments else None, keeps)


class AsyncPeers(Peers):
    """Those of bench/async_server: the limit and ours first."""

    def __init__(self, programs, folder):
        super().__init__(programs, folder)
        self.add(LIMIT, [machine.build("limits/epoll_server.c", folder), "{port}"])
        self.add(OURS, [programs / "async_server", "--bind", "127.0.0.1:{port}", "--backlog", "4096", "--sleep", "{sleep}"])
        self.add_built("libuv+llhttp", "limits/libuv_llhttp.c", "libuv1-dev", self.libuv_llhttp_flags())
        self.add_installed("nginx", "nginx-light", program("nginx"), "-p", folder, "-c", "{conf}")
        self.add_installed("h2o", "h2o", program("h2o"), "-c", "{conf}")
        self.add_installed("lighttpd", "lighttpd", program("lighttpd"), "-D", "-f", "{conf}")
        self.add_built("libmicrohttpd", "peers/microhttpd.c", "libmicrohttpd-dev", flags_of("libmicrohttpd"))
        self.add_built("evhttp", "peers/evhttp.c", "libevent-dev", flags_of("libevent"))
        self.add_installed("Node", "nodejs", program("node"), ROOT / "bench/peers/node.js", "{port}")
        for name, loop, modules in (("aiohttp", "asyncio", ["aiohttp"]), ("aiohttp+uvloop", "uvloop", ["aiohttp", "uvloop"])):
            self.add_installed(name, f"python3-{modules[-1]}", has_module(*modules) and PYTHON,
                               ROOT / "bench/peers/aiohttp_server.py", "{port}", loop, "{sleep}")
        sleeper = [machine.build("limits/epoll_sleep_server.c", folder), "{port}", "{sleep_ms}"]
        self.sleep_limit = Peer(SLEEP_LIMIT, sleeper, folder)

    def libuv_llhttp_flags(self):
        libuv, llhttp = flags_of("libuv"), llhttp_flags(self.programs)
        return libuv and llhttp and llhttp + libuv
