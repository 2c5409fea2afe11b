"""Whether each bar is met: medians of the ratios within pairs, since a pair's two runs were neighbours in time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.speed.bars import (
    BARS,
    BUSY_FRONT_END,
    CHUNKS,
    FOLLOW_UP,
    NONE_FAILED,
    NOTHING_LOST,
    TEXT,
    THROUGHPUT,
    WON,
    Bar,
    Bound,
)
from benchmarks.speed.measurement import SideName
from benchmarks.speed.run import Run
from benchmarks.speed.spread import Spread


@dataclass(frozen=True, slots=True)
class Verdict:
    """judged: what the bound is of: ratios to stock, or ours alone. stock: None where nothing is compared."""

    work: str
    bound: Bound
    judged: Spread
    ours: Spread
    stock: Spread | None = None

    @property
    def kept(self) -> bool:
        """By the median."""
        return self.bound.holds(self.judged.median)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs next to each other in time, of the same workload under the same load."""

    ours: Run
    stock: Run

    def ratio(self, figure: str) -> float:
        """Ours to stock's."""
        return self.ours.figure(figure) / self.stock.figure(figure)


def verdicts(runs: Sequence[Run]) -> list[Verdict]:
    """One a bar whose workload was measured, then those of every workload. What has several loads is a curve, to be
    looked at, and not judged.
    """
    judged = [run for run in runs if run.concurrency and not is_curve(runs, run.workload)]
    return [
        *_of_bars(judged),
        *_of_throughput(judged),
        *_of_follow_up(judged),
        *_of_chunks(judged),
        *_of_failures(runs),
    ]


def pairs(runs: Sequence[Run], workload: str) -> list[Pair]:
    """Of one workload, in their order; a run whose neighbour is missing is in none."""
    found: dict[tuple[int, int, float], dict[SideName, Run]] = {}
    for run in runs:
        if run.workload == workload:
            found.setdefault((run.pair, run.concurrency, run.rate_per_s), {})[run.side] = run
    return [Pair(both["ours"], both["stock"]) for both in found.values() if len(both) == 2]


def is_curve(runs: Sequence[Run], workload: str) -> bool:
    """Whether it was measured under more than one load."""
    return len({(run.concurrency, run.rate_per_s) for run in runs if run.workload == workload}) > 1


def workloads(runs: Sequence[Run]) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(run.workload for run in runs))


def _of_bars(runs: Sequence[Run]) -> Iterator[Verdict]:
    for bar in BARS:
        measured = pairs(runs, bar.workload)
        if measured and bar.least_requests:
            yield from _pooled(bar, measured)
        elif measured:
            yield _judged(bar.work, bar.figure, bar.bound, measured, against_stock=bar.against_stock)


def _of_throughput(runs: Sequence[Run]) -> Iterator[Verdict]:
    for workload in workloads(runs):
        measured = pairs(runs, workload)
        if not measured:
            continue
        share = Spread.of([pair.stock.front_end_share for pair in measured]).median
        bound = WON if share >= BUSY_FRONT_END else NOTHING_LOST
        if workload != TEXT:
            ratios = [min(pair.ratio(figure) for figure in THROUGHPUT) for pair in measured]
            work = f"requests/s and output tokens/s: {workload} (stock's front end takes {share:.0%} of the CPU)"
            yield replace(_judged(work, THROUGHPUT[0], bound, measured), judged=Spread.of(ratios))


def _of_chunks(runs: Sequence[Run]) -> Iterator[Verdict]:
    """Of the workload where we have the fewest beside stock."""
    measured = {workload: found for workload in workloads(runs) if (found := pairs(runs, workload))}
    judged = [
        _judged(f"chunks a completion: {workload}, the fewest", "chunks_per_completion", CHUNKS, found)
        for workload, found in measured.items()
    ]
    yield from sorted(judged, key=lambda one: one.judged.median)[:1]


def _of_follow_up(runs: Sequence[Run]) -> Iterator[Verdict]:
    """Ours alone: a client's second turn against its first."""
    for workload in workloads(runs):
        turns = [(run.follow_up_ttft_ms, run.first_turn_ttft_ms) for run in runs if _is(run, workload, "ours")]
        if ratios := [second / first for second, first in turns if first and second]:
            spread = Spread.of(ratios)
            yield Verdict(f"TTFT of a follow-up turn to the first turn's: {workload}", FOLLOW_UP, spread, spread)


def _is(run: Run, workload: str, side: SideName) -> bool:
    return (run.workload, run.side) == (workload, side)


def _of_failures(runs: Sequence[Run]) -> Iterator[Verdict]:
    """Ours, in all runs together: whoever answers less has less to do."""
    ours, stock = ([float(run.failed) for run in runs if run.side == side] for side in ("ours", "stock"))
    if ours:
        total = Spread.of([sum(ours)])
        yield Verdict("requests without a whole answer", NONE_FAILED, total, total, Spread.of([sum(stock)]))


def _judged(work: str, figure: str, bound: Bound, measured: Sequence[Pair], *, against_stock: bool = True) -> Verdict:
    ours = Spread.of([pair.ours.figure(figure) for pair in measured])
    stock = Spread.of([pair.stock.figure(figure) for pair in measured])
    judged = Spread.of([pair.ratio(figure) for pair in measured]) if against_stock else ours
    return Verdict(work, bound, judged, ours, stock)


def _pooled(bar: Bar, measured: Sequence[Pair]) -> Iterator[Verdict]:
    """bar.figure ends with the percentile."""
    percent = float(bar.figure.rpartition("_p")[2])
    ours = [ttft for pair in measured for ttft in pair.ours.ttfts_ms]
    stock = [ttft for pair in measured for ttft in pair.stock.ttfts_ms]
    if min(len(ours), len(stock)) >= bar.least_requests:
        both = [float(np.percentile(ttfts, percent)) for ttfts in (ours, stock)]
        yield Verdict(bar.work, bar.bound, Spread.of([both[0] / both[1]]), Spread.of(both[:1]), Spread.of(both[1:]))
