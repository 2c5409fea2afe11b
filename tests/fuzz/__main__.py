"""`python -m tests.fuzz`: spoil files, read them, print one line of JSON, exit 1 on a finding."""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.fuzz.runner import Fuzzer, Tally, kept, shares

PACKAGES = ("pillow", "pydicom", "python-gdcm", "pylibjpeg-openjpeg", "pyjpegls", "numpy")


def main() -> int:
    """Exit code."""
    options = _options()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    fuzzer = Fuzzer(options.seed)
    began = time.monotonic()
    tally = fuzzer.run(options.inputs, options.processes)
    files = [str(path) for path in kept(fuzzer, tally, options.found)] if tally.findings else []
    print(json.dumps(_report(tally, options, time.monotonic() - began) | {"files": files}))
    return 1 if tally.findings else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--found", type=Path, default=Path(".cache/fuzz"), help="folder for inputs that were findings")
    return parser.parse_args()


def _report(tally: Tally, options: argparse.Namespace, seconds: float) -> dict[str, Any]:
    return {
        "inputs": tally.inputs.total(),
        "seed": options.seed,
        "past_header": round(tally.share_past_header, 3),
        "past_header_by_format": shares(tally),
        "outcomes": dict(tally.outcomes.most_common()),
        "findings": _first(tally.findings),
        "contained": _first(tally.contained),
        "seconds": round(seconds, 1),
        "machine": {
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in PACKAGES},
        },
    }


def _first(numbers: dict[str, list[int]]) -> dict[str, dict[str, Any]]:
    return {name: {"count": len(found), "first": found[:5]} for name, found in numbers.items()}


if __name__ == "__main__":
    sys.exit(main())
