"""Makes a server's system calls fail while it runs, through fakes/inject.c in LD_PRELOAD."""

import errno
import mmap
import os
import struct
import subprocess

import pytest

from servers import ROOT, wait_until

# In the order of inject.c's `enum call`.
CALLS = ["accept4", "recv", "send", "write", "poll", "epoll", "epoll_ctl", "timerfd_settime", "clock_nanosleep", "sigtimedwait",
         "waitpid", "fork", "open"]
RULE = struct.Struct("=iiiii")  # skip, times, error, most, struck
ALWAYS = -1


def build_library(folder):
    library = folder / "inject.so"
    subprocess.run(["cc", "-std=c11", "-O1", "-fPIC", "-shared", "-o", library, ROOT / "tests/integration/fakes/inject.c"], check=True)
    return library


class Injector:
    """What a server started with `env=injector.env` is told by the kernel. Processes that it forks count together."""

    def __init__(self, library, path):
        path.write_bytes(bytes(len(CALLS) * RULE.size + 4))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)
        # The sanitizers' libraries want to be the first, but do as well when they are told not to insist.
        options = os.environ.get("ASAN_OPTIONS", "")
        self.env = {"LD_PRELOAD": str(library), "INJECT_FILE": str(path),
                    "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0".lstrip(":")}

    def _at(self, call):
        return CALLS.index(call) * RULE.size

    def set(self, call, error=0, times=1, skip=0, most=0):
        """The next TIMES calls after SKIP more fail with ERROR (a name), or take at most MOST bytes."""
        at = self._at(call)
        self.memory[at + 4:at + 8] = struct.pack("=i", 0)  # off, while the rest is written
        number = getattr(errno, error) if error else 0
        self.memory[at:at + 4] = struct.pack("=i", skip)
        self.memory[at + 8:at + RULE.size] = struct.pack("=iii", number, most, 0)
        self.memory[at + 4:at + 8] = struct.pack("=i", times)

    def stop(self, call):
        at = self._at(call)
        self.memory[at + 4:at + 8] = struct.pack("=i", 0)

    def struck(self, call):
        """How often the rule has struck since it was set."""
        return RULE.unpack_from(self.memory, self._at(call))[4]

    def wait(self, call, count=1):
        """Waits until it has struck COUNT times: a fault that did not happen proves nothing."""
        wait_until(lambda: self.struck(call) >= count, f"{call} failing {count} times")

    def move_wall_clock(self, seconds):
        self.memory[len(CALLS) * RULE.size:] = struct.pack("=i", seconds)


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    return build_library(tmp_path_factory.mktemp("inject"))


@pytest.fixture
def injector(library, tmp_path):
    return Injector(library, tmp_path / "inject.control")
