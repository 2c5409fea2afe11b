"""The ids that a benchmark gives its records: each is there once."""

from __future__ import annotations

from benchmarks.accuracy.formats.record import Record


class Identities:
    """field: the one that holds the id, a text or a whole number."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._seen: set[str] = set()

    def of(self, record: Record) -> str:
        """The record's id. Raises DataError where it is missing, of another kind, or another record's too."""
        value = record.value(self._field)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise record.error(self._field, "is neither a text nor a whole number")
        identity = str(value)
        if identity in self._seen:
            raise record.error(self._field, f"{identity} is another record's id too")
        self._seen.add(identity)
        return identity
