"""Hostile PNG: bombs, headers that lie, chunks that never end."""

from __future__ import annotations

import struct
import zlib

from tests.hostile.compression import MEBIBYTE, deflated_zeros
from tests.hostile.item import BROKEN, DAMAGED, HARMLESS, PICTURE, REFUSED, named

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6

_ADAM7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
"""First column, step, first row, step of each pass (PNG 8.2)."""

_SAMPLES = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}


def chunk(kind: bytes, body: bytes = b"", *, length: int | None = None) -> bytes:
    """length: what the chunk says, if not the truth."""
    said = len(body) if length is None else length
    return struct.pack(">I", said) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = GREY, interlace: int = 0) -> bytes:
    """The IHDR chunk."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def rows(width: int, height: int, depth: int = 8, colour: int = GREY, interlace: int = 0) -> bytes:
    """IDAT of black rows without filters."""
    passes = _ADAM7 if interlace else ((0, 1, 0, 1),)
    sizes = [(len(range(left, width, right)), len(range(top, height, down))) for left, right, top, down in passes]
    bits = depth * _SAMPLES[colour]
    return chunk(b"IDAT", deflated_zeros(sum(high * (1 + (wide * bits + 7) // 8) for wide, high in sizes if wide)))


def png(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND")


def black(width: int, height: int, depth: int = 8, colour: int = GREY, interlace: int = 0) -> bytes:
    """A valid black picture."""
    palette = chunk(b"PLTE", bytes(3)) if colour == PALETTE else b""
    return png(header(width, height, depth, colour, interlace), palette, rows(width, height, depth, colour, interlace))


def beside(*chunks: bytes) -> bytes:
    """A valid 8 x 8 picture with more chunks before its pixels."""
    return png(header(8, 8), *chunks, rows(8, 8))


def _animation(num_frames: int, said: int) -> bytes:
    """An APNG of 8 x 8: each frame is a control chunk and a data chunk."""
    pixels = deflated_zeros(72)
    frames = [
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * number + 1, 8, 8, 0, 0, 1, 10, 0, 0))
        + chunk(b"fdAT", struct.pack(">I", 2 * number + 2) + pixels)
        for number in range(num_frames)
    ]
    control = chunk(b"acTL", struct.pack(">II", said, 0))
    return png(header(8, 8), control, rows(8, 8), *frames)


def _text(kind: bytes) -> bytes:
    heads = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"profile\0\0"}
    return chunk(kind, heads[kind] + deflated_zeros(256 * MEBIBYTE))


def _exif_loop() -> bytes:
    """An IFD whose sub-IFD and whose next IFD are itself."""
    ifd = (
        struct.pack("<H", 2) + struct.pack("<HHIIHHII", 0x8769, 4, 1, 8, 0x0112, 4, 1, 2**32 - 1) + struct.pack("<I", 8)
    )
    return beside(chunk(b"eXIf", b"II*\0\x08\0\0\0" + ifd))


ITEMS = named(
    "png",
    ("20 KB that become 808 MB", lambda: black(16400, 16400, depth=1), REFUSED),
    ("a bomb of 50000 x 50000", lambda: png(header(50_000, 50_000), rows(50_000, 400)), REFUSED),
    ("the largest size a header can say", lambda: png(header(2**31 - 1, 2**31 - 1), rows(8, 8)), BROKEN),
    ("a size over 31 bits", lambda: png(header(2**32 - 1, 2**32 - 1), rows(8, 8)), BROKEN),
    ("0 x 0", lambda: black(0, 0), DAMAGED),
    ("0 x 5", lambda: black(0, 5), DAMAGED),
    ("5 x 0", lambda: black(5, 0), DAMAGED),
    ("1 x 65535", lambda: black(1, 65_535), REFUSED),
    ("65535 x 1", lambda: black(65_535, 1), REFUSED),
    ("1 x 20000, the longest side there may be", lambda: black(1, 20_000), frozenset({PICTURE})),
    ("20000 x 2000, whose square would be 1.2 GB", lambda: black(20_000, 2000, colour=RGB), frozenset({PICTURE})),
    ("one row over 40 megapixels", lambda: black(8000, 5001, colour=RGB), REFUSED),
    ("40 megapixels RGB", lambda: black(8000, 5000, colour=RGB), frozenset({PICTURE})),
    ("40 megapixels of 16-bit grey", lambda: black(8000, 5000, depth=16), frozenset({PICTURE})),
    ("40 megapixels of 16-bit RGBA", lambda: black(8000, 5000, depth=16, colour=RGBA), frozenset({PICTURE, 422})),
    ("40 megapixels interlaced", lambda: black(8000, 5000, colour=RGB, interlace=1), frozenset({PICTURE})),
    ("40 megapixels of palette", lambda: black(8000, 5000, colour=PALETTE), frozenset({PICTURE})),
    ("text of 256 MB", lambda: beside(_text(b"zTXt")), HARMLESS),
    ("64 texts of 256 MB", lambda: beside(*[_text(b"zTXt")] * 64), HARMLESS),
    ("international text of 256 MB", lambda: beside(_text(b"iTXt")), HARMLESS),
    ("a colour profile of 256 MB", lambda: beside(_text(b"iCCP")), HARMLESS),
    ("texts of 256 MB after the pixels", lambda: png(header(8, 8), rows(8, 8), *[_text(b"zTXt")] * 8), HARMLESS),
    ("pixels for 8 rows that become 1 GB", lambda: png(header(8, 8), chunk(b"IDAT", deflated_zeros(2**30))), HARMLESS),
    ("more rows than its pixels have", lambda: png(header(100, 5000), rows(100, 50)), DAMAGED),
    ("wider than its pixels", lambda: png(header(5000, 100), rows(50, 100)), DAMAGED),
    ("fewer rows than its pixels have", lambda: png(header(100, 5), rows(100, 5000)), HARMLESS),
    ("a second, larger header", lambda: png(header(8, 8), header(30_000, 30_000), rows(8, 8)), BROKEN),
    ("a second header after the pixels", lambda: png(header(8, 8), rows(8, 8), header(30_000, 30_000)), HARMLESS),
    ("no header", lambda: png(rows(8, 8)), DAMAGED),
    ("no pixels", lambda: png(header(8, 8)), DAMAGED),
    ("pixels that are no deflate", lambda: png(header(8, 8), chunk(b"IDAT", b"no deflate at all")), DAMAGED),
    ("a depth of 3", lambda: black(8, 8, depth=3), DAMAGED),
    ("a colour type of 7", lambda: png(header(8, 8, colour=7), rows(8, 8)), DAMAGED),
    ("a palette that is missing", lambda: png(header(8, 8, colour=PALETTE), rows(8, 8)), HARMLESS),
    ("a palette of no whole colours", lambda: beside(chunk(b"PLTE", bytes(7)), chunk(b"tRNS", bytes(999))), HARMLESS),
    ("a wrong checksum", lambda: png(header(8, 8)[:-1] + b"?", rows(8, 8)), DAMAGED),
    ("a chunk of 4 GB", lambda: png(header(8, 8), chunk(b"tEXt", b"k\0v", length=2**32 - 1)), DAMAGED),
    ("100,000 frames", lambda: _animation(100_000, 100_000), REFUSED),
    ("4 billion frames", lambda: _animation(2, 2**32 - 1), HARMLESS),
    ("no frames", lambda: _animation(0, 0), HARMLESS),
    ("500,000 empty chunks", lambda: beside(chunk(b"prVt") * 500_000), HARMLESS),
    ("EXIF that goes round in circles", _exif_loop, HARMLESS),
    ("no more than its signature", lambda: SIGNATURE, DAMAGED),
)
