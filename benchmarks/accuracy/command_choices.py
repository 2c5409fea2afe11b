"""`choices`: asks a run's closed questions again, of `/v1/chat/choices`: which letter is the most probable answer?

The same server, model and data as the run's, else it is refused. The same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy.argument import positive
from benchmarks.accuracy.asked_data import asked_items
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.interruptible import until_signal
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.patience import Limits, Patience
from benchmarks.accuracy.progress import Progress
from benchmarks.accuracy.report import PAGE, report
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.server_identity import IDENTIFYING, client, identity
from benchmarks.accuracy.side_by_side import side_by_side
from benchmarks.accuracy.weighing import Scale
from benchmarks.accuracy.weighing_journal import Weighings

NAME = "choices"
SUMMARY = "weigh the options of a run's questions by their log-probabilities; the same command again goes on"

REPORT = "report"
"""Of the run, in its folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the run's folder; log-probabilities are written there")
    add("--base-url", help="the run's own, where not given; a key is read from OPENAI_API_KEY")
    add("--concurrency", type=positive, default=16, help="questions in flight")


def run(given: argparse.Namespace) -> int:
    """Exit code: 128 and the signal's number where one ended it. Raises DataError and RunError."""
    found = Run.open(given.run)
    code, num_failed = asyncio.run(until_signal(_weigh(found, given.base_url, given.concurrency)))
    if code:
        print("Stopped. The same command goes on: what is weighed is not asked twice.", file=sys.stderr)
        return code
    if num_failed:
        print(f"The same command asks the {num_failed:,} that failed again.", file=sys.stderr)
    print(report([found], given.run / REPORT))
    print(f"\n{given.run / REPORT / PAGE}")
    return 0


async def _weigh(run: Run, base_url: str | None, concurrency: int) -> int:
    """How many failed."""
    closed = {answer.id for answer in run.answers() if answer.options}
    if not closed:
        raise RunError(f"{run.folder}: has no closed questions")
    async with client(base_url or run.about["base_url"], concurrency) as connection:
        server = await identity(connection, run.about["model"])
        _check_same(run, server.about())
        with Weighings(run.folder) as weighings:
            weighed = weighings.weighed_ids() & closed
            patience = Patience(Limits(), any_answer=bool(weighed))
            progress = Progress(sys.stderr, len(closed), len(weighed), lambda: patience.num_refusals)
            scale = Scale(connection, server.model, patience)
            left = (item for item in asked_items(run) if item.id in closed - weighed)
            async with progress.shown():
                await side_by_side(lambda: _weigh_on(left, scale, weighings, progress), concurrency)
    return progress.num_failed


async def _weigh_on(left: Iterator[Item], scale: Scale, weighings: Weighings, progress: Progress) -> None:
    for item in left:
        weighing = await scale.weighing(item)
        weighings.append(weighing)
        progress.count(failed=weighing.error is not None)


def _check_same(run: Run, server: Mapping[str, Any]) -> None:
    """Raises RunError where another model would be weighed than the one that answered."""
    then = run.about["server"]
    differ = [
        f"{name} {then.get(name)}, now {server.get(name)}" for name in IDENTIFYING if then.get(name) != server.get(name)
    ]
    if differ:
        raise RunError(f"{run.folder}: was asked of another model: {'; '.join(differ)}.")
