"""The machine under a benchmark: which CPU does what, what a server has used, and how its programs are built."""

import contextlib
import ctypes
import os
import pathlib
import platform
import re
import resource
import signal
import socket
import statistics
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SERVER_CPU, CLIENT_CPU = 0, 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """Something that ends the run with one line."""


def set_cpu(cpu):
    os.sched_setaffinity(0, {cpu % os.cpu_count()})


def pinned(cpu):
    """For Popen's preexec_fn: the new process stays on CPU."""
    return lambda: set_cpu(cpu)


def die_with_parent():
    """In a new child: SIGKILL when the parent is gone, however it went (prctl PR_SET_PDEATHSIG)."""
    LIBC.prctl(1, signal.SIGKILL)


def pinned_child(cpu):
    """For Popen's preexec_fn: as pinned, and it does not outlive us."""
    def prepare():
        set_cpu(cpu)
        die_with_parent()
    return prepare


def kill(process):
    """Ends a Popen and reaps it. Not by its own wait: an interrupt in the midst of another one may have left its lock taken."""
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):  # reaped before
        process.returncode = os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1])


class Ports:
    """Free ports below those that the kernel gives to clients, each handed out once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.next = 20000 + os.getpid() * 37 % 9000

    def take(self):
        with self.lock:
            while True:
                self.next = self.next + 1 if self.next < 32000 else 20000
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind(("127.0.0.1", self.next))
                        return self.next
                    except OSError:
                        continue


def allow_descriptors(count):
    """Raises the soft limit of open files to COUNT, for us and our children. Returns how many there can be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        soft = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def family(pid):
    """PID and its living descendants."""
    pids = [pid]
    for parent in pids:
        for task in pathlib.Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                pids += map(int, task.read_text().split())
            except OSError:
                continue  # ended meanwhile
    return pids


def cpu_ns(pid):
    """User and system time so far of all threads of PID and its descendants, by the CPU-time clock of each process."""
    total = 0
    for member in family(pid):
        clock = ctypes.c_int()
        if LIBC.clock_getcpuclockid(member, ctypes.byref(clock)) == 0:
            total += time.clock_gettime_ns(clock.value)
    return total


def smaps_bytes(pid, *fields):
    """The sum of FIELDS of /proc/PID/smaps_rollup: counted page by page, where VmRSS of /proc/PID/status may lag behind."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(re.search(rf"^{field}: +(\d+) kB", text, re.M).group(1)) * 1024 for field in fields)


def rss_bytes(pid):
    """Resident memory of PID and its descendants."""
    return sum(smaps_bytes(member, "Rss") for member in family(pid))


def private_bytes(pid):
    """Memory of the process PID that it shares with no other: what one more like it costs."""
    return smaps_bytes(pid, "Private_Clean", "Private_Dirty")


def switches(pid):
    """Context switches so far, voluntary and not, of all threads of PID and its descendants."""
    total = 0
    for member in family(pid):
        for status in pathlib.Path(f"/proc/{member}/task").glob("*/status"):
            with contextlib.suppress(OSError):  # ended meanwhile
                total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", status.read_text())))
    return total


def build(source, folder, *flags):
    """Compiles bench/SOURCE into FOLDER. Returns the program."""
    program = folder / pathlib.Path(source).stem
    program.parent.mkdir(parents=True, exist_ok=True)
    command = [os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", program, ROOT / "bench" / source, *flags]
    if subprocess.run(command).returncode != 0:
        raise Failure(f"cannot compile bench/{source}")
    return program


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout


def describe():
    """CPUs, kernel, limits and the revision measured, in one line."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    revision = output_of("git", "-C", ROOT, "describe", "--always", "--dirty").strip()
    files = ["unlimited" if limit == resource.RLIM_INFINITY else limit for limit in resource.getrlimit(resource.RLIMIT_NOFILE)]
    ports = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    return ", ".join([f"{os.cpu_count()} x {model.group(1) if model else platform.machine()}", f"Linux {platform.release()}",
                      *governor(), f"ulimit -n {files[0]} (at most {files[1]})", f"local ports {'..'.join(ports)}",
                      f"revision {revision or '?'}"])


def governor(sysfs=pathlib.Path("/sys/devices/system/cpu")):
    """["governor NAME"], or all that CPUs have; [] where the kernel does not set their speed, as in most virtual machines."""
    names = {path.read_text().strip() for path in sysfs.glob("cpu*/cpufreq/scaling_governor")}
    return [f"governor {' and '.join(sorted(names))}"] if names else []


class Stolen:
    """What the host of a virtual machine has taken of its CPUs since now (steal, proc(5)): such time is in no figure of ours,
    and in all of them."""

    def __init__(self, stat=pathlib.Path("/proc/stat")):
        self.stat = stat
        self.begin = self.ticks()

    def ticks(self):
        """(taken, all) since the machine started."""
        spent = [int(word) for word in self.stat.read_text().splitlines()[0].split()[1:9]]  # guests' time is in user's
        return spent[7], sum(spent)

    def percent(self):
        taken, spent = (now - before for now, before in zip(self.ticks(), self.begin))
        return 100 * taken / spent if spent else 0.0


def version_of(program):
    """As PROGRAM says it itself; "?" if it does not."""
    option = {"wrk": "-v", "ab": "-V"}.get(pathlib.Path(program).name, "--version")
    done = subprocess.run([program, option], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    found = re.search(r"\d+(\.\d+)+[\w.+~-]*", done.stdout.partition("\n")[0])
    return found.group(0) if found else "?"


def ratios(values, base):
    """VALUES over BASE round by round: what the machine did in a round, it did to both."""
    return [value / other for value, other in zip(values, base)]


def figure(value, digits=2):
    """VALUE with so many decimals; one less for each digit before the point above two."""
    return f"{value:.{max(0, digits - max(0, len(str(int(value))) - 2))}f}"


def spread(values, digits=2):
    """The smallest and the largest of the rounds."""
    return f"{figure(min(values), digits)}..{figure(max(values), digits)}"


median = statistics.median
