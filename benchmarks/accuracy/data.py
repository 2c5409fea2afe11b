"""A copy of a benchmark, read as often as needed: first to check it whole, then to ask."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats import Reader
from benchmarks.accuracy.item import Item


@dataclass(frozen=True, slots=True)
class Checked:
    """Data that was read once, to its end. ids: of its items, in order. sha256: of all that its index says.

    The digest is over the items, pictures by their names in the data: it is the same wherever the copy lies.
    """

    ids: tuple[str, ...]
    sha256: str


def checked(read: Reader, path: Path, stop: threading.Event | None = None) -> Checked:
    """Raises DataError where the reader does, where nothing is there, and where two items have one id.

    stop: set by another thread, it ends the reading, with a DataError too.
    """
    digest, ids = hashlib.sha256(), dict[str, None]()
    for item in read(path):
        if stop is not None and stop.is_set():
            raise DataError(path, item.id, "was not read: the check was stopped")
        if item.id in ids:
            raise DataError(path, item.id, "is there twice")
        ids[item.id] = None
        digest.update(json.dumps(_said(item)).encode() + b"\n")
    if not ids:
        raise DataError(path, "", "has no questions")
    return Checked(tuple(ids), digest.hexdigest())


def _said(item: Item) -> list[Any]:
    pictures, details = [picture.name for picture in item.pictures], sorted(item.details.items())
    return [item.id, item.dataset, item.subset, item.question, item.options, item.answer, pictures, details]
