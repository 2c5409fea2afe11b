"""What a bar says of measured pairs."""

from __future__ import annotations

import pytest

from benchmarks.speed.bars import NOTHING_LOST, WON, Bound
from benchmarks.speed.run import Run
from benchmarks.speed.verdict import Verdict, pairs, verdicts
from tests.benchmarks.speed.some_runs import run


def both(pair: int, workload: str = "film", **figures: tuple[object, object]) -> list[Run]:
    """A pair; figures: ours and stock's."""
    sides = ("ours", "stock")
    return [
        run(
            "ours" if side == "ours" else "stock",
            pair,
            workload=workload,
            **{name: of[n] for name, of in figures.items()},
        )
        for n, side in enumerate(sides)
    ]


def found(runs: list[Run], work: str) -> Verdict:
    """The one verdict whose work begins so."""
    (verdict,) = [one for one in verdicts(runs) if one.work.startswith(work)]
    return verdict


@pytest.mark.parametrize(
    ("bound", "value", "holds"),
    [
        (Bound("at most", 0.6), 0.6, True),
        (Bound("at most", 0.6), 0.61, False),
        (Bound("at least", 1.25), 1.25, True),
        (Bound("at least", 1.25), 1.24, False),
    ],
)
def test_the_limit_itself_will_do(bound: Bound, value: float, holds: bool) -> None:
    """On either side."""
    assert bound.holds(value) is holds


def test_ratios_are_taken_within_pairs() -> None:
    """A machine that is twice as slow in one pair changes no ratio; the median of the pairs is judged."""
    runs = [
        *both(0, front_end_ms_per_request=(5.0, 10.0)),
        *both(1, front_end_ms_per_request=(10.0, 20.0)),
        *both(2, front_end_ms_per_request=(9.0, 10.0)),
    ]

    verdict = found(runs, "front-end CPU a request: 1000x700")

    assert verdict.judged.values == (0.5, 0.5, 0.9)
    assert verdict.judged.median == 0.5
    assert verdict.kept


def test_a_missed_bar_is_not_kept() -> None:
    """0.7 where 0.6 is the bar."""
    assert not found(both(0, front_end_ms_per_request=(7.0, 10.0)), "front-end CPU a request: 1000x700").kept


def test_a_run_without_its_neighbour_is_in_no_pair() -> None:
    """It could only be compared with another time."""
    assert pairs([*both(0), run("ours", 1)], "film")[0].ours.pair == 0
    assert len(pairs([*both(0), run("ours", 1)], "film")) == 1


def test_a_bar_of_our_own_is_of_ours_alone() -> None:
    """The server process takes 14 ms, whatever stock takes."""
    verdict = found(both(0, workload="film-long", server_ms_per_request=(14.0, 1.0)), "CPU of the server process")

    assert verdict.judged.values == (14.0,)
    assert verdict.kept


@pytest.mark.parametrize(("share", "bound"), [(0.29, NOTHING_LOST), (0.3, WON)])
def test_more_is_asked_where_stock_s_front_end_is_busy(share: float, bound: Bound) -> None:
    """From 30 % of the processor time on."""
    verdict = found(both(0, workload="study", front_end_share=(0.1, share)), "requests/s and output tokens/s: study")

    assert verdict.bound == bound


def test_the_lesser_throughput_is_judged() -> None:
    """More requests with fewer tokens are no gain."""
    runs = both(0, workload="study", requests_per_s=(12.0, 10.0), output_tokens_per_s=(300.0, 320.0))

    assert found(runs, "requests/s and output tokens/s: study").judged.values == (300 / 320,)


@pytest.mark.parametrize(("answers", "judged"), [(80, True), (79, False)])
def test_a_far_percentile_needs_400_answers(answers: int, judged: bool) -> None:
    """Over the pairs together; with fewer there is no verdict."""
    times = tuple(float(number) for number in range(answers))
    runs = [one for pair in range(5) for one in both(pair, "film-latency", ttfts_ms=(times, times))]

    assert any(one.work.startswith("TTFT p99") for one in verdicts(runs)) is judged


def test_a_curve_is_not_judged() -> None:
    """What was measured under several loads is to be looked at; failures count there as well."""
    runs = [*both(0, "film-curve", concurrency=(1, 1)), *both(0, "film-curve", concurrency=(64, 64), failed=(2, 0))]

    (verdict,) = verdicts(runs)

    assert verdict.work == "requests without a whole answer"
    assert not verdict.kept


def test_the_workload_with_the_fewest_chunks_is_judged() -> None:
    """Whoever says less often saves what the other spends."""
    runs = [*both(0), *both(0, "study", chunks_per_completion=(16.0, 32.0))]

    verdict = found(runs, "chunks a completion")

    assert "study" in verdict.work
    assert verdict.judged.values == (0.5,)
    assert not verdict.kept


def test_a_second_turn_is_held_against_the_first() -> None:
    """Ours against ours."""
    runs = both(0, "follow-up", first_turn_ttft_ms=(200.0, 200.0), follow_up_ttft_ms=(60.0, 150.0))

    assert found(runs, "TTFT of a follow-up turn").judged.values == (0.3,)
