"""`judge`: rates a run's JAMA answers with a judge model, by the benchmark's rubric.

The same command goes on where it was interrupted: what is judged is not judged again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from benchmarks.accuracy.argument import positive
from benchmarks.accuracy.interruptible import until_signal
from benchmarks.accuracy.jama_score import JamaScore, ratings, save, score, table
from benchmarks.accuracy.journal import Journal
from benchmarks.accuracy.judge import KEY, Judge
from benchmarks.accuracy.judging import FILE, Cases, Judging, cases, judge_all
from benchmarks.accuracy.patience import Limits, Patience
from benchmarks.accuracy.progress import Progress
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.server_identity import client

NAME = "judge"
SUMMARY = "rate a run's JAMA answers with a judge model; the same command again goes on"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the run's folder; judgements and score are written there")
    add("--judge-base-url", required=True, metavar="URL", help=f"ends in /v1, mostly; a key is read from {KEY}")
    add("--judge-model", required=True, metavar="NAME")
    add("--concurrency", type=positive, default=8, help="answers that are judged at once")
    add(
        "--rubrics-from",
        type=Path,
        metavar="RUN",
        help="a run that this judge has judged: both are then held against the same points",
    )


def run(given: argparse.Namespace) -> int:
    """Exit code: 128 and the signal's number where one ended it. Raises DataError and RunError."""
    found = Run.open(given.run)
    code, rated = asyncio.run(until_signal(_judged(found, cases(found), given)))
    if rated is None:
        print("Stopped. The same command goes on: what is judged is not judged again.", file=sys.stderr)
        return code
    save(rated, given.run)
    print(table(rated))
    return 0


async def _judged(run: Run, all_cases: Cases, given: argparse.Namespace) -> JamaScore:
    patience = Patience(Limits(), any_answer=False)
    with Journal(run.folder / FILE) as journal:
        async with client(given.judge_base_url, given.concurrency, KEY) as connection:
            judging = Judging(Judge(connection, given.judge_model, patience), journal)
            if given.rubrics_from:
                judging.take_rubrics(given.rubrics_from, all_cases.answered)
            return await _score(judging, all_cases, given, patience)


async def _score(judging: Judging, all_cases: Cases, given: argparse.Namespace, patience: Patience) -> JamaScore:
    known = {case.id: matches for case in all_cases.answered if (matches := judging.known(case)) is not None}
    todo = [case for case in all_cases.answered if case.id not in known]
    progress = Progress(sys.stderr, len(all_cases.answered), len(known), lambda: patience.num_refusals)
    async with progress.shown():
        judged = await judge_all(judging, todo, progress, given.concurrency)
    rated = [ratings(matches) for matches in (*known.values(), *judged) if matches is not None]
    num_failed = len(all_cases.answered) - len(rated) + all_cases.num_without_discussion
    return score(given.judge_model, rated, num_failed, all_cases.num_unanswered)
