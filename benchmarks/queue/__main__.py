"""`python -m benchmarks.queue`: what the fair queue costs a request; a table, a record, exit 1 where it is too much."""

from __future__ import annotations

import argparse
import shlex
import sys
from statistics import median

from benchmarks.queue.crowd import Crowd, Kind, measure
from benchmarks.queue.report import record, save, table

TARGET_US = 50.0
"""Processor time a request, the event loop's own work included."""

ROWS: dict[str, tuple[Crowd, Kind]] = {
    "1,000 in line, 20 tenants": (Crowd(), "queue"),
    "10 in line, 2 tenants": (Crowd(10, 2), "queue"),
    "1,000 in line, 200 tenants": (Crowd(1000, 200), "queue"),
    "a semaphore in its place": (Crowd(), "loop"),
}
"""The first is the one that is judged; the last shows what the event loop takes of it."""


def main() -> int:
    """Exit code."""
    options = _options()
    rounds: dict[str, list[float]] = {row: [] for row in ROWS}
    for number in range(options.rounds + 1):
        for row, (crowd, kind) in ROWS.items():
            taken = measure(crowd, options.requests, kind)
            if number:
                rounds[row].append(round(taken, 2))
    print(table(rounds))
    if not options.short:
        print(save(record(rounds, shlex.join(["python", "-m", "benchmarks.queue", *sys.argv[1:]]), TARGET_US)))
    taken_us = median(next(iter(rounds.values())))
    print(f"{taken_us:.1f} us of processor time a request; at most {TARGET_US:.0f} are promised.")
    return 0 if taken_us <= TARGET_US else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queue", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="that are counted; rows take turns")
    parser.add_argument("--requests", type=int, default=20_000, help="of a round")
    parser.add_argument("--short", action="store_true", help="no record")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
