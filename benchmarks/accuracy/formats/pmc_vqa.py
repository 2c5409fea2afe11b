"""PMC-VQA, version 2: `test_2.csv` and its pictures in `figures/` or `images/` beside it.

Source: the data set xmcmic/PMC-VQA of the Hugging Face hub (arXiv 2305.10415). After a header, a column is told by its
place: index, path of the figure, caption, question, options A to D, answer, split. An option may begin with its letter
(` A:Diffuse uptake pattern `); the answer is a letter, or an option's text. The official bundle asks 2000 questions of
this benchmark, the file has more.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats.location import index_file
from benchmarks.accuracy.formats.picture_file import is_file, picture_file
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Item

DATASET = "PMC-VQA_test"

COLUMNS = ("index", "figure_path", "caption", "question", "A", "B", "C", "D", "answer", "split")

FOLDERS = ("figures", "images")

_LETTERED = re.compile(r"\s*([A-D])\s*:")

_LETTER = re.compile(r"\s*([A-D])\s*(:.*)?", re.DOTALL)
"""An answer that tells the option by its letter."""


def items(path: Path) -> Iterator[Item]:
    """path: the CSV file, or the folder with `test_2.csv`. An item's id has the row's place in it. Raises DataError."""
    for record in _records(index_file(path, "test_2.csv")):
        options = tuple(_option(record, letter) for letter in "ABCD")
        yield Item(
            id=f"{DATASET}/{record.number}",
            dataset=DATASET,
            subset="",
            question=record.text("question").strip(),
            options=options,
            answer=_answer(record, options),
            pictures=(picture_file(record, "figure_path", _folder(record), record.text("figure_path")),),
        )


def _records(file: Path) -> Iterator[Record]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = filter(None, csv.reader(opened, strict=True))
            if len(next(rows, ())) != len(COLUMNS):
                raise DataError(file, "header", f"does not have {len(COLUMNS)} columns")
            for number, row in enumerate(rows):
                if len(row) != len(COLUMNS):
                    raise DataError(file, f"record {number}", f"has {len(row)} columns, not {len(COLUMNS)}")
                yield Record(file, number, dict(zip(COLUMNS, row, strict=True)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(file, "", f"cannot be read as CSV: {error}") from error


def _option(record: Record, letter: str) -> str:
    text = record.text(letter)
    prefix = _LETTERED.match(text)
    return text[prefix.end() :].strip() if prefix and prefix[1] == letter else text.strip()


def _answer(record: Record, options: tuple[str, ...]) -> str:
    text = record.text("answer")
    if letter := _LETTER.fullmatch(text):
        return options["ABCD".index(letter[1])]
    if text.strip() not in options:
        raise record.error("answer", f"{text!r} is neither an option's letter nor its text")
    return text.strip()


def _folder(record: Record) -> Path:
    folders = [record.file.parent / name for name in FOLDERS]
    return next((folder for folder in folders if is_file(folder / record.text("figure_path"))), folders[0])
