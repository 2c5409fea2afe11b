"""`python -m drills [--short] [NAME ...]`: a line of JSON for each drill, exit 1 where a promise was broken."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping

from benchmarks.machine import machine
from drills import busy_images, dead_worker
from drills.report import Drill

DRILLS: Mapping[str, Drill] = {
    "busy_images": busy_images.drill,
    "dead_worker": dead_worker.drill,
}


def main() -> int:
    """Exit code."""
    options = _options()
    return max(_run(name, options.short) for name in options.names or DRILLS)


def _run(name: str, short: bool) -> int:
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
    return 1 if report.broken else 0


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
