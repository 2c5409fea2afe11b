"""`python -m benchmarks.penalty`: what the penalty costs 256 sequences; a record, exit 1 where it is too much."""

from __future__ import annotations

import argparse
import shlex
import sys
from statistics import median

import torch

from benchmarks.penalty import engine
from benchmarks.penalty.report import engine_table, record, save, step_table, times_none
from benchmarks.penalty.size import VOCABULARIES, Size
from benchmarks.penalty.steps import Batch, measure_ms, steps

AT_MOST = 1.1
"""Times the processor time of the whole engine without a penalty."""


def main() -> int:
    """Exit code."""
    options = _options()
    stepped = {model: _steps(vocabulary, options.rounds) for model, vocabulary in VOCABULARIES.items()}
    print(step_table(stepped), end="\n\n")
    engines = {model: engine.measure(vocabulary, options.rounds) for model, vocabulary in VOCABULARIES.items()}
    print(engine_table(engines))
    if not options.short:
        command = shlex.join(["python", "-m", "benchmarks.penalty", *sys.argv[1:]])
        print(save(record(stepped, engines, command, AT_MOST)))
    ratios = {model: median(times_none(runs, "ours")) for model, runs in engines.items()}
    for model, ratio in ratios.items():
        print(f"{model}: {ratio:.2f} times the processor time without a penalty; at most {AT_MOST} are promised.")
    return 0 if max(ratios.values()) <= AT_MOST else 1


def _steps(vocabulary: int, rounds: int) -> dict[str, list[float]]:
    # One thread: what several wait for one another would count as processor time.
    torch.set_num_threads(1)
    batch = Batch(Size(vocabulary))
    measured = steps(batch)
    taken: dict[str, list[float]] = {name: [] for name in measured}
    for number in range(rounds + 1):
        batch.grow()
        for name, step in measured.items():
            ms = measure_ms(step)
            if number:
                taken[name].append(round(ms, 2))
    return taken


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.penalty", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="that are counted; kinds take turns")
    parser.add_argument("--short", action="store_true", help="no record")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
