"""The palette of a header (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 and, where it is segmented, C.7.9.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from huatuo_server.errors import InvalidImage
from huatuo_server.images.dicom.elements import raw, shorts

CHANNELS: Final = ("Red", "Green", "Blue")
MAX_ENTRIES: Final = 2**16

DISCRETE, LINEAR, INDIRECT = range(3)
"""Opcodes of segments."""


@dataclass(frozen=True, slots=True)
class Palette:
    """colours: uint8, shape (entries, 3); one for each value from first_value on."""

    first_value: int
    colours: NDArray[np.uint8]

    def __call__(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """The values' colours. Those before the first entry take that, those after the last one the last."""
        places = values.astype(np.int64) - self.first_value
        return self.colours.take(places, axis=0, mode="clip")


def palette(dataset: Dataset, *, is_signed: bool) -> Palette:
    """The header's palette, in 8 bits. Raises InvalidImage, or ValueError or IndexError for damaged segments."""
    descriptor = shorts(dataset, "RedPaletteColorLookupTableDescriptor")
    if descriptor.size < 3:
        raise InvalidImage("The DICOM header has no palette for its pixels.")
    entries, first, bits = (int(value) for value in descriptor[:3])
    channels = np.stack([_channel(dataset, name, entries or MAX_ENTRIES, bits) for name in CHANNELS], axis=1)
    # Of 16 bits the upper eight are the colour, unless a writer used the lower ones only.
    eight_bit = channels >> 8 if bits > 8 and channels.max() > 255 else channels & 255
    return Palette(first - 2**16 if is_signed and first >= 2**15 else first, eight_bit.astype(np.uint8))


def expanded(segments: Sequence[int], entries: int, entry_bytes: int) -> list[int]:
    """The table that the segments stand for, and no longer than asked for: each must bring at least one entry.

    Raises InvalidImage for an indirect segment that points to another, which the standard forbids, and ValueError or
    IndexError where a segment is cut short.
    """
    table: list[int] = []
    place = 0
    while len(table) < entries and place < len(segments):
        if segments[place] != INDIRECT:
            place = _expand(segments, place, table)
            continue
        place, number = place + 2, segments[place + 1]
        source = _offset(segments, place, entry_bytes)
        for _ in range(number):
            source = _expand(segments, source, table)
            if len(table) >= entries:
                break
        place += 4 // entry_bytes
    return table


def _expand(segments: Sequence[int], place: int, table: list[int]) -> int:
    """Add the entries of one segment, and say where the next begins."""
    opcode, length = segments[place : place + 2]
    if length < 1 or opcode not in (DISCRETE, LINEAR):
        raise InvalidImage("The DICOM header's segmented palette is damaged.")
    if opcode == DISCRETE:
        table.extend(segments[place + 2 : place + 2 + length])
        return place + 2 + length
    table.extend(np.rint(np.linspace(table[-1], segments[place + 2], length + 1)[1:]).astype(int).tolist())
    return place + 3


def _offset(segments: Sequence[int], place: int, entry_bytes: int) -> int:
    """Where an indirect segment points: 32 bits, in bytes from the table's beginning, the least significant first."""
    parts = segments[place : place + 4 // entry_bytes]
    return sum(part << (8 * entry_bytes * number) for number, part in enumerate(parts)) // entry_bytes


def _channel(dataset: Dataset, channel: str, entries: int, bits: int) -> NDArray[Any]:
    keyword = f"{channel}PaletteColorLookupTableData"
    if value := raw(dataset, keyword):
        table: NDArray[Any] = np.frombuffer(value, np.uint8) if len(value) < 2 * entries else shorts(dataset, keyword)
    else:
        keyword = f"Segmented{keyword}"
        segments = np.frombuffer(raw(dataset, keyword), np.uint8) if bits <= 8 else shorts(dataset, keyword)
        table = np.array(expanded(segments.tolist(), entries, segments.itemsize), np.uint16)
    if table.size < entries:
        raise InvalidImage("The DICOM header's palette is shorter than announced.")
    return table[:entries].astype(np.uint16)
