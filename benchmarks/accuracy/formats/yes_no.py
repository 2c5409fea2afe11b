"""Closed questions in parquet files that tell only question and answer: those whose answer is yes or no."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.accuracy.formats.parquet import Columns, parquet_rows
from benchmarks.accuracy.item import Item

OPTIONS = ("Yes", "No")

COLUMNS = Columns(texts=("question", "answer"), pictures=("image",))


def yes_no_items(dataset: str, files: Sequence[Path]) -> Iterator[Item]:
    """One item a row whose answer is yes or no, in whatever case; its id is the row's place among all rows.

    All other rows are open questions, which the official bundle does not ask either. Raises DataError.
    """
    for position, (record, pictures) in enumerate(parquet_rows(files, COLUMNS)):
        answer = record.text("answer").strip().capitalize()
        if answer not in OPTIONS:
            continue
        if "image" not in pictures:
            raise record.error("image", "is missing")
        yield Item(f"{dataset}/{position}", dataset, "", record.text("question"), OPTIONS, answer, (pictures["image"],))
