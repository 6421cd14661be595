"""Tables of bench/prefork_server that no other has, 80 columns wide, and what became of its goals."""

from harness.machine import figure, median, ratios, spread
from harness.prefork_peers import APACHE_PREFORK, APACHE_WORKER, LIMIT, OURS
from harness.report import GoalList


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


def print_memory(title, table):
    print(f"\n{title}")
    print(f"{'server':<16}{'KiB':>8}{'min..max':>16}")
    for name, row in table.items():
        sizes = [size / 1024 for size in row["bytes"]]
        print(f"{name:<16}{median(sizes):>8.0f}{spread(sizes, 0):>16}")


def print_ready(title, table):
    print(f"\n{title}")
    print(f"{'server':<16}{'booted ms':>10}{'min..max':>16}{'answered ms':>13}{'min..max':>16}")
    for name, row in table.items():
        print(f"{name:<16}{median(row['booted_ms']):>10.1f}{spread(row['booted_ms'], 1):>16}"
              f"{median(row['ready_ms']):>13.1f}{spread(row['ready_ms'], 1):>16}")


class Goals(GoalList):
    """Those of prefork_server."""

    def cost(self, table):
        over = median(ratios(table[OURS]["cpu_us"], table[LIMIT]["cpu_us"]))
        self.add("a connection: CPU at most 1.15 of the bare loop", f"{over:.3f}", over <= 1.15)
        for name in ("nginx", APACHE_PREFORK):
            if name in table:
                over = median(ratios(table[name]["cpu_us"], table[OURS]["cpu_us"]))
                self.add(f"a connection: below {name} (it / ours)", f"{over:.3f}", over > 1)

    def herd(self, connections, table, one, many):
        over = median(ratios(table[many]["cpu_us"], table[one]["cpu_us"]))
        self.add(f"herd at c = {connections}: {many} at most 1.2 of {one}", f"{over:.3f}", over <= 1.2)

    def gthread(self, table):
        for name in (APACHE_WORKER, APACHE_PREFORK):
            if name in table:
                over = median(ratios(table[OURS]["cpu_us"], table[name]["cpu_us"]))
                self.add(f"gthread: CPU at most 0.50 of {name}", f"{over:.3f}", over <= 0.5)

    def asleep(self, table):
        for workers, row in table.items():
            share = median(row["share"])
            self.add(f"asleep: at least 99% of w/S at w = {workers}", f"{100 * share:.2f}%", share >= 0.99)

    def spread(self, connections, table):
        for row in table.values():
            over = median(unevenness(row))
            self.add(f"spread at c = {connections}: busiest at most 2 idlest", f"{over:.3f}", over <= 2)

    def memory(self, table):
        size = median(table[OURS]["bytes"]) / 1024
        self.add("idle worker: below 400 KiB of private memory", f"{size:.0f} KiB", size < 400)

    def ready(self, workers, table):
        took = max(median(row["ready_ms"]) for row in table.values())
        self.add(f"{workers} workers ready within 500 ms", f"{took:.1f} ms", took <= 500)
