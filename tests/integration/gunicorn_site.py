"""A server that a script drives, real gunicorn or ours: started, signalled, asked, and what was seen of it."""

import atexit
import collections
import functools
import itertools
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import gunicorn_app
from servers import BIN, PATIENCE, ROOT, parent_of, wait_until

NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, ESTABLISHED = 4, 20, 1, 1
GUNICORN = shutil.which("gunicorn")
TIME = re.compile(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]")
LINE = re.compile(r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[(\d+)\] \[(\w+)\] (.*)")


def server_side(port, peer):
    """(state, bytes that wait to be read, inode) of the server's end of a connection, from the kernel: sock_diag(7).

    Looked up, not searched for: /proc/net/tcp may have 30,000 lines, and is no snapshot.
    """
    home = socket.inet_aton("127.0.0.1")
    request = struct.pack("=BBBxI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0xffffffff) + struct.pack(
        ">HH4s12x4s12xIII", port, peer.getsockname()[1], home, home, 0, 0xffffffff, 0xffffffff)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.sendto(struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + request, (0, 0))
        answer = netlink.recv(65536)
    if struct.unpack_from("=H", answer, 4)[0] != SOCK_DIAG_BY_FAMILY:
        return None, None, None  # there is none
    _, unread, _, _, inode = struct.unpack_from("=IIIII", answer, 68)
    return answer[17], unread, inode


class Peer:
    """A connection; what becomes of it in a few words."""

    def __init__(self, family, address):
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE)
        self.data = b""
        self.failure = None
        try:
            self.socket.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            self.failure = "refused"

    def send(self, data):
        if self.failure is None:
            self.socket.sendall(data)
        return self

    def more(self):
        try:
            part = self.socket.recv(65536)
        except ConnectionResetError:
            self.failure = "reset"
            part = b""
        self.data += part
        return part != b""

    def answer(self):
        """The next answer: status, Connection, and the body of a 200; or why there is none."""
        while self.failure is None and b"\r\n\r\n" not in self.data and self.more():
            pass
        if b"\r\n\r\n" not in self.data:
            return self.failure or f"closed after {len(self.data)} bytes"
        head, _, rest = self.data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        length = int(fields.get("content-length", 0))
        self.data = rest
        while len(self.data) < length and self.more():
            pass
        body, self.data = self.data[:length], self.data[length:]
        status = head.split(b" ")[1].decode()
        told = [status, fields.get("connection", "no Connection")] + [body.decode()] * (status == "200")
        return " ".join(told)

    def end(self):
        """Waits until the server ends the connection."""
        while self.failure is None and self.more():
            pass
        return self.failure or "closed" + f" after {len(self.data)} bytes" * bool(self.data)

    def close(self):
        self.socket.close()


@functools.cache
def readable_app():
    """A folder with a copy of the application that every user can read: a worker with --user imports it as that one."""
    folder = tempfile.mkdtemp(prefix="gunicorn-app-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    os.chmod(shutil.copy(gunicorn_app.__file__, folder), 0o644)
    return folder


class Site:
    """One server under a script, in FOLDER, which is its own. What it did comes out of parts()."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.logs = [self.folder / "output"]  # in the order in which they were written
        self.seen = {}
        self.process = None
        self.given_fds = ()  # of ours, that it is to have too
        self.leaks = True  # are looked for at the end, which takes descriptors
        self.peers = []
        self.bind = None
        self.numbers = itertools.count()

    # Programs

    def command(self, options):
        raise NotImplementedError

    def launch(self, options, output, env=None, shell=None):
        """SHELL is a line of bash that ends in `exec "$@"`, for what has to be so before it starts."""
        command = self.command([str(option) for option in options])
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith(("LISTEN_", "GUNICORN_", "NOTIFY_")) and name != "WEB_CONCURRENCY"}
        environment = {**clean, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": readable_app(),
                       "SITE": str(self.folder), **(env or {})}
        # A sanitizer leaves the signals and the descriptors that a script is about to the server.
        own = f":handle_segv=0:detect_leaks={int(self.leaks)}"
        environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + own
        with open(output, "ab") as file:
            return subprocess.Popen(["bash", "-c", shell, "bash", *command] if shell else command, cwd=self.folder,
                                    env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                    pass_fds=self.given_fds)

    def start(self, *options, bind="127.0.0.1:0", workers=1, env=None, shell=None):
        """Starts it, and waits until WORKERS workers are there."""
        self.bind = bind
        binds = [part for address in [bind] * bool(bind) for part in ("--bind", address)]
        self.process = self.launch([*binds, *options], self.folder / "output", env, shell)
        self.wait_log("Listening at")
        self.workers(workers)

    def fails(self, what, *options, env=None):
        """A start that is refused: its status, how much it says, and what it logs."""
        output = self.folder / f"refusal-{next(self.numbers)}"
        process = self.launch(options, output, env)
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        lines = [line for line in output.read_text().splitlines() if line]
        rest = [line for line in lines if not LINE.fullmatch(line)]
        says = {0: "no word", 1: "one line"}.get(len(rest), "several lines")
        self.see(what, f"status {status}, {says}")
        logged = [self.normal(*LINE.fullmatch(line).groups()[1:]) for line in lines if LINE.fullmatch(line)]
        if logged:
            self.see(f"{what}: log", logged)

    def run(self, *options, env=None):
        """Runs it to its end. Returns (status, output)."""
        output = self.folder / f"run-{next(self.numbers)}"
        process = self.launch(options, output, env)
        try:
            return process.wait(PATIENCE), output.read_text()
        finally:
            process.kill()
            process.wait()

    def starts(self, *options):
        """Whether a start that need not succeed does; it is ended at once."""
        output = self.folder / f"try-{next(self.numbers)}"
        process = self.launch(options, output)
        try:
            wait_until(lambda: process.poll() is not None or "Listening at" in output.read_text(), "a start or an end")
            if process.poll() is not None:
                return f"status {process.returncode}"
            return "starts"  # and is killed: gunicorn loses a TERM that meets a worker before it has handlers of its own
        finally:
            process.kill()
            process.wait()

    def start_silently(self, *options):
        """The same as start, where the log says nothing."""
        output = self.folder / "output"
        self.process = self.launch(["--bind", f"unix:{self.folder / 'socket'}", *options], output)
        wait_until((self.folder / "socket").exists, "the socket")
        self.bind = f"unix:{self.folder / 'socket'}"
        self.see("answer", self.get())

    def own(self, *options):
        """Options that only ours has."""
        return ()

    def quoted(self, text):
        """As the configuration file has it."""
        return text

    def goes_on(self):
        """Whether the arbiter is still there a while later."""
        try:
            self.process.wait(2)
            return False
        except subprocess.TimeoutExpired:
            return True

    # What it writes

    def log(self):
        return "".join(path.read_text(errors="replace") for path in self.logs if path.exists())

    def wait_log(self, pattern, count=1):
        """Waits until PATTERN stands COUNT times in the log. Returns the last match."""

        def found():
            matches = list(re.finditer(pattern, self.log()))
            return matches[-1] if len(matches) >= count else None

        try:
            return wait_until(found, f"{pattern!r} {count} times")
        except AssertionError as error:
            raise self.failure(error) from None

    def failure(self, error):
        paths = dict.fromkeys([self.folder / "output", *self.logs])
        texts = [path.read_text(errors="replace") for path in paths if path.exists()]
        return AssertionError(f"{type(self).__name__}: {error}\n" + "".join(texts))

    def output(self):
        return (self.folder / "output").read_text(errors="replace")

    def see_pid_files(self, what, names):
        """Which pid files there are, with the name of the arbiter in each."""
        files = {path.name: names[int(path.read_text())] for path in sorted(self.folder.glob("pid*"))}
        self.see(f"pid files {what}", files)

    def see(self, what, value):
        assert what not in self.seen, f"{what} was seen twice"
        self.seen[what] = value

    # Processes

    def arbiters(self):
        """Their pids in the order in which they started."""
        return list(dict.fromkeys(int(match.group(1)) for match in LINE.finditer(self.log())
                                  if match.group(3).startswith("Starting ")))

    def worker_pids(self, arbiter=None):
        """Those that live, in the order in which they say that they boot."""
        parent = arbiter or self.arbiters()[0]
        booted = [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.log())]
        return [pid for pid in booted if parent_of(pid) == parent]

    def workers(self, count, arbiter=None):
        """Waits until there are COUNT, and each acts on signals as a worker does. Returns their pids."""

        def there():
            pids = self.worker_pids(arbiter)
            return len(pids) == count and all(map(self.is_settled, pids)) and (pids or True)

        try:
            return wait_until(there, f"{count} workers")
        except AssertionError as error:
            raise self.failure(error) from None

    def is_settled(self, pid):
        return True

    def worker_status(self, name):
        """A line of the only worker's /proc/PID/status."""
        (worker,) = self.workers(1)
        return re.search(rf"(?m)^{name}:\s+(.*)", pathlib.Path(f"/proc/{worker}/status").read_text()).group(1).strip()

    def signal(self, number, pid=None):
        os.kill(pid or (self.arbiters() or [self.process.pid])[0], number)

    def tell(self, number, pid=None):
        """A signal to the arbiter, and until it has said that it handles it."""
        name = signal.Signals(number).name[3:].lower()
        count = self.log().count(f"Handling signal: {name}") + 1
        self.signal(number, pid)
        self.wait_log(f"Handling signal: {name}", count)

    def wait(self, what="status"):
        self.see(what, self.process.wait(PATIENCE))

    def ended(self, *pids):
        wait_until(lambda: not any(parent_of(pid) for pid in pids), f"the end of {pids}")

    # Clients

    def port(self, number=0):
        return int(re.findall(r"http://[^\s,]*:(\d+)", self.wait_log("Listening at: .*").group())[number])

    def connect(self, number=0):
        if self.bind and self.bind.startswith("unix:"):
            peer = Peer(socket.AF_UNIX, self.bind[5:])
        else:
            peer = Peer(socket.AF_INET, ("127.0.0.1", self.port(number)))
        self.peers.append(peer)
        return peer

    def ask(self, target="/", fields="", number=0):
        """A connection on which a request was sent."""
        return self.connect(number).send(f"GET {target} HTTP/1.1\r\nHost: lab\r\n{fields}\r\n".encode())

    def get(self, target="/", fields="", number=0):
        return self.ask(target, fields, number).answer()

    def ask_and_wait(self, target):
        """The same, and until a worker has read the request: its bytes have left the kernel's queue."""
        peer = self.ask(target)
        wait_until(lambda: server_side(self.port(), peer.socket)[:2] == (ESTABLISHED, 0), "the request to be read")
        return peer

    def serves(self, worker, peer):
        """Whether WORKER holds the connection of PEER."""
        inode = server_side(self.port(), peer.socket)[2]
        return f"socket:[{inode}]" in (os.readlink(path) for path in pathlib.Path(f"/proc/{worker}/fd").iterdir())

    # Parts

    def normal(self, level, text):
        """A line of the log without what differs from run to run."""
        text = re.sub(r"Starting \S+ \S+", "Starting NAME VERSION", text)
        text = text.replace(str(self.folder), "FOLDER")
        text = re.sub(r"(http://[^\s,]*:|\('127\.0\.0\.1', )\d+", r"\1PORT", text)
        text = re.sub(r"\(\d+\)$", "(PID)", text)
        text = re.sub(r"<Worker \d+>", "<Worker PID>", text)
        return f"{level} " + re.sub(r"\b(pid:? ?|PID )\d+", r"\1PID", text)

    def parts(self):
        """The log of each arbiter, those of the workers, what else was printed, and what the script saw."""
        stories = collections.defaultdict(list)
        rest = []
        paths = dict.fromkeys([*self.logs, self.folder / "output"])
        for line in "".join(path.read_text(errors="replace") for path in paths if path.exists()).splitlines():
            match = LINE.fullmatch(line)
            if match:
                stories[int(match.group(1))].append(self.normal(*match.groups()[1:]))
            elif line:
                rest.append(TIME.sub("[TIME]", line).replace(str(self.folder), "FOLDER"))
        arbiters = [pid for pid in stories if stories[pid][0].startswith("INFO Starting ")]
        parts = {f"arbiter {number}": stories[pid] for number, pid in enumerate(arbiters, 1)}
        parts["workers"] = sorted(tuple(stories[pid]) for pid in stories if pid not in arbiters)
        parts["output"] = without_tracebacks(rest)
        assert not parts.keys() & self.seen.keys()
        return parts | self.seen

    def close(self):
        """Ends whatever is left of it."""
        for peer in self.peers:
            peer.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        mark = f"SITE={self.folder}\0".encode()
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes():
                    os.kill(int(path.parent.name), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                pass


def without_tracebacks(lines):
    """Of a traceback, its last line."""
    kept, within = [], False
    for line in lines:
        within = within and line.startswith(" ") or line.startswith("Traceback ")
        if not within:
            kept.append(line)
    return kept


class Theirs(Site):
    """The real gunicorn."""

    application = "gunicorn_app:application"

    def command(self, options):
        return [GUNICORN, *options, self.application]

    def quoted(self, text):
        return repr(text)

    def allow_boot(self, allowed):
        source = pathlib.Path(gunicorn_app.__file__).read_text() if allowed else "raise RuntimeError('no more')\n"
        (self.folder / "own_app.py").write_text(source)
        self.application = "own_app:application"

    def is_settled(self, pid):
        """It has handlers of its own, for ABRT but not for HUP: before, it would act as its arbiter, or die, on a signal."""
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
        caught = int(re.search(r"SigCgt:\s+(\w+)", status).group(1), 16)
        return caught & 1 << (signal.SIGABRT - 1) and not caught & 1 << (signal.SIGHUP - 1)


class Ours(Site):
    """prefork_server. Its signals stay blocked until a worker can take them."""

    def command(self, options):
        return [str(BIN / "prefork_server"), "--sleep", "0", *options]

    def own(self, *options):
        return options

    def allow_boot(self, allowed):
        """A worker needs more descriptors than there are of now."""
        self.leaks = False
        if not allowed:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (3, 3))

    def normal(self, level, text):
        text = re.sub(r"(timed out after|busy for) \S+ s", r"\1 N s", super().normal(level, text))
        return re.sub(r"Thread \d+", "Thread N", text)
