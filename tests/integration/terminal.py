"""A terminal as a program sees one: a pseudo-terminal, and what stands on its screen."""

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

from load import default_signals
from servers import PATIENCE

CONTROL = re.compile(r"\x1b\[(\d*)([A-Za-z])|\x1b\[?\d*$|\r|\n|.", re.S)


class Screen:
    """Interprets what loadgen and its like send: text, CR, LF, and of the escape sequences CUU, EL, ED and SGR."""

    def __init__(self, columns, rows):
        self.columns = columns
        self.rows = rows
        self.lines = [""]  # all that were ever reached: the screen shows the last `rows` of them
        self.row = self.column = 0
        self.wrapped = 0  # lines that were wider than the screen
        self.rest = ""

    def feed(self, text):
        text = self.rest + text
        self.rest = ""
        for match in CONTROL.finditer(text):
            token = match.group(0)
            if match.group(2):
                self.control(match.group(2), match.group(1))
            elif token.startswith("\x1b"):
                self.rest = token
            elif token == "\r":
                self.column = 0
            elif token == "\n":
                self.down()
            else:
                self.put(token)

    def down(self):
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")

    def put(self, character):
        if self.column == self.columns:
            self.wrapped += 1
            self.column = 0
            self.down()
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[:self.column] + character + line[self.column + 1:]
        self.column += 1

    def control(self, letter, number):
        if letter == "A":
            top = max(0, len(self.lines) - self.rows)
            self.row = max(top, self.row - int(number or 1))
        elif letter == "K":
            self.lines[self.row] = self.lines[self.row][:self.column]
        elif letter == "J":
            self.lines[self.row] = self.lines[self.row][:self.column]
            del self.lines[self.row + 1:]
        else:
            assert letter == "m", f"an escape sequence that terminals may not know: {number}{letter}"

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines)


class Terminal:
    """Runs a command with standard error, or all of its output, on a pseudo-terminal."""

    def __init__(self, command, columns=80, rows=24, stdout=subprocess.DEVNULL, env=None):
        self.leader, follower = pty.openpty()
        self.resize(columns, rows)
        self.screen = Screen(columns, rows)
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.sent = ""  # all that ever came
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("LC_") and name not in ("LANG", "NO_COLOR")}
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=follower if stdout is None else stdout, stderr=follower,
            env={**environment, "TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})},
            preexec_fn=default_signals)
        os.close(follower)

    def resize(self, columns, rows):
        fcntl.ioctl(self.leader, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        """Waits for more and puts it on the screen. Returns it; "" when the last writer is gone."""
        assert select.select([self.leader], [], [], PATIENCE)[0], f"nothing more came after:\n{self.screen.text()}"
        try:
            more = self.decoder.decode(os.read(self.leader, 65536))
        except OSError:  # how Linux says so
            return ""
        self.sent += more
        self.screen.feed(more)
        return more

    def wait_for(self, condition, what):
        """Reads until CONDITION(text on the screen). Returns the text."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if not self.read():
                break
            if condition(self.screen.text()):
                return self.screen.text()
        raise AssertionError(f"{what} was not seen; last:\n{self.screen.text()}")

    def finish(self):
        """Reads to the end. Returns the exit status."""
        while self.read():
            pass
        return self.process.wait(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        with contextlib.suppress(OSError):
            os.close(self.leader)
