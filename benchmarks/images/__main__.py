"""`python -m benchmarks.images`: ours against stock vLLM's; a table, a record, and exit 1 where ours is too slow."""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.images import films
from benchmarks.images.report import record, save, table
from benchmarks.images.rows import Row, rows
from benchmarks.images.side import Side

TARGET = 1.8
"""Times stock vLLM's images a second, on two cores."""

FILMS = {"jpeg-grey": 12, "jpeg-colour": 12, "png-8": 8, "png-16": 8}


def main() -> int:
    """Exit code."""
    options = _options()
    measured = rows(options.rounds, short=options.short)
    with tempfile.TemporaryDirectory() as folder:
        films.write(Path(folder), {kind: count for kind, count in FILMS.items() if not options.short or "jpeg" in kind})
        facts = _run(measured, options.stock_python, Path(folder))
    print(table(measured))
    if not options.short:
        print(save(record(measured, facts, _command(), TARGET)))
    ratio = measured[0].ratio
    print(f"{ratio:.2f} times stock vLLM's images a second; at least {TARGET} are promised.")
    return 0 if ratio >= TARGET else 1


def _run(measured: Sequence[Row], stock_python: str, folder: Path) -> dict[str, Any]:
    """What the sides say of themselves."""
    with Side(sys.executable, "ours", folder) as ours, Side(stock_python, "stock", folder) as stock:
        for row in measured:
            row.run({"ours": ours, "stock": stock})
        return {"ours": ours.facts, "stock": stock.facts}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.images", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of the row that is judged; the others get half of them")
    parser.add_argument("--short", action="store_true", help="that row alone, and no record")
    parser.add_argument(
        "--stock-python",
        default=sys.executable,
        metavar="PATH",
        help="interpreter for stock vLLM's side: one of an environment with torchvision has a faster CLIP processor",
    )
    return parser.parse_args()


def _command() -> str:
    return shlex.join(["python", "-m", "benchmarks.images", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
