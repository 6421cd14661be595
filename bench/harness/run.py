"""One run of a benchmark of servers: its options, its tables one after another, the goals, and the exit status."""

import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile

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
    options.table = options.table.split(",")
    for name in options.table:
        if name not in tables:
            parser.error(f"no table {name}; there are {', '.join(tables)}")
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("at least 1 round, of some time")
    return options


class Run:
    """The tables asked for, as they are measured, and what they say of the goals. A subclass has a method for each of its
    TABLES, which measures it, prints it, and adds it to `tables` and `goals`."""

    TABLES = ()
    PROGRAMS = ()  # of ours
    COMMANDS = {}  # command that it cannot do without -> Debian package

    def __init__(self, options, folder, peers, goals):
        self.options, self.folder, self.peers, self.goals = options, folder, peers, goals
        self.tables = {}

    def client(self):
        return measure.Client(self.options.bin.resolve(), self.folder)

    def has_descriptors(self, name, connections):
        enough = measure.check_descriptors(connections)
        if not enough:
            print(f"\n{name}: {connections} connections are more than the limit of open files allows: left out")
        return enough

    def print_head(self):
        print(f"{machine.describe()}\n{self.options.rounds} rounds of {self.options.seconds:g} s")
        for name, package in self.peers.left_out:
            source = package if " " in package else f"Debian package {package}"
            print(f"left out: {name}, not installed ({source})")

    def write_json(self):
        goals = [{"goal": goal, "measured": measured, "reached": reached} for goal, measured, reached in self.goals.rows]
        options = {key: str(value) if isinstance(value, pathlib.Path) else value for key, value in vars(self.options).items()}
        told = {"machine": machine.describe(), "options": options, "left_out": [name for name, _ in self.peers.left_out],
                "tables": self.tables, "goals": goals}
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
    """Does the run. Returns the exit status: 1 when a goal is missed, or something failed."""
    signal.signal(signal.SIGTERM, interrupted)
    try:
        check_programs(run_class, options)
        machine.set_cpu(machine.CLIENT_CPU)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            run = run_class(options, pathlib.Path(folder))
            run.print_head()
            for table in run_class.TABLES:
                if table in options.table:
                    sys.stdout.flush()
                    getattr(run, table)()
    except Failure as failure:
        sys.stdout.flush()
        print(f"bench/{name}: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    run.goals.print()
    if options.json:
        run.write_json()
    return 1 if run.goals.missed() else 0
