"""`report`: what runs have answered, beside what others published."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.accuracy.report import PAGE, report
from benchmarks.accuracy.run_folder import Run

NAME = "report"
SUMMARY = "score runs, and write tables and figures beside the published ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags."""
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="a run's folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")


def run(given: argparse.Namespace) -> int:
    """Exit code. Raises RunError."""
    print(report([Run.open(folder) for folder in given.runs], given.out))
    print(f"\n{given.out / PAGE}")
    return 0
