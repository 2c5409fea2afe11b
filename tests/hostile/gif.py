"""Hostile GIF: frames without number, canvases without end."""

from __future__ import annotations

import struct

from tests.hostile.item import BROKEN, DAMAGED, HARMLESS, PICTURE, REFUSED, named

TRAILER = b";"

ONE_PIXEL = b"\x02\x02\x44\x01\x00"
"""Smallest code size 2; clear, 0, end."""


def screen(width: int, height: int) -> bytes:
    """Signature, logical screen, a palette of two colours."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"


def frame(left: int = 0, top: int = 0, width: int = 1, height: int = 1, codes: bytes = ONE_PIXEL) -> bytes:
    """An image descriptor and its codes."""
    return b"," + struct.pack("<HHHHB", left, top, width, height, 0) + codes


def gif(canvas: bytes, *blocks: bytes) -> bytes:
    return canvas + b"".join(blocks) + TRAILER


def _codes(data: bytes, code_size: int = 8) -> bytes:
    """Sub-blocks of 255 bytes."""
    blocks = [bytes([len(part)]) + part for part in (data[at : at + 255] for at in range(0, len(data), 255))]
    return bytes([code_size]) + b"".join(blocks) + b"\0"


def _lzw_of_zeros(num_tables: int) -> bytes:
    """LZW as GIF packs it: a table of runs 1, 2, 3, ... of colour 0, again and again."""
    packed, filled = 0, 0
    for code, width in _table_of_zeros():
        packed |= code << filled
        filled += width
    return packed.to_bytes((filled + 7) // 8, "little") * num_tables


def _table_of_zeros() -> list[tuple[int, int]]:
    codes, width = [(256, 9)], 9
    for number in range(3838):
        codes.append((0 if number == 0 else 257 + number, width))
        width = min(12, (258 + number).bit_length())
    while sum(width for _, width in codes) % 8:
        codes.append((256, 12) if codes[-1][0] != 256 else (256, 9))
    return codes


ITEMS = named(
    "gif",
    ("a canvas of 65535 x 65535", lambda: gif(screen(65_535, 65_535), frame()), REFUSED),
    ("a canvas of 0 x 0", lambda: gif(screen(0, 0), frame(width=0, height=0)), DAMAGED),
    ("a canvas of 0 x 0 with a pixel on it", lambda: gif(screen(0, 0), frame()), HARMLESS),
    ("a frame outside of the canvas", lambda: gif(screen(8, 8), frame(60_000, 60_000)), BROKEN),
    ("a frame larger than the canvas", lambda: gif(screen(8, 8), frame(width=30_000, height=30_000)), BROKEN),
    (
        "a second frame larger than the canvas",
        lambda: gif(screen(8, 8), frame(), frame(0, 0, 30_000, 30_000)),
        HARMLESS,
    ),
    ("a pixel on 40 megapixels", lambda: gif(screen(8000, 5000), frame()), frozenset({PICTURE, 422})),
    ("10,000 frames", lambda: gif(screen(8, 8), frame() * 10_000), REFUSED),
    ("20 MB of tiny frames", lambda: gif(screen(1, 1), frame() * 1_300_000), REFUSED),
    ("codes that become 700 MB", lambda: gif(screen(8, 8), frame(0, 0, 8, 8, _codes(_lzw_of_zeros(100)))), HARMLESS),
    ("20 MB of clear codes", lambda: gif(screen(8, 8), frame(0, 0, 8, 8, _codes(b"\0\1" * 10**7, 8))), HARMLESS),
    ("codes of 0 bits", lambda: gif(screen(8, 8), frame(0, 0, 8, 8, _codes(b"\x44\x01", 0))), HARMLESS),
    ("codes of 255 bits", lambda: gif(screen(8, 8), frame(0, 0, 8, 8, _codes(b"\x44\x01", 255))), DAMAGED),
    ("codes for one pixel of 64", lambda: gif(screen(8, 8), frame(0, 0, 8, 8)), HARMLESS),
    (
        "a comment of 20 MB",
        lambda: gif(screen(1, 1), b"!\xfe" + (b"\xff" + bytes(255)) * 80_000 + b"\0", frame()),
        HARMLESS,
    ),
    ("a million extensions", lambda: gif(screen(1, 1), b"!\xf9\4\0\0\0\0\0" * 1_000_000, frame()), HARMLESS),
    ("no frame", lambda: gif(screen(8, 8)), DAMAGED),
    ("no more than its signature", lambda: b"GIF89a", DAMAGED),
)
