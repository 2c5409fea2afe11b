"""`python -m drills [--short] [NAME ...]`: a line of JSON for each drill, then a table of what was promised and kept.

Exit 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping

from benchmarks.machine import machine
from drills import (
    audit_disk_full,
    busy_images,
    clock_jumps,
    dead_worker,
    disconnects,
    engine_faults,
    idle_connections,
    no_preemption,
    noisy_tenant,
    overload,
    phi_canaries,
    sigterm_real,
    slow_headers,
    soak,
    stalled_readers,
    stat_latency,
)
from drills.poison import drill as poison
from drills.report import Drill, Measured, Report, is_kept

DRILLS: Mapping[str, Drill] = {
    "busy_images": busy_images.drill,
    "dead_worker": dead_worker.drill,
    "engine_killed": engine_faults.killed,
    "engine_worker_killed": engine_faults.worker_killed,
    "engine_stopped": engine_faults.stopped,
    "sigterm_real": sigterm_real.drill,
    "disconnects": disconnects.drill,
    "stalled_readers": stalled_readers.drill,
    "slow_headers": slow_headers.drill,
    "idle_connections": idle_connections.drill,
    "overload": overload.drill,
    "noisy_tenant": noisy_tenant.drill,
    "stat_latency": stat_latency.drill,
    "no_preemption": no_preemption.drill,
    "poison": poison.drill,
    "phi_canaries": phi_canaries.drill,
    "audit_disk_full": audit_disk_full.drill,
    "clock_jumps": clock_jumps.drill,
    "soak": soak.drill,
}


def main() -> int:
    """Exit code."""
    options = _options()
    reports = {name: _run(name, options.short) for name in options.names or DRILLS}
    print("\n".join(_table(reports)))
    return 1 if any(report.broken for report in reports.values()) else 0


def _table(reports: Mapping[str, Report]) -> Iterator[str]:
    """What was promised and measured, as Markdown."""
    yield from ("| drill | promised | measured | kept |", "|---|---|---|---|")
    for name, report in reports.items():
        for promise, outcome in report.promises.items():
            said = outcome.said if isinstance(outcome, Measured) else ""
            yield f"| {name} | {promise} | {said} | {'yes' if is_kept(outcome) else '**NO**'} |"


def _run(name: str, short: bool) -> Report:
    began = time.monotonic()
    report = DRILLS[name](short)
    line = {
        "drill": name,
        "kept": not report.broken,
        **report.figures,
        "broken": report.broken,
        "machine": machine(),
        "took_s": round(time.monotonic() - began, 1),
    }
    print(json.dumps(line), flush=True)
    return report


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m drills")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(DRILLS)}; all of them by default")
    parser.add_argument("--short", action="store_true", help="the short form, for CI")
    options = parser.parse_args()
    unknown = set(options.names) - DRILLS.keys()
    if unknown:
        parser.error(f"there is no drill {', '.join(sorted(unknown))}; there are {', '.join(DRILLS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
