"""MMMU, the five subjects of Health & Medicine: parquet files, in a folder a subject.

Source: the data set MMMU/MMMU of the Hugging Face hub (arXiv 2311.16502, https://github.com/MMMU-Benchmark/MMMU), whose
files are `Clinical_Medicine/validation-00000-of-00001.parquet` and the like. Columns: `id`
(`validation_Clinical_Medicine_1`), `question`, `options` (the string of a Python list literal, empty for an open
question), `answer` (a letter; `?` in the test split, which the data give no answers of), `image_1` to `image_7`, and
`question_type` (`multiple-choice`, `open`).

A question says `<image 1>` where it means a picture. MMMU's own evaluation of LLaVA leaves these words in the text and
puts the picture before it; HuatuoGPT-Vision's takes out `<image>` alone, and puts all pictures before the text. So the
words stay here too, and the pictures come in the order of their columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.accuracy.formats.identity import Identities
from benchmarks.accuracy.formats.location import split_files
from benchmarks.accuracy.formats.options import UNPUBLISHED, lettered, options_of
from benchmarks.accuracy.formats.parquet import Columns, parquet_rows
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Item, Picture

SUBJECTS = (
    "Basic_Medical_Science",
    "Clinical_Medicine",
    "Diagnostics_and_Laboratory_Medicine",
    "Pharmacy",
    "Public_Health",
)

_IMAGES = tuple(f"image_{number}" for number in range(1, 8))

COLUMNS = Columns(
    texts=("id", "question", "options", "answer", "question_type"),
    pictures=_IMAGES,
    optional=frozenset({"question_type", *_IMAGES[1:]}),
)

_MENTIONED = re.compile(r"<image (\d+)>")


def validation_items(path: Path) -> Iterator[Item]:
    """The validation split's questions with options: 145 of 150. path: as for `test_items`. Raises DataError."""
    return (item for item in _items(path, "validation", "MMMU_Medical_Validation") if item.options)


def test_items(path: Path) -> Iterator[Item]:
    """All questions of the test split, since a submission needs every id; an open one has no options.

    path: the folder of the subjects' folders, a folder with the split's files, or one file. Questions of MMMU's other
    subjects are passed over. Raises DataError.
    """
    return _items(path, "test", "MMMU_Medical_Test")


def _items(path: Path, split: str, dataset: str) -> Iterator[Item]:
    identities = Identities("id")
    for record, pictures in parquet_rows(_files(path, split), COLUMNS):
        identity = identities.of(record)
        subject = _subject(record, split, identity)
        if subject in SUBJECTS:
            yield _item(record, pictures, f"{dataset}/{identity}", dataset, f"{split}_{subject}")


def _files(path: Path, split: str) -> list[Path]:
    if any((path / subject).is_dir() for subject in SUBJECTS):
        return [file for subject in SUBJECTS for file in split_files(path / subject, split)]
    return split_files(path, split)


def _subject(record: Record, split: str, identity: str) -> str:
    found = re.fullmatch(rf"{split}_(\w+)_\d+", identity)
    if not found:
        raise record.error("id", f"{identity!r} is not of the form {split}_SUBJECT_NUMBER")
    return found[1]


def _item(record: Record, pictures: Mapping[str, Picture], identity: str, dataset: str, subset: str) -> Item:
    question, options = record.text("question"), _options(record)
    _check_mentioned(record, pictures, " ".join((question, *options)))
    return Item(
        id=identity,
        dataset=dataset,
        subset=subset,
        question=question,
        options=options,
        answer=_answer(record, options),
        pictures=tuple(pictures.values()),
    )


def _options(record: Record) -> tuple[str, ...]:
    is_open = record.has("question_type") and record.text("question_type") == "open"
    return () if is_open else options_of(record, "options")


def _answer(record: Record, options: tuple[str, ...]) -> str:
    answer = record.text("answer").strip()
    return answer if not options or answer == UNPUBLISHED else lettered(record, "answer", options)


def _check_mentioned(record: Record, pictures: Mapping[str, Picture], text: str) -> None:
    """That every picture which the text speaks of is there, and one at least."""
    mentioned = [f"image_{number}" for number in _MENTIONED.findall(text)]
    for name in mentioned or _IMAGES[:1]:
        if name not in pictures:
            raise record.error(name, "is missing")
