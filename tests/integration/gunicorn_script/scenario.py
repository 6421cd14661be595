"""What a scenario is, and the differences that several of them have.

A scenario is a script for one server, as a Site of gunicorn_site.py; both servers go through it, and what is compared
are the parts that the Site makes of it: "arbiter 1", "arbiter 2" (the lines of each, in order), "workers" (the lines of
each), "output" (what else was printed), and what the script saw.  A difference is {id: {part: (theirs, ours)}}, of a list
only the items that the other does not have; docs/gunicorn-map.md has the reason for each id.
"""

import dataclasses
import signal
import typing

FOR_EVER = "/?sleep=50"
REQUEST = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
BOOTED = "INFO Booting worker with pid: PID"
EXITED = "INFO Worker exiting (pid: PID)"
LIVED = (BOOTED, EXITED)

# gunicorn sends TERM to a worker again and again until it is reaped; it may come when the handlers are gone already.
SECOND_TERM = "WARNING Worker with pid PID was terminated due to signal 15"
# It kills, and goes without looking at who ended; or kills whom it has told to abort, but a second is not enough for Python.
LAST_KILL = "WARNING Worker with pid PID was terminated due to signal 9"


@dataclasses.dataclass
class Scenario:
    name: str
    play: typing.Callable
    differs: dict
    chance: tuple  # lines that gunicorn's arbiter writes or not, as it happens
    root: bool  # only root can play it

    def parts(self):
        """{part: (theirs, ours)}, of whatever difference."""
        parts = {}
        for differences in self.differs.values():
            for part, pair in differences.items():
                if part in parts:  # lists: several differences in one log
                    pair = tuple(sorted(before + more) for before, more in zip(parts[part], pair))
                parts[part] = pair
        return parts


SCENARIOS = []


def scenario(differs=None, chance=(), root=False):
    def add(play):
        SCENARIOS.append(Scenario(play.__name__.replace("_", "-"), play, differs or {}, (SECOND_TERM, *chance), root))
        return play

    return add


def killed(*signals):
    """Our words for a worker that a signal ended are those of later gunicorns."""
    ours = [f"ERROR Worker (pid:PID) was sent {name}!" + " Perhaps out of memory?" * (name == "SIGKILL") for name in signals]
    theirs = [f"WARNING Worker with pid PID was terminated due to signal {int(signal.Signals[name])}" for name in signals]
    return {"end-of-a-worker": {"arbiter 1": (sorted(theirs), sorted(ours))}}


def exited(code):
    return {"end-of-a-worker": {"arbiter 1": ([], [f"ERROR Worker (pid:PID) exited with code {code}"])}}


# Threads, asked for by --threads alone, are called by the class that serves them.
CLASS_NAME = {"class-name": {"arbiter 1": (["INFO Using worker: threads"], ["INFO Using worker: gthread"])}}


def bye(site):
    """A graceful stop, for those scenarios that are about something else."""
    site.signal(signal.SIGTERM)
    site.wait()
