"""How much a count of right answers says: intervals of 95 % and a test, each with its source.

All numbers are proportions, 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, and the interval around it."""

    value: float
    low: float
    high: float


def wilson(num_right: int, n: int) -> Estimate:
    """The share, with the score interval of Wilson (1927), J Am Stat Assoc 22:209. n: at least 1."""
    share, z2 = num_right / n, Z_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # The bounds of 0 and n are exactly 0 and 1, which rounding misses.
    low = 0.0 if num_right == 0 else centre - reach
    return Estimate(share, low, 1.0 if num_right == n else centre + reach)


def mean(shares: Sequence[Estimate]) -> Estimate:
    """Of independent shares, each with the same weight: Zou and Donner (2008), Stat Med 27:1693, of their intervals.

    shares: at least one.
    """
    value = fmean(share.value for share in shares)
    below = sqrt(sum((share.value - share.low) ** 2 for share in shares)) / len(shares)
    above = sqrt(sum((share.high - share.value) ** 2 for share in shares)) / len(shares)
    return Estimate(value, value - below, value + above)


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of McNemar's test (1947), Psychometrika 12:153: a fair coin for each pair that differs.

    only_first, only_second: pairs where only that one was right. 1 where none differs.
    """
    n = only_first + only_second
    tail = term = 1
    for k in range(min(only_first, only_second)):
        term = term * (n - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / (1 << n))


def paired_difference(only_first: int, only_second: int, n: int) -> Estimate:
    """The second share less the first's, of n pairs (at least 1).

    The adjusted Wald interval of Bonett and Price (2012), J Educ Behav Stat 37:479, which Fagerland, Lydersen and Laake
    (2014), Stat Med 33:2850, recommend for its coverage.
    """
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    centre = second - first
    reach = Z_95 * sqrt((first + second - centre**2) / (n + 2))
    return Estimate((only_second - only_first) / n, max(-1.0, centre - reach), min(1.0, centre + reach))
