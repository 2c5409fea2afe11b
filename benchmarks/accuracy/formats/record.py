"""One record of a benchmark's file, and its fields, each of the kind that it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accuracy.errors import DataError


@dataclass(frozen=True, slots=True)
class Record:
    """file: where it is from. number: its place in the file, from 0; a CSV's header does not count. fields: by name."""

    file: Path
    number: int
    fields: Mapping[str, object]

    def has(self, name: str) -> bool:
        """Whether the field is there and is not null."""
        return self.fields.get(name) is not None

    def value(self, name: str) -> object:
        """The field, of whatever kind. Raises DataError where it is missing or null."""
        if not self.has(name):
            raise self.error(name, "is missing")
        return self.fields[name]

    def text(self, name: str) -> str:
        """The field as it is written. Raises DataError where it is missing or is no text that UTF-8 can hold."""
        value = self.value(name)
        if not isinstance(value, str) or not _fits_utf8(value):
            raise self.error(name, "is not a text")
        return value

    def place(self, name: str) -> str:
        """How an error names the field, such as `record 17: image`."""
        return f"record {self.number}: {name}"

    def error(self, name: str, problem: str) -> DataError:
        """What is wrong with one field, to be raised."""
        return DataError(self.file, self.place(name), problem)


def _fits_utf8(text: str) -> bool:
    # JSON can hold half a character ("\ud800"), which can be neither sent nor written down.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
