"""Hostile TIFF: directories in circles, counts and sizes that lie, strips that explode."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

from PIL import Image

from tests.hostile.compression import deflated_zeros, lzw_zeros
from tests.hostile.item import BROKEN, DAMAGED, HARMLESS, PICTURE, REFUSED, REJECTED, named

SHORT, LONG, LONG8 = 3, 4, 16

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, SAMPLES, ROWS_PER_STRIP, COUNTS = (
    256, 257, 258, 259, 262, 273, 277, 278, 279,
)  # fmt: skip
PLANAR, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SUB_IFDS, SAMPLE_FORMAT, EXIF_IFD = (
    284, 322, 323, 324, 325, 330, 339, 34665,
)  # fmt: skip

NONE, GROUP3, LZW, OLD_JPEG, JPEG, DEFLATE, PACKBITS = 1, 3, 5, 6, 7, 8, 32773


def entry(tag: int, value: int, *, kind: int = LONG, count: int = 1) -> bytes:
    """One field of a directory; a SHORT's value stands in the low half, as little-endian has it."""
    return struct.pack("<HHII", tag, kind, count, value)


def directory(fields: Mapping[int, int | bytes], next_at: int = 0) -> bytes:
    """An IFD. fields: tag -> value, or a whole entry."""
    entries = [value if isinstance(value, bytes) else entry(tag, value) for tag, value in sorted(fields.items())]
    return struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", next_at)


def tiff(fields: Mapping[int, int | bytes] | None = None, pixels: bytes = bytes(256), *, next_at: int = 0) -> bytes:
    """A grey 16 x 16 picture in one strip at 1024, with `fields` put over what it says; None takes one away."""
    plain: dict[int, int | bytes] = {
        WIDTH: 16, HEIGHT: 16, BITS: 8, COMPRESSION: NONE, PHOTOMETRIC: 1, OFFSETS: 1024, SAMPLES: 1,
        ROWS_PER_STRIP: 16, COUNTS: len(pixels),
    }  # fmt: skip
    return (b"II*\0\x08\0\0\0" + directory({**plain, **(fields or {})}, next_at)).ljust(1024, b"\0") + pixels


def tiled(width: int, height: int, pixels: bytes = b"", **others: Any) -> bytes:
    """A picture in tiles of the given size; the tiles' data is deflated."""
    data = pixels or deflated_zeros(256)
    fields = {
        TILE_WIDTH: width, TILE_HEIGHT: height, TILE_OFFSETS: 1024, TILE_COUNTS: len(data), COMPRESSION: DEFLATE,
    }  # fmt: skip
    whole = {WIDTH: 16, HEIGHT: 16, BITS: 8, PHOTOMETRIC: 1, SAMPLES: 1}
    return (b"II*\0\x08\0\0\0" + directory({**whole, **fields, **others.get("fields", {})})).ljust(1024, b"\0") + data


def _deflated(width: int, height: int, num_bytes: int) -> bytes:
    size = {WIDTH: width, HEIGHT: height, ROWS_PER_STRIP: height}
    return tiff({**size, COMPRESSION: DEFLATE}, deflated_zeros(num_bytes))


def _pages(num_pages: int) -> bytes:
    """Directories one behind the other, all of the same pixels."""
    fields = {
        WIDTH: 16, HEIGHT: 16, BITS: 8, COMPRESSION: NONE, PHOTOMETRIC: 1, OFFSETS: 8, SAMPLES: 1, ROWS_PER_STRIP: 16,
        COUNTS: 256,
    }  # fmt: skip
    size = len(directory(fields))
    first = 8 + 256
    nexts = [first + size * (page + 1) if page + 1 < num_pages else 0 for page in range(num_pages)]
    return b"II*\0" + struct.pack("<I", first) + bytes(256) + b"".join(directory(fields, at) for at in nexts)


def _big(count: int, strip: int = 256) -> bytes:
    """BigTIFF of 16 x 16. count: how many strip byte counts it says there are."""

    def field(tag: int, value: int, number: int = 1) -> bytes:
        return struct.pack("<HHQQ", tag, LONG8, number, value)

    fields = [
        field(WIDTH, 16), field(HEIGHT, 16), field(BITS, 8), field(COMPRESSION, NONE), field(PHOTOMETRIC, 1),
        field(OFFSETS, 1024), field(SAMPLES, 1), field(ROWS_PER_STRIP, 16), field(COUNTS, strip, count),
    ]  # fmt: skip
    head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(fields)) + b"".join(fields) + bytes(8)
    return head.ljust(1024, b"\0") + bytes(256)


def _many_strips(num_strips: int) -> bytes:
    """One row a strip, each strip's offset and count in a table."""
    tables = struct.pack("<I", 1024) * num_strips
    size = {WIDTH: 16, HEIGHT: num_strips, ROWS_PER_STRIP: 1}
    offsets = entry(OFFSETS, 1024, count=num_strips)
    return tiff({**size, OFFSETS: offsets, COUNTS: entry(COUNTS, 1024, count=num_strips)}, tables)


def _jpeg_inside(width: int, height: int) -> bytes:
    """Compression 7, its codestream another size than the directory says."""
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "JPEG")
    return tiff({COMPRESSION: JPEG}, file.getvalue())


def _exif_loop() -> bytes:
    return tiff({EXIF_IFD: 8, SUB_IFDS: 8})


ITEMS = named(
    "tiff",
    ("a directory that is its own next", lambda: tiff(next_at=8), HARMLESS),
    ("10,000 pages", lambda: _pages(10_000), REFUSED),
    ("100,000 pages", lambda: _pages(100_000), REFUSED),
    ("a next page outside of the file", lambda: tiff(next_at=2**32 - 16), HARMLESS),
    ("a first directory outside of the file", lambda: b"II*\0" + b"\xff\xff\xff\x7f" + bytes(99), DAMAGED),
    ("a directory of 65535 fields", lambda: b"II*\0\x08\0\0\0\xff\xff" + entry(WIDTH, 16) * 65_535, BROKEN),
    ("EXIF that goes round in circles", _exif_loop, HARMLESS),
    ("0 x 0", lambda: tiff({WIDTH: 0, HEIGHT: 0}), DAMAGED),
    ("65535 x 65535", lambda: tiff({WIDTH: 65_535, HEIGHT: 65_535}), REFUSED),
    ("4294967295 x 4294967295", lambda: tiff({WIDTH: 2**32 - 1, HEIGHT: 2**32 - 1}), BROKEN),
    ("a tile of 640 megapixels", lambda: tiled(32_000, 20_000), REFUSED),
    ("a tile of 4294967280 a side", lambda: tiled(2**32 - 16, 2**32 - 16), REFUSED),
    ("a tile of 0 x 0", lambda: tiled(0, 0), BROKEN),
    ("a tile of 4 billion rows", lambda: tiled(16, 2**32 - 16), REFUSED),
    ("a strip of 4 billion rows", lambda: tiff({ROWS_PER_STRIP: 2**32 - 1}), HARMLESS),
    ("a strip of no rows", lambda: tiff({ROWS_PER_STRIP: 0}), HARMLESS),
    ("a million strips", lambda: _many_strips(1_000_000), REFUSED),
    ("20,000 strips of one row", lambda: _many_strips(20_000), HARMLESS),
    ("a strip that says 4 GB", lambda: tiff({COUNTS: 2**32 - 1}), HARMLESS),
    ("a deflated strip that says 4 GB", lambda: tiff({COUNTS: 2**32 - 1, COMPRESSION: DEFLATE}), BROKEN),
    ("a strip of no bytes", lambda: tiff({COUNTS: 0}), HARMLESS),
    ("a strip outside of the file", lambda: tiff({OFFSETS: 2**32 - 1}), DAMAGED),
    ("4 billion strip offsets", lambda: tiff({OFFSETS: entry(OFFSETS, 8, count=2**32 - 1)}), BROKEN),
    ("4 billion bits per sample", lambda: tiff({BITS: entry(BITS, 8, kind=SHORT, count=2**32 - 1)}), HARMLESS),
    ("a field of an unknown kind", lambda: tiff({WIDTH: entry(WIDTH, 16, kind=99)}), DAMAGED),
    ("a strip of 256 bytes that becomes 1 GB", lambda: _deflated(16, 16, 2**30), HARMLESS),
    ("a deflated strip of 40 megapixels", lambda: _deflated(8000, 5000, 40_000_000), frozenset({PICTURE})),
    (
        "a deflated strip of 40 megapixels of float",
        lambda: tiff(
            {WIDTH: 8000, HEIGHT: 5000, ROWS_PER_STRIP: 5000, BITS: 32, SAMPLE_FORMAT: 3, COMPRESSION: DEFLATE},
            deflated_zeros(160_000_000),
        ),
        frozenset({PICTURE, 422}),
    ),
    (
        "an LZW strip of 256 bytes that becomes 1 GB",
        lambda: tiff({COMPRESSION: LZW}, lzw_zeros(2**30)),
        HARMLESS,
    ),
    (
        "an LZW strip of 40 megapixels",
        lambda: tiff({WIDTH: 8000, HEIGHT: 5000, ROWS_PER_STRIP: 5000, COMPRESSION: LZW}, lzw_zeros(40_000_000)),
        HARMLESS,
    ),
    ("a PackBits strip of runs", lambda: tiff({COMPRESSION: PACKBITS}, b"\x81\0" * 10**6), HARMLESS),
    ("a fax of 400 megapixels", lambda: tiff({WIDTH: 20_000, HEIGHT: 20_000, BITS: 1, COMPRESSION: GROUP3}), REFUSED),
    ("a fax of 40 megapixels", lambda: tiff({WIDTH: 8000, HEIGHT: 5000, BITS: 1, COMPRESSION: GROUP3}), HARMLESS),
    ("a JPEG of 30 megapixels inside 16 x 16", lambda: _jpeg_inside(6000, 5000), HARMLESS),
    ("a JPEG of the old kind", lambda: tiff({COMPRESSION: OLD_JPEG, 513: 1024, 514: 256}), REJECTED),
    ("an unknown compression", lambda: tiff({COMPRESSION: 60_000}), REJECTED),
    ("65,535 samples a pixel", lambda: tiff({SAMPLES: 65_535}), REJECTED),
    ("65,535 samples a pixel, in planes", lambda: tiff({SAMPLES: 65_535, PLANAR: 2}), REJECTED),
    ("64 bits a sample", lambda: tiff({BITS: 64}), REJECTED),
    ("a photometric interpretation that is none", lambda: tiff({PHOTOMETRIC: 65_535}), REJECTED),
    ("BigTIFF", lambda: _big(1), HARMLESS),
    ("BigTIFF with 2^60 strips", lambda: _big(2**60), HARMLESS),
    ("BigTIFF with a strip of 2^63 bytes", lambda: _big(1, 2**63), HARMLESS),
    ("no more than its mark", lambda: b"II*\0", DAMAGED),
)
