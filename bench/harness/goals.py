"""What is to be reached, and what was measured: judged by the median of the rounds, beside the interval that holds it."""

import math
from typing import NamedTuple

from harness.machine import median, ratios

SURE = 0.9375  # that the interval holds the median: the smallest and the largest of 5 rounds do so often
VERDICTS = {True: "reached", False: "MISSED", None: "UNKNOWN"}


class Goal(NamedTuple):
    """REACHED: None where it was not measured. DOUBTFUL: it might be otherwise by the next rounds."""
    goal: str
    measured: str
    reached: bool
    doubtful: bool = False

    @property
    def verdict(self):
        return VERDICTS[self.reached] + "?" * self.doubtful


def interval(values):
    """(low, high): two of VALUES between which the median of what they are a sample of lies, as SUREly as may be: of up to
    8 the smallest and the largest."""
    ordered, beyond = sorted(values), 0
    while missing(len(ordered), beyond + 1) <= 1 - SURE:
        beyond += 1
    return ordered[beyond], ordered[-1 - beyond]


def missing(count, beyond):
    """How probably the median does not lie within COUNT values without the BEYOND smallest and largest (binomial)."""
    return 2 * sum(math.comb(count, number) for number in range(beyond + 1)) / 2**count


def values_of(table, name, metric, base=None):
    """METRIC of NAME round by round, or over that of BASE; None where one of them is not in TABLE."""
    if name not in table or (base is not None and base not in table):
        return None
    return table[name][metric] if base is None else ratios(table[name][metric], table[base][metric])


class GoalList:
    """ASKED: names of those who take part, or would if they were installed; None: everybody. A goal that measures by
    somebody else is none."""

    title = "Goals"

    def __init__(self, asked=None):
        self.asked = asked
        self.rows = []  # Goals

    def asks_for(self, name):
        return self.asked is None or name in self.asked

    def add(self, goal, measured, reached, doubtful=False):
        self.rows.append(Goal(goal, measured, None if reached is None else bool(reached), doubtful))

    def unmeasured(self, goal):
        self.add(goal, "not measured", None)

    def judge(self, goal, values, reaches, form=".3f", unit=""):
        """By the median of VALUES, one a round; without any it is not measured. REACHES: whether a value does."""
        if not values:
            self.unmeasured(goal)
            return
        middle, ends = median(values), interval(values)
        measured = f"{middle:{form}}{unit}"
        if len(values) > 1:
            measured += f" {ends[0]:{form}}..{ends[1]:{form}}"
        self.add(goal, measured, reaches(middle), any(reaches(end) != reaches(middle) for end in ends))

    def print(self):
        print(f"\n{self.title}")
        for row in self.rows:
            print(f"{row.goal:<46}{row.measured:>24}  {row.verdict}")
        if any(row.doubtful for row in self.rows):
            print(f"(a..b holds the true median with at least {100 * SURE:.0f}%, of fewer than 5 rounds with less;\n"
                  " ?: the limit lies within it: another run may say otherwise)")

    def unreached(self):
        """How many are missed, or not known."""
        return sum(not row.reached for row in self.rows)
