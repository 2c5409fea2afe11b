"""The JAMA Clinical Challenge, as its licence holder has scraped it: `jama_raw.json`, a list of cases.

Source: `jama_scraper.py` of https://github.com/HanjieChen/ChallengeClinicalQA (arXiv 2402.18060), which writes 1,524
cases. Fields: `id`, `link`, `question` (the case, then what is asked), `opa` to `opd`, `diagnosis`, `answer_idx` (a
letter), `answer`, `explanation` (the discussion), `field`.

The scraper saves no pictures, and the ones that SemiHVision's score was made with are not published. Who has saved a
case's picture puts it beside the file as `images/ID.jpg` (or any other ending); a case without one is asked as text.

A case is asked openly and its answer rated, so an item has no options: a letter in the answer would say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks.accuracy.formats.identity import Identities
from benchmarks.accuracy.formats.json_list import json_records
from benchmarks.accuracy.formats.location import index_file
from benchmarks.accuracy.formats.options import lettered
from benchmarks.accuracy.formats.picture_file import picture_file
from benchmarks.accuracy.formats.record import Record
from benchmarks.accuracy.item import Item, Picture

DATASET = "JAMA"

DETAILS = ("link", "diagnosis", "answer", "explanation", "field")
"""The fields that an item's details hold, under their own names."""


def items(path: Path) -> Iterator[Item]:
    """path: the JSON file, or the folder with `jama_raw.json`. Raises DataError."""
    file = index_file(path, "jama_raw.json")
    names = {saved.stem: saved.name for saved in sorted((file.parent / "images").glob("*.*"))}
    identities = Identities("id")
    for record in json_records(file):
        identity = identities.of(record)
        yield _item(record, identity, _pictures(record, names.get(identity)))


def _item(record: Record, identity: str, pictures: tuple[Picture, ...]) -> Item:
    choices = tuple(record.text(name) for name in ("opa", "opb", "opc", "opd"))
    return Item(
        id=f"{DATASET}/{identity}",
        dataset=DATASET,
        subset="",
        question=record.text("question"),
        options=(),
        answer=lettered(record, "answer_idx", choices),
        pictures=pictures,
        details=_details(record),
    )


def _details(record: Record) -> Mapping[str, str]:
    return MappingProxyType({name: record.text(name) for name in DETAILS})


def _pictures(record: Record, name: str | None) -> tuple[Picture, ...]:
    return (picture_file(record, "id", record.file.parent / "images", name),) if name else ()
