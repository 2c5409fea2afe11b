"""`compare`: where two runs differ, question by question."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy.comparison import PAGE, compare
from benchmarks.accuracy.run_folder import Run

NAME = "compare"
SUMMARY = "say how two runs differ, and show the questions that flipped with their pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("first", type=Path, metavar="A", help="a run's folder")
    parser.add_argument("second", type=Path, metavar="B", help="another run's; differences are B less A")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")


def run(given: argparse.Namespace) -> int:
    """Exit code. Raises RunError."""
    print(compare(Run.open(given.first), Run.open(given.second), given.out))
    print(f"\n{given.out / PAGE}")
    return 0
