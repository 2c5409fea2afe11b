"""`run`: asks a server the questions of a benchmark, and keeps the answers in a folder.

The same command goes on with a run that was interrupted: what is answered is never asked twice. At the end comes the
run's report.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks.accuracy.argument import positive
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.interruptible import until_signal
from benchmarks.accuracy.report import PAGE, report
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.session import Session
from benchmarks.accuracy.settings import OPEN_MAX_TOKENS, PAPER, PLAIN, Settings

NAME = "run"
SUMMARY = "ask a server the questions of a benchmark and report; the same command again goes on"

REPORT = "report"
"""Of this run alone, in the run's folder."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    add = parser.add_argument
    add("--data", type=_data, required=True, metavar="READER=PATH", help=f"READER is one of {', '.join(READERS)}")
    add("--out", type=Path, required=True, metavar="RUN", help="the run's folder; one that is there is gone on with")
    add("--base-url", default="http://127.0.0.1:8000/v1", help="a key is read from OPENAI_API_KEY")
    add("--model", help="the only one that the server has, where not given")
    add("--concurrency", type=positive, default=16, help="questions in flight")
    add("--limit", type=positive, help="ask only so many, the first ones")
    add("--plain", action="store_true", help="send OpenAI's own fields only: without the paper's repetition penalty")


def run(given: argparse.Namespace) -> int:
    """Exit code: 0 when every question has been asked, 128 and the signal's number where one ended it.

    Raises DataError and RunError.
    """
    code, num_failed = asyncio.run(until_signal(_session(given).hold()))
    if code:
        print("Stopped. The same command goes on: what is answered is not asked twice.", file=sys.stderr)
    elif num_failed:
        print(f"The same command asks the {num_failed:,} that failed again.", file=sys.stderr)
    if code == 0:
        print(report([Run.open(given.out)], given.out / REPORT))
        print(f"\n{given.out / REPORT / PAGE}")
    return code


def _session(given: argparse.Namespace) -> Session:
    reader, path = given.data
    return Session(
        reader=reader,
        read=READERS[reader],
        path=path,
        folder=given.out,
        base_url=given.base_url,
        model=given.model,
        settings=_settings(reader, plain=given.plain),
        concurrency=given.concurrency,
        limit=given.limit,
    )


def _settings(reader: str, *, plain: bool) -> Settings:
    settings = PLAIN if plain else PAPER
    return replace(settings, max_tokens=OPEN_MAX_TOKENS) if reader == "jama" else settings


def _data(given: str) -> tuple[str, Path]:
    reader, _, path = given.partition("=")
    if reader not in READERS or not path:
        raise argparse.ArgumentTypeError(f"{given}: is not READER=PATH; READER is one of {', '.join(READERS)}")
    return reader, Path(path)
