"""`python -m benchmarks.accuracy.demo_training FOLDER`: train the demo checkpoint from nothing, on two cores."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch.multiprocessing.spawn import spawn

from benchmarks.accuracy.demo_training.export import write, write_tokenizer
from benchmarks.accuracy.demo_training.model import Sizes
from benchmarks.accuracy.demo_training.real_pictures import real_pictures, split
from benchmarks.accuracy.demo_training.training import Course, Phase, take_part

NUM_PROCESSES = 2
"""One thread each: on two cores faster than two threads in one."""

PHASES = (
    Phase("seeing", 1500, 32, 1.0, 0.6, speaks=False, is_thin=True),
    Phase("speaking", 900, 16, 1.0, 0.4, speaks=True, is_thin=True),
    Phase("whole pictures", 550, 8, 0.4, 0.01, speaks=True, is_thin=False),
)


def main() -> int:
    """Exit code."""
    options = _options()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocabulary, end = write_tokenizer(folder)
        training, _ = split(real_pictures())
        course = Course(options.seed, Sizes(), folder, vocabulary, end, training)
        phases = [replace(phase, steps=max(1, int(phase.steps * options.share))) for phase in PHASES]
        arguments = (NUM_PROCESSES, str(folder / "meeting"), phases, course)
        spawn(take_part, arguments, NUM_PROCESSES)  # type: ignore[no-untyped-call]
        demo = course.demo()
        demo.load_state_dict(torch.load(course.weights, weights_only=True))
        write(options.folder, demo, vocabulary, end, folder)
    print(f"{options.folder}: trained in {(time.monotonic() - began) / 60:.1f} minutes")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.demo_training", description=__doc__)
    parser.add_argument("folder", type=Path, help="the checkpoint's; it must not exist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of the steps, to try it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
