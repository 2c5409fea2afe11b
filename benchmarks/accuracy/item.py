"""One question of a benchmark, with its pictures and its right answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import ascii_uppercase
from types import MappingProxyType

MAX_OPTIONS = len(ascii_uppercase)

_SIGNATURES = (
    (0, b"\x89PNG", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"BM", "image/bmp"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (8, b"WEBP", "image/webp"),
    (128, b"DICM", "application/dicom"),
)
"""Offset, first bytes there, and the media type."""


@dataclass(frozen=True, slots=True)
class Picture:
    """name: for people, such as its path in the data. read: its bytes, as they lie on disk; raises DataError."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """A question as a benchmark asks it.

    id: unique in the data, and the same each time it is read. dataset, subset: rows of the tables, spelt as in the
    official bundle. options: none for an open question. answer: the right option's text, or the free answer.
    details: what only some benchmarks have (JAMA's discussion), by its field's name.
    """

    id: str
    dataset: str
    subset: str
    question: str
    options: tuple[str, ...]
    answer: str
    pictures: tuple[Picture, ...]
    details: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def label(self) -> str | None:
        """The right option's letter; None where no option is the answer, and then no answer is right."""
        return ascii_uppercase[self.options.index(self.answer)] if self.answer in self.options else None


def media_type(content: bytes) -> str:
    """What a picture's bytes are, for a data URL; `application/octet-stream` where their beginning says nothing."""
    for offset, signature, found in _SIGNATURES:
        if content.startswith(signature, offset):
            return found
    return "application/octet-stream"
