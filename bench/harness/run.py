"""One run of a benchmark of servers: its options, its tables one after another, the goals, and the exit status."""

import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import textwrap

from harness import machine, measure
from harness.machine import Failure, ROOT


def add_options(parser, tables, rounds, seconds):
    """ROUNDS and SECONDS are defaults; SECONDS of the type that it takes."""
    parser.add_argument("--table", default=",".join(tables), metavar="NAMES", help="which of them, separated by commas (all)")
    parser.add_argument("--peer", metavar="NAMES", help="only these peers besides the limits and ours (all)")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin", metavar="FOLDER",
                        help="our programs (build/release/bin)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="every value of every round as JSON")
    add_counts(parser, ("rounds", rounds, ""))
    parser.add_argument("--seconds", type=type(seconds), default=seconds, metavar="S",
                        help=f"of one round of requests ({seconds:g})")


def add_counts(parser, *counts):
    """Options that are whole numbers, as (name, default, what they count)."""
    for name, default, text in counts:
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N", help=f"{text}({default})")


def parse(parser, tables):
    options = parser.parse_args()
    asked = options.table.split(",")
    for name in asked:
        if name not in tables:
            parser.error(f"no table {name}; there are {', '.join(tables)}")
    options.table = [name for name in tables if name in asked]
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("at least 1 round, of some time")
    return options


class Run:
    """The tables asked for, as they are measured, and what they say of the goals. A subclass has a method for each of its
    TABLES, which measures it, prints it, and adds it to `tables` and `goals`."""

    TABLES = ()
    PROGRAMS = ()  # of ours
    ALWAYS = ()  # who takes part whatever --peer says
    COMMANDS = {}  # command that it cannot do without -> Debian package

    def __init__(self, options, folder, peers, goals):
        self.options, self.folder, self.peers, self.goals = options, folder, peers, goals
        self.tables, self.done, self.machine = {}, [], machine.describe()
        self.stolen = machine.Stolen()
        if options.peer:
            peers.keep([*self.ALWAYS, *options.peer.split(",")])
        goals.asked = peers.names()

    def client(self):
        return measure.Client(self.options.bin.resolve(), self.folder)

    def client_paths(self):
        """Programs that make the load."""
        return [self.options.bin / "loadgen", *map(shutil.which, self.COMMANDS)]

    def has_descriptors(self, name, connections):
        count = measure.descriptors(connections)
        enough = machine.allow_descriptors(count) >= count
        if not enough:
            print(f"\n{name}: {connections} connections: not measured: they need `ulimit -n {count}`")
        return enough

    def print_head(self):
        clients = ", ".join(f"{pathlib.Path(path).name} {machine.version_of(path)}" for path in self.client_paths())
        for line in (self.machine, f"clients: {clients}", f"{self.options.rounds} rounds of {self.options.seconds:g} s"):
            print(textwrap.fill(line, 80, break_on_hyphens=False))
        for name, package in self.peers.left_out:
            source = package if " " in package else f"Debian package {package}"
            print(f"left out: {name}, not installed ({source})")

    def measure(self):
        """All tables asked for. Of one that fails nothing is kept, and those after it are not measured."""
        for table in self.options.table:
            sys.stdout.flush()
            getattr(self, table)()
            self.done.append(table)

    def conclude(self, failure):
        """Prints and writes what is known. FAILURE: why the run ended before its end, or None."""
        try:
            self.goals.print()
            print(f"(the host took {self.stolen.percent():.1f}% of the CPUs' time meanwhile)")
            if failure:
                print(textwrap.fill(f"({', '.join(self.not_measured())}: not measured: {failure.strip()})", 80))
            sys.stdout.flush()
        finally:
            if self.options.json:
                self.write_json(failure)

    def not_measured(self):
        return [table for table in self.options.table if table not in self.done]

    def write_json(self, failure):
        options = {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(self.options).items()}
        told = {"machine": self.machine, "stolen_percent": self.stolen.percent(), "options": options,
                "left_out": [name for name, _ in self.peers.left_out],
                "failure": failure, "not_measured": self.not_measured(), "tables": self.tables,
                "goals": [goal._asdict() for goal in self.goals.rows]}
        self.options.json.write_text(json.dumps(told, indent=1) + "\n")


def check_programs(run_class, options):
    for name in run_class.PROGRAMS:
        if not (options.bin / name).is_file():
            raise Failure(f"{options.bin / name} is not there; build it with make")
    for name, package in run_class.COMMANDS.items():
        if not shutil.which(name):
            raise Failure(f"{name} is missing (Debian package {package}; tools/deps bench)")
    if os.cpu_count() < 2:
        raise Failure("needs two CPUs, one for the server and one for the client")


def interrupted(*_):
    raise KeyboardInterrupt


def main(name, run_class, options):
    """Does the run. Returns the exit status: 1 when a goal is missed or not known, or something failed. Whatever happens,
    what has been measured by then is printed and written."""
    signal.signal(signal.SIGTERM, interrupted)
    run, failure, status = None, None, 0
    try:
        check_programs(run_class, options)
        machine.set_cpu(machine.CLIENT_CPU)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            run = run_class(options, pathlib.Path(folder))
            run.print_head()
            run.measure()
    except Failure as error:
        failure, status = str(error), 1
    except KeyboardInterrupt:
        failure, status = "interrupted", 130
    except BaseException as error:
        failure = f"{type(error).__name__}: {error}"
        raise
    finally:
        measure.tell("")
        if run:
            run.conclude(failure)
    if failure:
        print(f"bench/{name}: {failure}", file=sys.stderr)
    return status or (1 if run.goals.unreached() else 0)
