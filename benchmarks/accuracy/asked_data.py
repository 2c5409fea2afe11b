"""The data that a run was asked from, read again for what its answers do not hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.accuracy.data import checked
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.run_folder import Run


def asked_items(run: Run) -> Iterator[Item]:
    """All items of the data, asked or not.

    Raises DataError where the copy is gone or broken, RunError where it says other things than when it was asked.
    """
    about = run.about["data"]
    path = Path(about["path"])
    read = READERS.get(about["reader"])
    if read is None:
        raise RunError(f"{run.folder}: was asked from data that this version does not read: {about['reader']}")
    if checked(read, path).sha256 != about["sha256"]:
        raise RunError(f"{path}: is not the data any more that {run.folder} was asked from")
    return read(path)
