"""Writes TIFF files of kinds that Pillow does not write, after TIFF 6.0, section 2."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHORT, LONG = 3, 4
CODES = {SHORT: "H", LONG: "I"}

Tags = dict[int, tuple[int, Sequence[int]]]
"""Tag -> type and values."""


def tiff_of(values: NDArray[Any], order: str = "<", *, compressed: bool = False, **options: Any) -> bytes:
    """A file with one page. values: rows, columns and, if more than one, channels. order: `<` or `>`.

    options: see `page_tags`.
    """
    return tiff_of_pages([values], order, compressed=compressed, **options)


def tiff_of_pages(
    pages: Sequence[NDArray[Any]], order: str = "<", *, compressed: bool = False, loop: bool = False, **options: Any
) -> bytes:
    """A file with several pages. loop: the last one is followed by the first."""
    file = bytearray((b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8))
    for number, values in enumerate(pages):
        strips = [_packed(strip, order, compressed) for strip in _strips(values, options.get("planar", 1))]
        tags = page_tags(values, compressed=compressed, **options)
        place = len(file) + 2 + 12 * (len(tags) + 2) + 4
        last = number == len(pages) - 1
        body, directory = bytearray(), b""
        offsets = [place + sum(map(len, strips[:index])) for index in range(len(strips))]
        body += b"".join(strips)
        tags |= {273: (LONG, offsets), 279: (LONG, [len(strip) for strip in strips])}
        for tag, (kind, numbers) in sorted(tags.items()):
            packed = struct.pack(f"{order}{len(numbers)}{CODES[kind]}", *numbers)
            if len(packed) > 4:
                body += b"\0" * (len(body) % 2)
                at, body = place + len(body), body + packed
                packed = struct.pack(f"{order}I", at)
            directory += struct.pack(f"{order}HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
        body += b"\0" * (len(body) % 2)
        after = (8 if loop else 0) if last else place + len(body)
        file += struct.pack(f"{order}H", len(tags)) + directory + struct.pack(f"{order}I", after) + body
    return bytes(file)


def page_tags(
    values: NDArray[Any],
    *,
    compressed: bool = False,
    photometric: int | None = None,
    planar: int = 1,
    orientation: int = 1,
    bits: int | None = None,
    extra: int | None = None,
) -> Tags:
    """What describes a page. photometric: 0 where zero is white, 2 for RGB. bits: to lie about them."""
    height, width = values.shape[:2]
    channels = values.shape[2] if values.ndim == 3 else 1
    sample_format = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    kind = (2 if channels > 2 else 1) if photometric is None else photometric
    tags: Tags = {256: (LONG, [width]), 257: (LONG, [height]), 259: (SHORT, [8 if compressed else 1])}
    tags |= {258: (SHORT, [bits or values.dtype.itemsize * 8] * channels), 339: (SHORT, [sample_format] * channels)}
    tags |= {262: (SHORT, [kind]), 274: (SHORT, [orientation]), 277: (SHORT, [channels]), 278: (LONG, [height])}
    if extra is not None:
        tags[338] = (SHORT, [extra])
    return tags | {284: (SHORT, [planar])}


def _strips(values: NDArray[Any], planar: int) -> list[NDArray[Any]]:
    return list(np.moveaxis(values, -1, 0)) if planar == 2 else [values]


def _packed(strip: NDArray[Any], order: str, compressed: bool) -> bytes:
    stored = strip.astype(strip.dtype.newbyteorder("<" if order == "<" else ">")).tobytes()
    return zlib.compress(stored) if compressed else stored
