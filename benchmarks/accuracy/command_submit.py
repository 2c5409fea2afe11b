"""`submit`: writes the file that MMMU's own evaluation takes, from a run over its test split."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy.asked_data import asked_items
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.submission import save, submission, told

NAME = "submit"
SUMMARY = "write the file that MMMU's own evaluation of its test split takes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run over the data `mmmu-test`")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")


def run(given: argparse.Namespace) -> int:
    """Exit code. Raises DataError and RunError."""
    found = Run.open(given.run)
    submitted = submission(found, asked_items(found))
    save(submitted, given.out)
    print(f"{given.out}: {told(submitted)}.")
    return 0
