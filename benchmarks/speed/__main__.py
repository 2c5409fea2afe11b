"""`python -m benchmarks.speed`: ours against stock vLLM; tables, a record, plots, and exit 1 where a bar is missed."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.speed import crosscheck, findings
from benchmarks.speed.checkpoint import write_bench_checkpoint
from benchmarks.speed.measurement import Measurement, SideName, write
from benchmarks.speed.pairs import both, measure
from benchmarks.speed.report import RESULTS, Record
from benchmarks.speed.rival import token_ids
from benchmarks.speed.rival.tokenizer import write_copy
from benchmarks.speed.run import runs_of
from benchmarks.speed.server import Server
from benchmarks.speed.workload import Workload, workloads

CACHE = Path(".cache/bench")
"""What is not for keeping: the measurements as they come, and the report of a short run."""

PAIRS = 5
CROSS_CHECKED = ("text", "film")


def main() -> int:
    """Exit code."""
    # Else the servers would outlive a benchmark that is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _options()
    chosen = [one for one in workloads(short=options.short) if not options.only or one.name in options.only]
    with tempfile.TemporaryDirectory() as name, _up(Path(name)) as (servers, checkpoint):
        folder = Path(name)
        facts: dict[str, Any] = {"equal_prompts": _equal_prompts(servers, chosen, checkpoint, folder)}
        measured = _measured(servers, chosen, 1 if options.short else options.pairs, folder)
        commands = {"command": shlex.join(["python", "-m", "benchmarks.speed", *sys.argv[1:]])}
        commands |= {str(side): shlex.join(one.command) for side, one in servers.items()}
        record = Record.of(runs_of(measured), [], commands, measured[0].generator, facts)
        # What follows may fail, and half an hour must not be lost to it.
        kept = record.save(CACHE)
        print(f"the runs alone: {kept}", file=sys.stderr)
        if not options.short and not options.only:
            facts["cross_check"] = _cross_checked(servers, chosen, measured, checkpoint, folder)
            found = findings.measured(findings.Place(servers["ours"].url, checkpoint, folder))
            record = replace(record, facts=facts, findings=tuple(found))
            kept = record.save(RESULTS)
    print(record.page())
    print(kept)
    return 1 if record.missed else 0


@contextmanager
def _up(folder: Path) -> Iterator[tuple[Mapping[SideName, Server], Path]]:
    """Both servers on the benchmark's checkpoint."""
    checkpoint = folder / "checkpoint"
    write_bench_checkpoint(checkpoint)
    with both(checkpoint, folder) as servers:
        yield servers, checkpoint


def _equal_prompts(
    servers: Mapping[SideName, Server], chosen: Sequence[Workload], checkpoint: Path, folder: Path
) -> int:
    return token_ids.check(servers, chosen, write_copy(checkpoint, folder / "named"))


def _measured(
    servers: Mapping[SideName, Server], chosen: Sequence[Workload], pairs: int, folder: Path
) -> list[Measurement]:
    """Each is written as it comes, so that an end before the end loses little."""
    CACHE.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {line}", file=sys.stderr, flush=True)

    measured: list[Measurement] = []
    for one in measure(servers, chosen, pairs, folder, say):
        measured.append(one)
        write(CACHE / "measurements.json", measured)
    return measured


def _cross_checked(
    servers: Mapping[SideName, Server],
    chosen: Sequence[Workload],
    measured: Sequence[Measurement],
    checkpoint: Path,
    folder: Path,
) -> dict[str, Any]:
    return {
        one.name: crosscheck.check(servers, one, measured, checkpoint, folder)
        for one in chosen
        if one.name in CROSS_CHECKED
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one pair of the first four rows; ten minutes")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="of each workload, at most as many as its file says")
    parser.add_argument("--only", nargs="+", metavar="WORKLOAD", help="these alone, and nothing that is not a pair")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
