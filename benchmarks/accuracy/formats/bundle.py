"""The official bundle: `medical_multimodel_evaluation_data.json`, spelt so, and the pictures of `images.zip` beside it.

Source: the data set FreedomIntelligence/Medical_Multimodal_Evaluation_Data of the Hugging Face hub, and how `eval.py`
and `scorer.py` of https://github.com/FreedomIntelligence/HuatuoGPT-Vision read it. It holds 17,303 records:

    {"question": ..., "options": [...], "answer": ..., "image": [...],
     "dataset": ..., "subset": ..., "question_type": ...}

`options` is a list or the string of a Python list literal, `image` a list or one path, `subset` may be missing.
`answer` is an option's text, or `?` where none is told, which counts as wrong. Records that are open, or that have no
options, are asked there too but not scored; here they are not asked. JAMA's cases are none of the bundle's: they have a
reader of their own, since their answers are rated.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.formats import jama
from benchmarks.accuracy.formats.json_list import json_records
from benchmarks.accuracy.formats.location import index_file
from benchmarks.accuracy.formats.options import UNPUBLISHED, option, options_of
from benchmarks.accuracy.formats.picture_file import picture_file
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Item, Picture

INDEX = "medical_multimodel_evaluation_data.json"


def items(path: Path) -> Iterator[Item]:
    """path: the JSON file, or its folder. An item's id has the record's place in the list. Raises DataError."""
    for record in json_records(index_file(path, INDEX)):
        if record.fields.get("question_type") == "open":
            continue
        if options := options_of(record, "options"):
            yield _item(record, options)


def _item(record: Record, options: tuple[str, ...]) -> Item:
    dataset = record.text("dataset")
    if dataset == jama.DATASET:
        raise record.error("dataset", f"{dataset} is read from its own file, and rated by a judge")
    return Item(
        id=f"{dataset}/{record.number}",
        dataset=dataset,
        subset=record.text("subset") if record.has("subset") else "",
        question=record.text("question"),
        options=options,
        answer=_answer(record, options),
        pictures=_pictures(record),
    )


def _answer(record: Record, options: tuple[str, ...]) -> str:
    return UNPUBLISHED if record.text("answer") == UNPUBLISHED else option(record, "answer", options)


def _pictures(record: Record) -> tuple[Picture, ...]:
    found = record.value("image")
    names = [found] if isinstance(found, str) else found
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise record.error("image", "is neither a path nor a list of paths")
    if not names:
        raise record.error("image", "is empty: this copy is incomplete, each question has a picture")
    return tuple(picture_file(record, "image", record.file.parent, name) for name in names)
