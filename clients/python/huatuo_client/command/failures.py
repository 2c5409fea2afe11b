"""The file of what was not answered, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from huatuo_client.journal import Journal, write_anew


class Failures:
    """path: made with the first failure, and gone when there is none left."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, record: Mapping[str, Any]) -> None:
        """It is on the disk when this returns. Raises OSError, JournalError."""
        with Journal(self.path) as journal:
            journal.append(record)

    def settle(self, answered: Collection[str]) -> None:
        """Leave the last failure of each item that is not answered. answered: keys. Raises OSError, JournalError."""
        if not self.path.exists():
            return
        with Journal(self.path) as journal:
            records = {record.get("key"): record for record in journal.records()}
        write_anew(self.path, [record for key, record in records.items() if key not in answered])
