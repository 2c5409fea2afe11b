"""A JSON list that is written item by item, as they come."""

from __future__ import annotations

from collections.abc import Iterable


class WrittenList:
    """Items that are JSON already, and go out as they are, in as many places as they stand in (`sse.json_bytes`).

    As objects, ten thousand large ones would take ten times the memory, and seconds of the event loop to be written.
    """

    __slots__ = ("text",)

    def __init__(self, items: Iterable[bytes] = ()) -> None:
        self.text = bytearray()
        self.extend(items)

    def __bool__(self) -> bool:
        return bool(self.text)

    def extend(self, items: Iterable[bytes]) -> None:
        """Add items, each JSON in UTF-8."""
        for item in items:
            if self.text:
                self.text += b","
            self.text += item
