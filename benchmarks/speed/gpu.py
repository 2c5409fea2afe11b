"""`python -m benchmarks.speed.gpu`: the released models' sizes on this machine's GPU, each figure beside its roofline.

Weights are dummies (`load_format=dummy`): speed does not depend on their values. The record is written anew after each
part, so that a run which is cut short leaves what it has found. `--device cpu --tiny` is the same run, with the demo
checkpoint's sizes, on a machine without a GPU: it proves the command, and its figures mean nothing.
Exit 1 where a promise was missed, a checkpoint's parity too, or a part failed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

# What the other modules import is installed here first.
from benchmarks.speed.device import carry

RESULTS = Path(__file__).parent / "results"
PARTS = ("parity", "engine", "again", "rivals")


def main() -> int:
    """Exit code."""
    options = _options()
    # So that a run which is cut short ends the server that it has started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if options.carried is not None and not options.site.exists():
        carry.install(options.carried, options.site)
    if options.carried is not None and str(options.site) not in sys.path:
        return _again_with(options.site)
    return _run(options)


def _again_with(site: Path) -> int:
    """This command once more, with what was carried, in this process and in all that it starts."""
    here = [str(site), str(carry.ROOT / "server"), str(carry.ROOT), *os.environ.get("PYTHONPATH", "").split(":")]
    os.environ["PYTHONPATH"] = ":".join(filter(None, here))
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.speed.gpu", *sys.argv[1:]])


def _run(options: argparse.Namespace) -> int:
    from benchmarks.speed.device import rates
    from benchmarks.speed.device.record import Record
    from benchmarks.speed.device.run import Asked, Run

    asked = Asked(options.device, options.tiny, options.models, options.precisions, options.parts)
    print("the device's own rates", flush=True)
    record = Record(rates.measure(asked.kind), asked.tiny)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Run(asked, record, Path(folder), options.out / _name(options, record.device.name)).all()
    print(record.text())
    return 0 if record.ok else 1


def _name(options: argparse.Namespace, device: str) -> str:
    """Of the record's file: the day, the device and what ran."""
    day, where = datetime.now(UTC).date().isoformat(), device.replace(" ", "-").lower()
    return "-".join([day, where, *["tiny"] * options.tiny, *options.models, *options.precisions]) + ".json"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="the demo checkpoint's sizes; nothing is judged")
    parser.add_argument("--models", nargs="+", choices=("7b", "34b"), default=["7b", "34b"])
    parser.add_argument("--precisions", nargs="+", choices=("bf16", "fp8"), default=["bf16", "fp8"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="FOLDER", help="for the record")
    parser.add_argument("--carried", type=Path, metavar="FOLDER", help="pieces that `device.carry` made, to install")
    parser.add_argument("--site", type=Path, default=Path("/tmp/carried-site"), metavar="FOLDER", help="for those")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
