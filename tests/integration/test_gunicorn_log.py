"""prefork_server and the real gunicorn, driven by the same signals: their logs are the same."""

import pathlib
import re
import shutil
import signal

import pytest

from servers import PreforkServer, Program, wait_until


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
