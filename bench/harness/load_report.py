"""Tables of bench/loadgen that no other has, 80 columns wide, and what became of its goals."""

from harness.load_clients import AB, LIMIT, OURS, WRK
from harness.machine import figure, median, ratios, spread
from harness.report import GoalList


def print_large(title, table, notes=()):
    """Client CPU a gigabyte, beside that of the limit in the same round, and the rate."""
    print(f"\n{title}")
    print(f"{'client':<14}{'CPU s/GB':>9}{'min..max':>14}{'ratio':>7}{'min..max':>13}{'GB/s':>8}{'min..max':>14}")
    for name, row in table.items():
        over = ratios(row["cpu_s"], table[LIMIT]["cpu_s"])
        print(f"{name:<14}{median(row['cpu_s']):>9.3f}{spread(row['cpu_s'], 3):>14}{figure(median(over)):>7}{spread(over):>13}"
              f"{median(row['gb_s']):>8.2f}{spread(row['gb_s']):>14}")
    for line in notes:
        print(f"({line})")


class Goals(GoalList):
    """Those of loadgen."""

    def at_most(self, what, table, metric, rival, limit, below=False):
        """OURS costs at most LIMIT of RIVAL, which may not be there; or BELOW it."""
        if rival in table:
            over = median(ratios(table[OURS][metric], table[rival][metric]))
            self.add(f"{what} {'below' if below else 'at most'} {limit:.2f} of {rival}", f"{over:.3f}",
                     over < limit if below else over <= limit)

    def keepalive(self, connections, table):
        what = f"keep-alive, c = {connections}: CPU"
        if connections == 1:
            self.at_most(what, table, "cpu_us", WRK, 1)
        else:
            self.at_most(what, table, "cpu_us", LIMIT, 1.05)
            self.at_most(what, table, "cpu_us", WRK, 0.80, below=True)
            self.at_most(what, table, "cpu_us", AB, 0.92, below=True)

    def large(self, size, table):
        self.at_most(f"bodies of {size // 1024} KiB: CPU", table, "cpu_s", WRK, 0.30 if size >= 1 << 20 else 0.70)

    def connection(self, table):
        self.at_most("a connection each: CPU", table, "cpu_us", AB, 1.05)

    def pipeline(self, depth, table):
        what = f"pipelined by {depth}"
        if WRK in table:
            rate = median(ratios(table[OURS]["rps"], table[WRK]["rps"]))
            self.add(f"{what}: at least the rate of {WRK}", f"{rate:.3f}", rate >= 1)
        self.at_most(f"{what}: CPU", table, "cpu_us", WRK, 1, below=True)
