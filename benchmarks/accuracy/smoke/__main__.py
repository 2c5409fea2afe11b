"""`python -m benchmarks.accuracy.smoke`: a table of planted bugs and what told them; exit code 1 where one was not."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.accuracy.errors import AccuracyError
from huatuo_server.__main__ import main as huatuo_server
from huatuo_server.errors import HuatuoError


def main() -> int:
    """Exit code."""
    given = _arguments()
    with tempfile.TemporaryDirectory(prefix="smoke-") as folder:
        try:
            return _gate(given.model, Path(folder))
        except (AccuracyError, HuatuoError) as error:
            print(error, file=sys.stderr)
            return 1


def _gate(model: Path | None, folder: Path) -> int:
    checkpoint = model or folder / "demo"
    if model is None and huatuo_server(["demo-checkpoint", str(checkpoint)]):
        return 1

    # torch, for seconds.
    from benchmarks.accuracy.smoke.gate import measured

    report = measured(checkpoint, folder, lambda next_step: print(next_step, file=sys.stderr, flush=True))
    print(report.table())
    for failure in report.failures:
        print(f"FAILED: {failure}")
    return 1 if report.failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.smoke", description=__doc__)
    parser.add_argument(
        "--model", type=Path, metavar="CHECKPOINT", help="a folder; default: the demo checkpoint that sees"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
