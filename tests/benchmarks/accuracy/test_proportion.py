"""Intervals and tests, against printed examples and scipy."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest  # type: ignore[import-untyped]

from benchmarks.accuracy.proportion import Estimate, mcnemar, mean, paired_difference, wilson


@pytest.mark.parametrize(
    ("num_right", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_as_newcombe_prints_it(num_right: int, n: int, low: float, high: float) -> None:
    """Newcombe (1998), Stat Med 17:857, table I, method 3."""
    found = wilson(num_right, n)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(("num_right", "n"), [(0, 1), (1, 1), (154, 251), (11124, 11124), (9000, 11124)])
def test_wilson_is_scipy_s(num_right: int, n: int) -> None:
    """With the share between its bounds."""
    expected = binomtest(num_right, n).proportion_ci(method="wilson")

    found = wilson(num_right, n)

    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_mcnemar_is_as_printed() -> None:
    """12 and 2 of 50 sputum specimens: Armitage and Berry (1994), p. 127; 1 and 7: Fagerland et al. (2013)."""
    assert round(mcnemar(12, 2), 4) == 0.0129
    assert round(mcnemar(1, 7), 4) == 0.0703


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 1), (5, 5), (3, 40), (40, 3), (9900, 10100), (0, 3000)])
def test_mcnemar_is_a_fair_coin_s(only_first: int, only_second: int) -> None:
    """scipy's two-sided binomial test, for many pairs too."""
    expected = binomtest(only_first, only_first + only_second, 0.5).pvalue

    assert mcnemar(only_first, only_second) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_of_no_flips_is_one() -> None:
    """Nothing speaks for a difference."""
    assert mcnemar(0, 0) == 1.0


def test_the_paired_interval_is_as_printed() -> None:
    """Bonett and Price's for 1, 1, 7, 12 (Bentur et al.): Fagerland, Lydersen and Laake (2014), -0.508 to -0.013."""
    found = paired_difference(only_first=7, only_second=1, n=21)

    assert (round(found.value, 3), round(found.low, 3), round(found.high, 3)) == (-0.286, -0.508, -0.013)


def test_the_paired_interval_turns_with_its_sides() -> None:
    """And stays within -1 and 1."""
    there, back = paired_difference(4, 9, 100), paired_difference(9, 4, 100)

    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert paired_difference(0, 1, 1).high == 1.0


def test_a_mean_of_shares_has_the_interval_of_independent_ones() -> None:
    """By hand: a half each, and bounds of 0.3 and 0.4 below, 0.3 and 0.4 above: sqrt(0.09 + 0.16) / 2 = 0.25."""
    found = mean([Estimate(0.5, 0.2, 0.8), Estimate(0.7, 0.3, 1.1)])

    assert (found.value, found.low, found.high) == pytest.approx((0.6, 0.35, 0.85))


def test_a_mean_of_one_is_itself() -> None:
    """With its own interval."""
    share = wilson(3, 10)

    found = mean([share])

    assert (found.value, found.low, found.high) == pytest.approx((share.value, share.low, share.high))
