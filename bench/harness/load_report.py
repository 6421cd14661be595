"""Tables of bench/loadgen that no other has, 80 columns wide, and what became of its goals."""

from harness.arrivals import LEVEL
from harness.goals import GoalList, values_of
from harness.load_clients import AB, LIMIT, OURS, WRK
from harness.machine import figure, median, spread
from harness.report import Column

CPU_GB, RATE_GB = Column("cpu_s", "s/GB", 3), Column("gb_s", "GB/s", 2)
SEEN_US = 1000  # by the server's clock: loose, for how late the server itself wakes is in it


def print_held(title, table):
    print(f"\n{title}")
    print(f"{'connections':<14}{'open':>7}{'asked':>9}{'answered':>10}{'failed':>8}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}")
    for connections, row in table.items():
        print(f"{connections:<14}{min(row['open']):>7}{max(row['asked']):>9}{min(row['answered']):>10}{max(row['failed']):>8}"
              f"{median(row['rps']):>9.0f}{median(row['p50_ms']):>9.0f}{median(row['p99_ms']):>9.0f}")


def print_paced(title, table):
    """The lag by loadgen's word; `seen`: by the server's clock, for constant gaps."""
    print(f"\n{title}")
    print(f"{'gaps':<10}{'req/s':>8}{'min..max':>16}{'lag p50':>9}{'p99 us':>8}{'min..max':>14}{'max':>7}{'seen':>8}")
    for name, row in table.items():
        seen = figure(median(row["off_us"])) if name == "constant" else "-"
        print(f"{name:<10}{median(row['rate']):>8.0f}{spread(row['rate'], 0):>16}{figure(median(row['lag_p50_us'])):>9}"
              f"{figure(median(row['lag_p99_us'])):>8}{spread(row['lag_p99_us'], 0):>14}{max(row['lag_max_us']):>7.0f}{seen:>8}")


def print_accuracy(title, table):
    """Beside the limit in the same round."""
    print(f"\n{title}")
    print(f"{'client':<14}{'p50 ms':>8}{'beside':>9}{'min..max':>16}{'p99 ms':>9}{'beside':>9}{'min..max':>15}")
    for name, row in table.items():
        columns = []
        for key in ("p50_ms", "p99_ms"):
            beside = differences(row[key], table[LIMIT][key])
            columns += [f"{median(row[key]):.3f}", f"{median(beside):+.3f}", f"{min(beside):+.2f}..{max(beside):+.2f}"]
        print(f"{name:<14}{columns[0]:>8}{columns[1]:>9}{columns[2]:>16}{columns[3]:>9}{columns[4]:>9}{columns[5]:>15}")


def differences(values, base):
    """VALUES less BASE round by round."""
    return [value - other for value, other in zip(values, base)]


class Goals(GoalList):
    """Those of loadgen."""

    def at_most(self, what, table, metric, rival, limit, below=False):
        """OURS costs at most LIMIT of RIVAL; or BELOW it."""
        if self.asks_for(rival):
            self.judge(f"{what} {'below' if below else 'at most'} {limit:.2f} of {rival}",
                       values_of(table, OURS, metric, rival), lambda over: over < limit if below else over <= limit)

    def keepalive(self, connections, table):
        what = f"c = {connections}: CPU"
        if connections == 1:
            self.at_most(what, table, "cpu_us", WRK, 1)
        else:
            self.at_most(what, table, "cpu_us", LIMIT, 1.05)
            self.at_most(what, table, "cpu_us", WRK, 0.80, below=True)
            self.at_most(what, table, "cpu_us", AB, 0.92, below=True)

    def large(self, size, table):
        self.at_most(f"{size // 1024} KiB: CPU", table, "cpu_s", WRK, 0.30 if size >= 1 << 20 else 0.70)

    def connection(self, table):
        self.at_most("a connection each: CPU", table, "cpu_us", AB, 1.05)

    def pipeline(self, depth, table):
        what = f"pipelined by {depth}"
        if self.asks_for(WRK):
            self.judge(f"{what}: at least the rate of {WRK}", values_of(table, OURS, "rps", WRK), lambda rate: rate >= 1)
        self.at_most(f"{what}: CPU", table, "cpu_us", WRK, 1, below=True)

    def memory(self, table):
        self.judge("a connection: below 1 KiB of memory", values_of(table, OURS, "bytes"), lambda size: size < 1024, ".0f",
                   " bytes")

    def held(self, connections, table):
        goals = f"{connections} connections open at once", f"{connections} connections: all answered"
        if connections not in table:
            for goal in goals:
                self.unmeasured(goal)
            return
        row = table[connections]
        most, lost = min(row["open"]), max(map(int.__sub__, row["asked"], row["answered"]))
        self.add(goals[0], f"{most}", most >= connections)
        self.add(goals[1], f"{lost} lost, {max(row['failed'])} failed", lost == 0 and not any(row["failed"]))

    def paced(self, table):
        """By the server's clock, but for the lag, which loadgen alone knows."""
        constant, poisson = table["constant"], table["poisson"]
        off = [100 * abs(rate / asked - 1) for rate, asked in zip(constant["rate"], constant["asked"])]
        self.judge("pacing, constant: rate within 1%", off, lambda percent: percent <= 1, ".2f", "%")
        self.judge(f"pacing, constant: 99% seen within {SEEN_US / 1000:g} ms", constant["off_us"],
                   lambda late: late <= SEEN_US, ".0f", " us")
        distance, limit = poisson["distance"][0], poisson["distance_limit"][0]
        self.add(f"pacing, poisson: gaps exponential (KS, {100 * LEVEL:g}%)", f"{distance:.4f} of {limit:.4f}",
                 distance <= limit)
        for name, row in table.items():
            self.judge(f"pacing, {name}: own lag p99 below 100 us", row["lag_p99_us"], lambda late: late < 100, ".0f", " us")

    def accuracy(self, connections, table):
        for key in ("p50", "p99"):
            self.judge(f"{key} at c = {connections}: within 0.2 ms of {LIMIT}",
                       differences(table[OURS][f"{key}_ms"], table[LIMIT][f"{key}_ms"]), lambda off: abs(off) <= 0.2,
                       "+.3f", " ms")
