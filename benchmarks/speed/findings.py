"""`python -m benchmarks.speed.findings NAMES`: what is no run against stock vLLM; exit 1 where a bar is missed."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed import bare_engine, follow_up, loop_lag, reference_way
from benchmarks.speed.checkpoint import write_bench_checkpoint
from benchmarks.speed.finding import Finding
from benchmarks.speed.server import ours

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Place:
    """url: of our server, otherwise idle, on that checkpoint. folder: for logs."""

    url: str
    checkpoint: Path
    folder: Path


FINDINGS: Mapping[str, Callable[[Place, int], Finding]] = {
    "follow-up": lambda place, rounds: follow_up.measure(place.url, rounds),
    "bare-engine": lambda place, rounds: bare_engine.measure(place.url, place.checkpoint, rounds),
    "reference-way": lambda place, rounds: reference_way.measure(place.url, place.checkpoint, rounds),
    "loop-lag": lambda place, rounds: loop_lag.measure(place.checkpoint, place.folder, rounds),
}


def measured(place: Place, rounds: int = ROUNDS, names: Sequence[str] = tuple(FINDINGS)) -> list[Finding]:
    """One after the other. rounds: of each. Raises RuntimeError where a server does not answer."""
    return [FINDINGS[name](place, rounds) for name in names]


def main() -> int:
    """Starts our server on the benchmark's checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.findings", description=__doc__)
    parser.add_argument("names", nargs="*", default=[], help=f"of {', '.join(FINDINGS)}; all, where none is given")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bench_checkpoint(folder / "checkpoint")
        with ours(folder / "checkpoint", folder) as server:
            server.wait()
            place = Place(server.url, folder / "checkpoint", folder)
            found = measured(place, options.rounds, options.names or tuple(FINDINGS))
    print(json.dumps([finding.as_json() for finding in found], indent=1))
    return 0 if all(finding.kept for finding in found) else 1


if __name__ == "__main__":
    sys.exit(main())
