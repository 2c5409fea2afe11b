"""The file of what was not answered, and why."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from huatuo_client.item import Item
from huatuo_client.journal import Journal, write_anew


class Failures:
    """path: made with the first failure, and gone when there is none left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(self) -> None:
        """Raises JournalError where it is somebody else's file."""
        if self.path.exists():
            with Journal(self.path) as journal:
                journal.records()

    def add(self, record: Mapping[str, Any]) -> None:
        """It is on the disk when this returns. Raises OSError, JournalError."""
        with Journal(self.path) as journal:
            journal.append(record)

    def settle(self, items: Mapping[str, Item], answered: Collection[str]) -> None:
        """Leave the last failure of each item that is not answered, as its files are now. items: by their keys.

        answered: keys. Raises OSError, JournalError.
        """
        if not self.path.exists():
            return
        with Journal(self.path) as journal:
            records = {record.get("key"): record for record in journal.records()}
        rows = {_row(one.files, one.question.text) for one in items.values()}
        done = {key for key, record in records.items() if key not in items and _of_row(record) in rows}
        write_anew(self.path, [record for key, record in records.items() if key not in answered and key not in done])


def _of_row(record: Mapping[str, Any]) -> str:
    return _row(record.get("files"), record.get("question"))


def _row(files: object, question: object) -> str:
    """What a row says, whatever its files hold: a file that was mended has another key."""
    return json.dumps([files, question])
