"""How requests came, by the clock of the server that they came to: what a client did that says it keeps to a rate."""

import math

from harness.measure import percentile

LEVEL = 0.01  # of the test: so often it refuses gaps that are what they should be
KOLMOGOROV = 1.628  # the limit of sqrt(count) x distance at that level (Stephens, J. R. Statist. Soc. B 32, 1970)
SLACK = 0.02  # of the distance: what the machine's own unevenness makes of gaps that are exponential
SHORT = 0.5  # of the mean gap; see `gaps`


def off_grid_us(times_ns, rate):
    """How much later than the earliest, measured on a grid of RATE a second, 99% of the times are at most. How late the
    server wakes is in it."""
    ordered = sorted(time_ns - number * 1e9 / rate for number, time_ns in enumerate(times_ns))
    return (percentile(ordered, 99) - ordered[0]) / 1000


def gaps(times_ns, rate):
    """Gaps longer than SHORT, by what they are longer, in means of a RATE a second. Of an exponential distribution that is
    the same distribution again. How long the short ones are the server itself decides: it takes one request after another,
    and those that came while it woke up all at once; what that adds to a longer gap does not depend on its length."""
    means = ((after - before) * rate / 1e9 for before, after in zip(times_ns, times_ns[1:]))
    return [mean - SHORT for mean in means if mean > SHORT]


def distance(found):
    """The Kolmogorov-Smirnov distance of gaps from the exponential distribution with mean 1; 1 for none."""
    count, most = len(found), 0 if found else 1
    for number, gap in enumerate(sorted(found)):
        expected = -math.expm1(-gap)
        most = max(most, (number + 1) / count - expected, expected - number / count)
    return most


def limit(count):
    """The distance that COUNT exponential gaps exceed with probability LEVEL, and the SLACK."""
    return SLACK + (KOLMOGOROV / (math.sqrt(count) + 0.12 + 0.11 / math.sqrt(count)) if count else 0)
