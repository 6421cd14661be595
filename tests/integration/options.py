"""The options of a program, read from its table in C: the one place that all others must agree with."""

import pathlib
import re

from servers import ROOT

TABLES = {"loadgen": "loadgen/config_options.c"}
ROW = re.compile(r"\{OPTION_(\w+),(.*?)(?=\n    \{|\n\};)", re.S)
VALUELESS = {"FLAG", "HELP", "VERSION"}


def options_of(program):
    """{("-n", "--requests"): True}: the names of each option in the order of the table, and whether it takes a value."""
    found = {}
    for kind, rest in ROW.findall(pathlib.Path(ROOT, TABLES[program]).read_text()):
        if kind == "HEADING":
            continue
        short = re.match(r"\s*(?:\.short_name = )?'(.)'", rest)
        name = re.search(r"\.name = \"([\w-]+)\"", rest) or re.match(r"\s*'.', \"([\w-]+)\"", rest)
        names = ((f"-{short.group(1)}",) if short else ()) + ((f"--{name.group(1)}",) if name else ())
        assert names, f"a row without a name: OPTION_{kind},{rest}"
        found[names] = kind not in VALUELESS
    return found
