"""Hostile BMP: signed sizes, runs and offsets that lie."""

from __future__ import annotations

import struct

from tests.hostile.item import BROKEN, DAMAGED, HARMLESS, PICTURE, REFUSED, REJECTED, named

RAW, RLE8, RLE4, BITFIELDS = 0, 1, 2, 3


def bmp(
    width: int,
    height: int,
    pixels: bytes = b"",
    *,
    bits: int = 8,
    compression: int = RAW,
    colours: int = 2,
    offset: int | None = None,
    header_bytes: int = 40,
) -> bytes:
    """A BITMAPINFOHEADER, a palette of two colours and pixels; width and height are 32 bits as they are."""
    palette = b"\0\0\xff\0\xff\0\0\0"
    start = 54 + len(palette) if offset is None else offset
    info = struct.pack(
        "<IIIHHIIIIII", header_bytes, width % 2**32, height % 2**32, 1, bits, compression, 0, 0, 0, colours, 0
    )
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, start) + info + palette + pixels


_RUN = b"\xff\x01"

ITEMS = named(
    "bmp",
    ("2147483647 x 2147483647", lambda: bmp(2**31 - 1, 2**31 - 1), BROKEN),
    ("65536 x 65536, whose pixels wrap to none", lambda: bmp(65_536, 65_536), REFUSED),
    ("0 x 0", lambda: bmp(0, 0), DAMAGED),
    ("a negative width", lambda: bmp(-16, 16, bytes(256)), BROKEN),
    ("a negative height", lambda: bmp(16, -16, bytes(256)), frozenset({PICTURE})),
    ("the most negative height", lambda: bmp(16, -(2**31), bytes(256)), BROKEN),
    ("a size far beyond its pixels", lambda: bmp(6000, 6000, bytes(100)), DAMAGED),
    ("runs that fill 40 megapixels", lambda: bmp(8000, 5000, _RUN * 160_000 + b"\0\1", compression=RLE8), HARMLESS),
    ("20 MB of runs of no pixels", lambda: bmp(8000, 5000, b"\0\2\0\0" * 5_000_000, compression=RLE8), BROKEN),
    ("40 MB of runs of one pixel", lambda: bmp(8000, 5000, b"\1\0" * 20_000_000, compression=RLE8), BROKEN),
    ("a run past the end", lambda: bmp(16, 16, _RUN * 10_000, compression=RLE8), HARMLESS),
    ("jumps past the end", lambda: bmp(16, 16, b"\0\2\xff\xff" * 10_000, compression=RLE8), HARMLESS),
    ("runs of 4 bits that stop", lambda: bmp(5000, 5000, b"\xff\x11\0\xff", compression=RLE4, bits=4), DAMAGED),
    ("4 billion colours", lambda: bmp(16, 16, bytes(256), colours=2**32 - 1), DAMAGED),
    ("7 bits a pixel", lambda: bmp(16, 16, bytes(256), bits=7), DAMAGED),
    ("65535 bits a pixel", lambda: bmp(16, 16, bytes(256), bits=65_535), DAMAGED),
    ("masks of no bits", lambda: bmp(16, 16, bytes(4096), bits=32, compression=BITFIELDS), HARMLESS),
    ("JPEG inside", lambda: bmp(16, 16, bytes(256), compression=4), REJECTED),
    ("pixels 4 GB away", lambda: bmp(16, 16, bytes(256), offset=2**32 - 1), DAMAGED),
    ("a header of 4 GB", lambda: bmp(16, 16, bytes(256), header_bytes=2**32 - 1), DAMAGED),
    ("no more than its mark", lambda: b"BM", DAMAGED),
)
