"""Hostile JPEG: frames that lie, scans without end."""

from __future__ import annotations

import functools
import io
import struct
from typing import Any

from PIL import Image

from tests.hostile.item import BROKEN, DAMAGED, HARMLESS, REFUSED, REJECTED, named

SOF0, SOF2, SOF3, SOF9, DHT, EOI, SOS, DQT, APP1, APP2, COM = (
    0xC0, 0xC2, 0xC3, 0xC9, 0xC4, 0xD9, 0xDA, 0xDB, 0xE1, 0xE2, 0xFE,
)  # fmt: skip


def segment(marker: int, body: bytes) -> bytes:
    """Marker, length, body."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


@functools.cache
def grey(width: int = 16, height: int = 16, **options: Any) -> bytes:
    """A valid grey picture of one shade, as Pillow writes it."""
    file = io.BytesIO()
    Image.new("L", (width, height), 77).save(file, "JPEG", **options)
    return file.getvalue()


def with_frame(jpeg: bytes, height: int, width: int, *, precision: int = 8, marker: int | None = None) -> bytes:
    """The same codestream with another frame header."""
    at = max(jpeg.find(bytes([0xFF, kind, 0, 11])) for kind in (SOF0, SOF2))
    kind = jpeg[at + 1] if marker is None else marker
    return jpeg[: at + 1] + bytes([kind, 0, 11, precision]) + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def beside(*segments: bytes) -> bytes:
    """A valid picture with more segments in front."""
    return grey()[:2] + b"".join(segments) + grey()[2:]


def _without(marker: int) -> bytes:
    jpeg, kept, at = grey(), [b"\xff\xd8"], 2
    while jpeg[at + 1] != SOS:
        end = at + 2 + struct.unpack_from(">H", jpeg, at + 2)[0]
        kept += [] if jpeg[at + 1] == marker else [jpeg[at:end]]
        at = end
    return b"".join(kept) + jpeg[at:]


def _many_scans(side: int, num_scans: int) -> bytes:
    """A progressive picture whose last scan, a few hundred bytes for all its blocks, comes again and again."""
    jpeg = grey(side, side, progressive=True)
    tables = max(jpeg.rfind(bytes([0xFF, DHT])), 0)
    scan = jpeg[tables:-2]
    return jpeg[:-2] + scan * num_scans + jpeg[-2:]


def _components(number: int, sampling: int) -> bytes:
    frame = struct.pack(">BHHB", 8, 16, 16, number) + bytes([1, sampling, 0]) * number
    return b"\xff\xd8" + segment(SOF0, frame) + grey()[grey().find(b"\xff\xc4") :]


def _profile(sequence: int, total: int) -> bytes:
    return segment(APP2, b"ICC_PROFILE\0" + bytes([sequence, total]) + bytes(60_000))


def _exif(orientation: int) -> bytes:
    entry = struct.pack("<HHII", 0x0112, 4, 1, orientation)
    return segment(APP1, b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + struct.pack("<I", 8))


def _pictures(num_pictures: int) -> bytes:
    """A multi-picture index (CIPA DC-007) that promises pictures far outside of the file."""
    entries = struct.pack("<IIIHH", 0, 2**31, 2**31, 0, 0) * num_pictures
    fields = struct.pack("<HHI4s", 0xB000, 7, 4, b"0100") + struct.pack("<HHII", 0xB001, 4, 1, num_pictures)
    fields += struct.pack("<HHII", 0xB002, 7, len(entries), 50)
    return segment(APP2, b"MPF\0II*\0\x08\0\0\0" + struct.pack("<H", 3) + fields + bytes(4) + entries)


def _second_frame() -> bytes:
    at = grey().find(bytes([0xFF, DHT]))
    return grey()[:at] + segment(SOF0, b"\x08\xff\xff\xff\xff\1\1\x11\0") + grey()[at:]


ITEMS = named(
    "jpeg",
    ("65535 x 65535", lambda: with_frame(grey(), 65_535, 65_535), REFUSED),
    ("65500 x 1", lambda: with_frame(grey(), 1, 65_500), REFUSED),
    ("0 x 0", lambda: with_frame(grey(), 0, 0), DAMAGED),
    ("a height that comes after the pixels", lambda: with_frame(grey(), 0, 16), DAMAGED),
    ("5000 scans of 36 megapixels", lambda: _many_scans(6000, 5000), BROKEN),
    ("200,000 scans of a small picture", lambda: _many_scans(64, 200_000), HARMLESS),
    ("a frame larger than its pixels", lambda: with_frame(grey(), 5000, 5000), DAMAGED),
    ("a frame smaller than its pixels", lambda: with_frame(grey(2000, 2000), 8, 8), HARMLESS),
    ("16 bits a sample", lambda: with_frame(grey(), 16, 16, precision=16), REJECTED),
    ("12 bits a sample", lambda: with_frame(grey(), 16, 16, precision=12, marker=0xC1), REJECTED),
    ("a lossless frame", lambda: with_frame(grey(), 16, 16, marker=SOF3), REJECTED),
    ("arithmetic coding", lambda: with_frame(grey(), 16, 16, marker=SOF9), HARMLESS),
    ("no components", lambda: _components(0, 0x11), DAMAGED),
    ("255 components", lambda: _components(255, 0x11), REJECTED),
    ("sampling factors of 0", lambda: _components(3, 0), REJECTED),
    ("sampling factors of 15", lambda: _components(3, 0xFF), REJECTED),
    ("no quantisation table", lambda: _without(DQT), HARMLESS),
    ("no Huffman table", lambda: _without(DHT), HARMLESS),
    ("no frame", lambda: _without(SOF0), DAMAGED),
    ("a Huffman table of 255 codes of one bit", lambda: beside(segment(DHT, b"\0\xff" + bytes(15 + 255))), HARMLESS),
    ("20 MB of comments", lambda: beside(segment(COM, bytes(65_000)) * 320), HARMLESS),
    ("a colour profile in 255 parts", lambda: beside(*(_profile(part, 255) for part in range(256))), HARMLESS),
    ("a colour profile whose parts lie", lambda: beside(_profile(7, 3), _profile(0, 0)), HARMLESS),
    ("EXIF that goes round in circles", lambda: beside(_exif(1)), HARMLESS),
    ("an orientation that is none", lambda: beside(_exif(2**32 - 1)), HARMLESS),
    ("an index of 3000 pictures elsewhere", lambda: beside(_pictures(3000)), HARMLESS),
    ("a segment of no length", lambda: beside(b"\xff\xe1\0\0"), HARMLESS),
    ("a frame of 8 x 8 in front of another", lambda: beside(segment(SOF0, b"\x08\0\x08\0\x08\1\1\x11\0")), HARMLESS),
    ("a 65535 x 65535 frame behind the first", _second_frame, BROKEN),
    ("a million restart markers", lambda: grey()[:-2] + b"\xff\xd0" * 1_000_000 + b"\xff\xd9", HARMLESS),
    ("20 MB of fill bytes", lambda: grey()[:2] + b"\xff" * 20_000_000 + grey()[2:], HARMLESS),
)
