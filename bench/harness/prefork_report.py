"""Tables of bench/prefork_server that no other has, 80 columns wide, and what became of its goals."""

from harness.goals import GoalList, values_of
from harness.machine import figure, median, ratios, spread
from harness.prefork_peers import APACHE_PREFORK, APACHE_WORKER, LIMIT, OURS
from harness.report import Column

KIB = Column("bytes", "KiB", 0, 1024)


def print_herd(title, table, base):
    """Server CPU and context switches a request, beside BASE in the same round."""
    print(f"\n{title}")
    print(f"{'server':<16}{'CPU us':>8}{'min..max':>16}{'ratio':>7}{'min..max':>13}{'switches':>10}{'min..max':>10}")
    for name, row in table.items():
        over = ratios(row["cpu_us"], table[base]["cpu_us"])
        print(f"{name:<16}{median(row['cpu_us']):>8.2f}{spread(row['cpu_us']):>16}{figure(median(over)):>7}{spread(over):>13}"
              f"{median(row['switches']):>10.2f}{spread(row['switches'], 1):>10}")


def print_asleep(title, table, sleep):
    print(f"\n{title}")
    print(f"{'workers':<14}{'w/S':>8}{'req/s':>9}{'share':>9}{'min..max':>15}{'CPU us':>10}{'min..max':>15}")
    for workers, row in table.items():
        share = [100 * value for value in row["share"]]
        print(f"{workers:<14}{workers / sleep:>8.0f}{median(row['rps']):>9.1f}{median(share):>8.2f}%{spread(share, 3):>15}"
              f"{median(row['cpu_us']):>10.2f}{spread(row['cpu_us']):>15}")


def print_spread(title, tables):
    """TABLES: {connections: table}"""
    print(f"\n{title}")
    print(f"{'connections':<14}{'busiest':>9}{'min..max':>14}{'idlest':>9}{'min..max':>14}{'ratio':>7}{'min..max':>13}")
    for connections, table in tables.items():
        for row in table.values():
            over = unevenness(row)
            print(f"{connections:<14}{median(row['busiest']):>9.0f}{spread(row['busiest'], 0):>14}"
                  f"{median(row['idlest']):>9.0f}{spread(row['idlest'], 0):>14}{figure(median(over)):>7}{spread(over):>13}")


def unevenness(row):
    """Busiest over idlest of each round."""
    return [busiest / max(idlest, 1) for busiest, idlest in zip(row["busiest"], row["idlest"])]


def print_ready(title, table):
    print(f"\n{title}")
    print(f"{'server':<16}{'booted ms':>10}{'min..max':>16}{'answered ms':>13}{'min..max':>16}")
    for name, row in table.items():
        print(f"{name:<16}{median(row['booted_ms']):>10.1f}{spread(row['booted_ms'], 1):>16}"
              f"{median(row['ready_ms']):>13.1f}{spread(row['ready_ms'], 1):>16}")


class Goals(GoalList):
    """Those of prefork_server."""

    def cost(self, table):
        self.judge("a connection: CPU at most 1.15 of bare loop", values_of(table, OURS, "cpu_us", LIMIT),
                   lambda over: over <= 1.15)
        for name in filter(self.asks_for, ("nginx", APACHE_PREFORK)):
            self.judge(f"a connection: below {name} (it / ours)", values_of(table, name, "cpu_us", OURS), lambda over: over > 1)

    def herd(self, connections, table, one, many):
        self.judge(f"herd at c = {connections}: {many} at most 1.2 of {one}", values_of(table, many, "cpu_us", one),
                   lambda over: over <= 1.2)

    def gthread(self, table):
        for name in filter(self.asks_for, (APACHE_WORKER, APACHE_PREFORK)):
            self.judge(f"gthread: CPU at most 0.50 of {name}", values_of(table, OURS, "cpu_us", name), lambda over: over <= 0.5)

    def asleep(self, asked, table):
        """ASKED: numbers of workers."""
        for workers in asked:
            share = values_of(table, workers, "share")
            self.judge(f"asleep: at least 99% of w/S at w = {workers}", share and [100 * value for value in share],
                       lambda percent: percent >= 99, ".2f", "%")

    def spread(self, connections, table):
        for row in table.values():
            self.judge(f"spread at c = {connections}: busiest at most 2 idlest", unevenness(row), lambda over: over <= 2)

    def memory(self, table):
        self.judge("idle worker: below 400 KiB of private memory", [size / 1024 for size in table[OURS]["bytes"]],
                   lambda size: size < 400, ".0f", " KiB")

    def ready(self, workers, table):
        for row in table.values():
            self.judge(f"{workers} workers ready within 500 ms", row["ready_ms"], lambda took: took <= 500, ".1f", " ms")
