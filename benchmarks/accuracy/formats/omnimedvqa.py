"""OmniMedVQA: a JSON list a data set in `QA_information/Open-access/`, and the pictures in `Images/`.

Source: the data set foreverbeliever/OmniMedVQA of the Hugging Face hub (arXiv 2402.09181). Fields: `question_id`,
`question`, `option_A` to `option_D` (C and D may be missing), `gt_answer` (the right option's text; white space at the
ends of either makes no difference), `image_path` (such as `Images/ACRIMA/Im002.png`), `modality_type`, `dataset`. The
official bundle asks 11,124 of the questions; the files have more, so that the two give figures of different questions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats.identity import Identities
from benchmarks.accuracy.formats.json_list import json_records
from benchmarks.accuracy.formats.location import index_file
from benchmarks.accuracy.formats.options import option
from benchmarks.accuracy.formats.picture_file import picture_file
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Item

DATASET = "OmniMedVQA"

QUESTIONS = Path("QA_information") / "Open-access"


def items(path: Path) -> Iterator[Item]:
    """path: the folder that holds `QA_information` and `Images`, or the one with the JSON files, or one of these.

    The subset is the modality, spelt as in the data. Raises DataError.
    """
    identities = Identities("question_id")
    for file in _files(path):
        folder = _image_root(file)
        for record in json_records(file):
            yield _item(record, identities.of(record), folder)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [index_file(path, "")]
    folder = path / QUESTIONS if (path / QUESTIONS).is_dir() else path
    files = sorted(folder.glob("*.json"))
    if not files:
        raise DataError(folder, "", "there is no JSON file in this folder")
    return files


def _image_root(file: Path) -> Path:
    """The folder that paths of pictures are relative to: the nearest one above the file that holds `Images`."""
    above = file.absolute().parents[: len(QUESTIONS.parts) + 1]
    return next((folder for folder in above if (folder / "Images").is_dir()), above[-1])


def _item(record: Record, identity: str, folder: Path) -> Item:
    image = picture_file(record, "image_path", folder, record.text("image_path"))
    options = _options(record)
    return Item(
        id=f"{DATASET}/{identity}",
        dataset=DATASET,
        subset=record.text("modality_type"),
        question=record.text("question"),
        options=options,
        answer=_answer(record, options),
        pictures=(image,),
    )


def _options(record: Record) -> tuple[str, ...]:
    names = ["option_A", "option_B", *(name for name in ("option_C", "option_D") if record.has(name))]
    return tuple(record.text(name) for name in names)


def _answer(record: Record, options: tuple[str, ...]) -> str:
    """The option that `gt_answer` tells, as the option is written."""
    told = record.text("gt_answer")
    alike = [each for each in options if each.strip() == told.strip()]
    return alike[0] if alike and told not in options else option(record, "gt_answer", options)
