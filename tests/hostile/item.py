"""One hostile file: a name, how its bytes are made, and what a server may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PICTURE = 200
"""The file is strange and within the limits: its pixels are given."""

DAMAGED = frozenset({400})
UNREAD = frozenset({415})
REFUSED = frozenset({422})
BROKEN = DAMAGED | REFUSED
"""It cannot be read, and what is noticed first does not matter."""

REJECTED = DAMAGED | UNREAD | REFUSED
HARMLESS = REJECTED | {PICTURE}
"""What is wrong may be passed over, if that costs neither time nor memory."""


@dataclass(frozen=True, slots=True)
class Item:
    """make: the bytes, the same every time. statuses: of HTTP; PICTURE is among them where pixels are right too."""

    name: str
    make: Callable[[], bytes]
    statuses: frozenset[int]


def named(group: str, *rows: tuple[str, Callable[[], bytes], frozenset[int]]) -> tuple[Item, ...]:
    """The items of one format, their names begun with it."""
    return tuple(Item(f"{group}: {name}", make, statuses) for name, make, statuses in rows)
