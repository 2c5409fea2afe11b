"""PathVQA from parquet: columns `image` (`{bytes, path}`), `question`, `answer`.

Source: the data set flaviagiammarino/path-vqa of the Hugging Face hub, after https://github.com/UCSD-AI4H/PathVQA. The
3362 test questions whose answer is yes or no are those of the official bundle.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.formats.location import split_files
from benchmarks.accuracy.formats.yes_no import yes_no_items
from benchmarks.accuracy.item import Item


def items(path: Path) -> Iterator[Item]:
    """path: a parquet file, or the folder with `test*.parquet`. Raises DataError."""
    yield from yes_no_items("PathVQA_test", split_files(path, "test"))
