"""VQA-RAD from parquet: columns `image` (`{bytes, path}`), `question`, `answer`; the test split has 451 rows.

Source: the data set flaviagiammarino/vqa-rad of the Hugging Face hub, after https://osf.io/89kps/. The 251 test
questions whose answer is yes or no are those of the official bundle; there a question begins with a capital letter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.formats.location import split_files
from benchmarks.accuracy.formats.yes_no import yes_no_items
from benchmarks.accuracy.item import Item


def items(path: Path) -> Iterator[Item]:
    """path: a parquet file, or the folder with `test*.parquet`. Raises DataError."""
    yield from yes_no_items("VQA-RAD_test", split_files(path, "test"))
