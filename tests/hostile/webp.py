"""Hostile WebP: canvases and frames that promise much; a lossless picture of any size fits in thirty bytes."""

from __future__ import annotations

import struct

from tests.hostile.item import BROKEN, DAMAGED, HARMLESS, PICTURE, REFUSED, named

ANIMATED, WITH_EXIF, WITH_PROFILE = 0x02, 0x08, 0x20


def chunk(kind: bytes, body: bytes, *, length: int | None = None) -> bytes:
    """length: what the chunk says, if not the truth."""
    return kind + struct.pack("<I", len(body) if length is None else length) + body + b"\0" * (len(body) % 2)


def webp(*chunks: bytes, length: int | None = None) -> bytes:
    """length: what RIFF says, if not the truth."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if length is None else length) + body


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    """VP8X."""
    return chunk(b"VP8X", struct.pack("<I", flags) + _uint24(width - 1) + _uint24(height - 1))


def lossless(width: int, height: int) -> bytes:
    """VP8L of one colour: five prefix codes of a single symbol each, so that a pixel takes no bits at all."""
    packed = 0x2F | (width - 1) << 8 | (height - 1) << 22
    filled = 40
    # No transform, no colour cache, no entropy image; then "simple code, one symbol, of 8 bits, 0" five times.
    filled += 3
    for _ in range(5):
        packed |= 0b101 << filled
        filled += 11
    return chunk(b"VP8L", packed.to_bytes(filled // 8 + 4, "little"))


def lossy_header(width: int, height: int) -> bytes:
    """VP8: a key frame's header and noise."""
    frame = b"\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(range(256))
    return chunk(b"VP8 ", frame)


def frame(image: bytes, width: int, height: int, left: int = 0, top: int = 0) -> bytes:
    """ANMF."""
    place = _uint24(left // 2) + _uint24(top // 2) + _uint24(width - 1) + _uint24(height - 1)
    return chunk(b"ANMF", place + _uint24(100) + b"\0" + image)


def animation(width: int, height: int, *frames: bytes) -> bytes:
    return webp(canvas(width, height, ANIMATED), chunk(b"ANIM", bytes(6)), *frames)


def _uint24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


_TINY = frame(lossless(8, 8), 8, 8)

ITEMS = named(
    "webp",
    ("lossless 16383 x 16383 in 30 bytes", lambda: webp(lossless(16_383, 16_383)), REFUSED),
    ("lossless 40 megapixels in 30 bytes", lambda: webp(lossless(8000, 5000)), frozenset({PICTURE, 422})),
    ("lossy 16383 x 16383", lambda: webp(lossy_header(16_383, 16_383)), BROKEN),
    ("lossy 0 x 0", lambda: webp(lossy_header(0, 0)), DAMAGED),
    ("lossy noise", lambda: webp(lossy_header(64, 64)), HARMLESS),
    ("an animation on 16384 x 16384", lambda: animation(16_384, 16_384, _TINY), REFUSED),
    ("an animation on 16777216 x 1", lambda: animation(2**24, 1, _TINY), REFUSED),
    ("an animation on 16777216 x 255", lambda: animation(2**24, 255, _TINY), BROKEN),
    ("an animation on 40 megapixels", lambda: animation(8000, 5000, _TINY), frozenset({PICTURE, 422})),
    ("a frame larger than the canvas", lambda: animation(8, 8, frame(lossless(9000, 9000), 9000, 9000)), BROKEN),
    ("a frame larger than it says", lambda: animation(8, 8, frame(lossless(9000, 9000), 8, 8)), BROKEN),
    ("a frame outside of the canvas", lambda: animation(8, 8, frame(lossless(8, 8), 8, 8, 60_000, 60_000)), BROKEN),
    ("10,000 frames", lambda: animation(8, 8, *[_TINY] * 10_000), REFUSED),
    ("300,000 frames", lambda: animation(8, 8, *[_TINY] * 300_000), REFUSED),
    ("a canvas smaller than its picture", lambda: webp(canvas(8, 8), lossless(9000, 9000)), BROKEN),
    ("a canvas larger than its picture", lambda: webp(canvas(9000, 9000), lossless(8, 8)), BROKEN),
    ("RIFF of 4 GB", lambda: webp(lossless(8, 8), length=2**32 - 2), HARMLESS),
    ("RIFF of no bytes", lambda: webp(lossless(8, 8), length=0), DAMAGED),
    ("a profile of 4 GB", lambda: webp(canvas(8, 8, WITH_PROFILE), chunk(b"ICCP", b"x", length=2**32 - 2)), DAMAGED),
    (
        "EXIF that is none",
        lambda: webp(canvas(8, 8, WITH_EXIF), lossless(8, 8), chunk(b"EXIF", b"\xff" * 99)),
        HARMLESS,
    ),
    ("a million empty chunks", lambda: webp(canvas(8, 8), chunk(b"prvt", b"") * 10**6, lossless(8, 8)), HARMLESS),
    ("no picture", lambda: webp(canvas(8, 8)), DAMAGED),
    ("no more than its mark", webp, DAMAGED),
)
