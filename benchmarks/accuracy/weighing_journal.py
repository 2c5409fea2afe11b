"""A run's weighings: `choices.jsonl` in its folder, a line an item, appended as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.journal import Journal
from benchmarks.accuracy.weighing import Weighing, weighing_of

FILE = "choices.jsonl"


class Weighings:
    """`with weighings:` holds the file for appending: RunError where another process does."""

    def __init__(self, folder: Path) -> None:
        self._journal = Journal(folder / FILE)

    def __enter__(self) -> Weighings:
        self._journal.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.__exit__(kind, error, trace)

    def append(self, weighing: Weighing) -> None:
        """Keep it. Raises RunError where it cannot be written."""
        self._journal.append(asdict(weighing))

    def __iter__(self) -> Iterator[Weighing]:
        """The newest of each item, in the file's order, one in memory at a time. Raises RunError for a broken line."""
        newest = {weighing.id: number for number, weighing in self._numbered()}
        return (weighing for number, weighing in self._numbered() if newest.get(weighing.id) == number)

    def weighed_ids(self) -> set[str]:
        """Of the items that need not be asked again."""
        return {weighing.id for weighing in self if weighing.error is None}

    def _numbered(self) -> Iterator[tuple[int, Weighing]]:
        for number, record in enumerate(self._journal.records(), start=1):
            try:
                yield number, weighing_of(record)
            except TypeError as error:
                raise RunError(f"{self._journal.path}: line {number}: is no weighing") from error
