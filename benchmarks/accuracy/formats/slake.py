"""SLAKE: `test.json`, a list in English and Chinese, and `imgs/xmlabN/source.jpg` beside it.

Source: https://www.med-vqa.com/slake/ (arXiv 2102.09542), as in the data set BoKelvin/SLAKE of the Hugging Face hub.
Fields: `img_name`, `question`, `answer`, `q_lang` (en, zh), `answer_type` (OPEN, CLOSED), `modality`.

The official bundle asks the 416 closed English questions and gives each its options. The file has no options, so that
only the questions whose answer is yes or no can be asked from it; the others ("Which is bigger, the liver or the
spleen?") are left out, and a warning in the log says how many. The bundle is the one to use for the paper's figure.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.formats.json_list import json_records
from benchmarks.accuracy.formats.location import index_file
from benchmarks.accuracy.formats.picture_file import picture_file
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Item

DATASET = "SLAKE_test"

OPTIONS = {"en": ("Yes", "No"), "zh": ("是", "否")}
"""By the question's language, which is the item's subset too."""

LOG = logging.getLogger(__name__)


def items(path: Path) -> Iterator[Item]:
    """path: `test.json`, or its folder. An item's id has the record's place in the list. Raises DataError."""
    file = index_file(path, "test.json")
    num_without_options = 0
    for record in json_records(file):
        if not _closed(record):
            continue
        language, answer = _language(record), record.text("answer").strip().capitalize()
        if answer in OPTIONS[language]:
            yield _item(record, language, answer)
        else:
            num_without_options += 1
    if num_without_options:
        LOG.warning(
            "%s: %d closed questions are not asked: the file has no options for them, and the answer is not yes or no.",
            file,
            num_without_options,
        )


def _closed(record: Record) -> bool:
    kind = record.text("answer_type").strip()
    if kind not in ("OPEN", "CLOSED"):
        raise record.error("answer_type", f"{kind!r} is neither OPEN nor CLOSED")
    return kind == "CLOSED"


def _language(record: Record) -> str:
    language = record.text("q_lang")
    if language not in OPTIONS:
        raise record.error("q_lang", f"{language!r} is none of {', '.join(OPTIONS)}")
    return language


def _item(record: Record, language: str, answer: str) -> Item:
    return Item(
        id=f"{DATASET}/{record.number}",
        dataset=DATASET,
        subset=language,
        question=record.text("question"),
        options=OPTIONS[language],
        answer=answer,
        pictures=(picture_file(record, "img_name", record.file.parent / "imgs", record.text("img_name")),),
    )
