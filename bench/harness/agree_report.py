"""Tables of bench/agree, 80 columns wide, and what became of its goals."""

from harness.agree_clients import AGAIN, PERCENTS, RAW
from harness.goals import GoalList
from harness.load_clients import AB, H2LOAD, OURS, WRK
from harness.machine import median, spread

SHARE, TIME_MS = 0.02, 0.2  # so much two may differ: rates by the share, times by the larger of the two


def print_compared(title, table):
    """Rates and times; the last column is what Little's law makes of them."""
    print(f"\n{title}")
    columns = "".join(f"{f'p{percent} ms':>9}" for percent in PERCENTS)
    print(f"{'client':<14}{'req/s':>8}{'min..max':>16}{columns}{'busy':>6}")
    for name, row in table.items():
        times = "".join(f"{median(row[f'p{percent}_ms']):>9.3f}" for percent in PERCENTS)
        busy = f"{median(under_way(row)):.1f}" if "mean_ms" in row else "-"
        print(f"{name:<14}{median(row['rps']):>8.0f}{spread(row['rps'], 0):>16}{times}{busy:>6}")
    if AGAIN in table:
        print(f"(best rounds of loadgen again and loadgen: {in_words(*apart(AGAIN, table))})")


def under_way(row):
    """Connections with a request under way, on average: Little's law, rate times mean time."""
    return [rps * mean / 1000 for rps, mean in zip(row["rps"], row["mean_ms"])]


def print_answers(title, table):
    """How many were answered, how many times there are for them, and the times."""
    print(f"\n{title}")
    print(f"{'client':<18}{'answered':>9}{'times':>8}{'p50 ms':>9}{'p90 ms':>9}{'p99 ms':>9}{'max ms':>9}")
    for name, row in table.items():
        print(f"{name:<18}{median(row['answered']):>9.0f}{median(row['values']):>8.0f}"
              + "".join(f"{median(row[key]):>9.2f}" for key in ("p50_ms", "p90_ms", "p99_ms", "max_ms")))


def print_windows(title, table, rate):
    """RATE: of connections that are never without a request."""
    print(f"\n{title}")
    print(f"{'client':<18}{'answered':>9}{'seconds':>9}{'req/s':>9}{'share':>8}")
    for name, row in table.items():
        rps = median(row["rps"])
        print(f"{name:<18}{median(row['answered']):>9.0f}{median(row['seconds']):>9.3f}{rps:>9.2f}{100 * rps / rate:>7.1f}%")


def print_rounded(title, printed, exact):
    """One run of ab, as it printed it and by its -e: percent -> milliseconds each."""
    percents = sorted(printed)
    print(f"\n{title}")
    print(f"{'ab':<8}" + "".join(f"{f'p{percent}':>8}" for percent in percents))
    print(f"{'printed':<8}" + "".join(f"{printed[percent]:>8}" for percent in percents))
    print(f"{'by -e':<8}" + "".join(f"{exact[percent]:>8.3f}" for percent in percents))


def rates(row):
    """Requests per second; of ab without its first one, which goes alone."""
    if "alone_ms" not in row:
        return row["rps"]
    return [(answered - 1) / (seconds - alone / 1000)
            for answered, seconds, alone in zip(row["answered"], row["seconds"], row["alone_ms"])]


def apart(name, table):
    """How far NAME is from loadgen: (share of the rate, percentile in which they differ most, by how many milliseconds, of
    how many it may be). Of each the best round counts: what else the machine does makes a request only slower."""
    row, ours = table[name], table[OURS]
    differences = []
    for percent in PERCENTS:
        time, own = min(row[f"p{percent}_ms"]), min(ours[f"p{percent}_ms"])
        differences.append((percent, time - own, max(TIME_MS, SHARE * own)))
    return max(rates(row)) / max(ours["rps"]) - 1, *max(differences, key=lambda one: abs(one[1]) / one[2])


def in_words(rate, percent, difference_ms, _):
    return f"{100 * rate:+.1f}%, p{percent} {difference_ms:+.3f} ms"


class Goals(GoalList):
    """That the others say what loadgen says."""

    title = f"Goals: rates within {100 * SHARE:g}% of loadgen's, times within {100 * SHARE:g}% or {TIME_MS:g} ms (the worst)"

    def agree(self, where, table, clients=(WRK, AB, H2LOAD)):
        for client in clients:
            name = RAW if client == WRK else client
            if name in table:
                rate, percent, difference_ms, allowed_ms = apart(name, table)
                self.add(f"{where}: {name}", in_words(rate, percent, difference_ms, allowed_ms),
                         abs(rate) <= SHARE and abs(difference_ms) <= allowed_ms)
            elif self.asks_for(client):
                self.unmeasured(f"{where}: {name}")

    def busy(self, connections, table):
        """A closed loop: no connection is ever without a request."""
        self.judge(f"S = 0: busy within {100 * SHARE:g}% of c = {connections}", under_way(table[OURS]),
                   lambda busy: abs(busy / connections - 1) <= SHARE, ".2f")
