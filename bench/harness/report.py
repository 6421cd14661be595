"""Tables of costs and those of bench/async_server, 80 columns wide, and what became of its goals."""

from typing import NamedTuple

from harness.goals import GoalList, values_of
from harness.machine import figure, median, ratios, spread
from harness.peers import LIMIT, OURS, SLEEP_LIMIT

RUNGS = {LIMIT, OURS, "libuv+llhttp"}  # no peers: what ours is made of


class Column(NamedTuple):
    """METRIC of a row, over UNIT, with so many DIGITS."""
    metric: str
    head: str
    digits: int
    unit: float = 1

    def of(self, row):
        return [value / self.unit for value in row[self.metric]]


CPU, RATE = Column("cpu_us", "CPU us", 2), Column("rps", "1000/s", 1, 1000)
BYTES = Column("bytes", "bytes", 0)


def print_costs(title, table, unable=(), notes=(), base=LIMIT, what="server", cost=CPU, rate=RATE):
    """COST, of WHAT is measured, beside that of BASE in the same round, and the RATE."""
    print(f"\n{title}")
    print(f"{what:<16}{cost.head:>7}{'min..max':>16}{'ratio':>7}{'min..max':>13}{rate.head:>8}{'min..max':>13}")
    for name, row in table.items():
        costs, rates, over = cost.of(row), rate.of(row), ratios(row[cost.metric], table[base][cost.metric])
        print(f"{name:<16}{median(costs):>7.{cost.digits}f}{spread(costs, cost.digits):>16}{figure(median(over)):>7}"
              f"{spread(over):>13}{median(rates):>8.{rate.digits}f}{spread(rates, rate.digits):>13}")
    for name in unable:
        print(f"{name:<16}  does not answer all of them: not measured")
    for line in notes:
        print(f"({line})")


def print_figures(title, table, column, what="server"):
    """One figure of each."""
    print(f"\n{title}")
    print(f"{what:<16}{column.head:>8}{'min..max':>16}")
    for name, row in table.items():
        values = column.of(row)
        print(f"{name:<16}{median(values):>8.{column.digits}f}{spread(values, column.digits):>16}")


def print_sleepers(title, table, notes=()):
    """Rate and p99, beside the bare loop's in the same round."""
    print(f"\n{title}")
    print(f"{'server':<14}{'req/s':>7}{'share':>8}{'min..max':>15}{'p50 ms':>8}{'p99 ms':>8}{'ratio':>7}{'min..max':>13}")
    for name, row in table.items():
        share = [100 * value for value in ratios(row["rps"], table[SLEEP_LIMIT]["rps"])]
        late = ratios(row["p99_ms"], table[SLEEP_LIMIT]["p99_ms"])
        print(f"{name:<14}{median(row['rps']):>7.0f}{median(share):>7.1f}%{spread(share):>15}{median(row['p50_ms']):>8.0f}"
              f"{median(row['p99_ms']):>8.0f}{median(late):>7.3f}{spread(late, 3):>13}")
    for line in notes:
        print(f"({line})")


def print_lateness(title, table):
    print(f"\n{title}")
    print(f"{'server':<14}{'least ms':>9}{'p50 ms':>8}{'min..max':>13}{'p99 ms':>8}{'min..max':>13}{'max ms':>8}")
    for name, row in table.items():
        print(f"{name:<14}{min(row['min_ms']):>9.3f}{median(row['p50_ms']):>8.3f}{spread(row['p50_ms']):>13}"
              f"{median(row['p99_ms']):>8.3f}{spread(row['p99_ms']):>13}{max(row['max_ms']):>8.3f}")


def print_start(title, table):
    print(f"\n{title}")
    print(f"{'server':<14}{'ms':>8}{'min..max':>16}{'ratio':>7}{'min..max':>15}")
    for name, row in table.items():
        over = ratios(row["start_ms"], table[LIMIT]["start_ms"])
        print(f"{name:<14}{median(row['start_ms']):>8.1f}{spread(row['start_ms'], 1):>16}{figure(median(over), 1):>7}"
              f"{spread(over, 1):>15}")


class Goals(GoalList):
    """Those of async_server."""

    def keepalive(self, table):
        self.judge("keep-alive: CPU at most 1.05 of bare epoll", values_of(table, OURS, "cpu_us", LIMIT),
                   lambda over: over <= 1.05)
        costs = {name: values_of(table, name, "cpu_us", OURS) for name in table if name not in RUNGS}
        if costs:
            nearest = min(costs, key=lambda name: median(costs[name]))
            self.judge(f"keep-alive: below {nearest} (it / ours)", costs[nearest], lambda over: over > 1)
        elif self.asked is None or self.asked - RUNGS:
            self.unmeasured("keep-alive: CPU below every peer")

    def pipelined(self, table):
        self.judge("pipelined: CPU at most 0.50 us a request", values_of(table, OURS, "cpu_us"), lambda cost: cost <= 0.5,
                   ".2f", " us")

    def idle(self, table):
        self.judge("idle connection: at most 450 bytes", values_of(table, OURS, "bytes"), lambda size: size <= 450, ".0f",
                   " bytes")

    def sleepers(self, connections, table):
        share, late = (values_of(table, OURS, metric, SLEEP_LIMIT) for metric in ("rps", "p99_ms"))
        self.judge(f"{connections} asleep: rate at least 99% of the limit's", share and [100 * value for value in share],
                   lambda percent: percent >= 99, ".1f", "%")
        self.judge(f"{connections} asleep: p99 within 2% of the limit's", late and [100 * value - 100 for value in late],
                   lambda percent: percent <= 2, "+.1f", "%")

    def lateness(self, connections, table):
        row = table[OURS]
        self.judge(f"p99 lateness at c = {connections}: below 2 ms", row["p99_ms"], lambda late: late < 2, unit=" ms")
        self.add(f"no sleep ends early at c = {connections}", f"{min(row['min_ms']):+.3f} ms", min(row["min_ms"]) >= 0)

    def start(self, table):
        self.judge("start to first answer: below 20 ms", values_of(table, OURS, "start_ms"), lambda took: took < 20,
                   ".1f", " ms")
