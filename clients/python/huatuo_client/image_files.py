"""Which files of a folder are images, and in which order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEADS: Final = (
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"\xff\xd8\xff"),
    (8, b"WEBP"),
    (0, b"BM"),
    (0, b"II*\x00"),
    (0, b"MM\x00*"),
    (0, b"II+\x00"),
    (0, b"MM\x00+"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
)
"""How the formats that the server reads begin, DICOM aside: offset, bytes."""

_DIRECTORY: Final = b"1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR, which lists images and is none."""

_HEAD_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """found: in the order of their names, numbers by their value. num_others: files that are no images."""

    found: tuple[Path, ...]
    num_others: int

    @classmethod
    def under(cls, folder: Path) -> ImageFiles:
        """All below a folder, but what is hidden. Raises OSError."""
        files = [one for one in folder.rglob("*") if one.is_file() and not _is_hidden(one.relative_to(folder))]
        images = [one for one in files if is_image(one)]
        return cls(tuple(sorted(images, key=_by_name)), len(files) - len(images))


def is_image(path: Path) -> bool:
    """By its first bytes, as the server does. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[128:132] == b"DICM":
        return _DIRECTORY not in head
    return any(head[offset : offset + len(mark)] == mark for offset, mark in _HEADS)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _by_name(path: Path) -> list[list[tuple[int, str]]]:
    """`im2` before `im10`."""
    return [
        [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in re.split(r"(\d+)", part)]
        for part in path.parts
    ]
