"""What a compressed frame says of itself in its first bytes. It is checked before a decoder sees it.

A header of 16 x 16 may stand over a picture of 30,000 x 30,000.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from huatuo_server.errors import InvalidImage

Process = Literal["sequential", "lossless", "JPEG-LS", "JPEG 2000"]
"""Of the JPEG family (ITU-T T.81, T.87, T.800); `sequential` is every lossy JPEG, progressive ones included."""

Transform = Literal["YCbCr", "RGB"]

MAX_SEGMENTS: Final = 1_000
"""Before the pixels of a JPEG, or boxes of a JP2 file; there are ten or so."""


@dataclass(frozen=True, slots=True)
class Codestream:
    """size: columns and rows. precision: bits of a sample. transform: of the colours, where a marker tells."""

    process: Process
    size: tuple[int, int]
    components: int
    precision: int
    transform: Transform | None = None


_PROCESSES: Final[dict[int, Process]] = {
    0xC0: "sequential",
    0xC1: "sequential",
    0xC2: "sequential",
    0xC3: "lossless",
    0xF7: "JPEG-LS",
}
"""By the marker of the frame header (T.81 table B.1, T.87 C.1.1). Others are hierarchical or arithmetic: not read."""

_OTHER_FRAMES: Final = frozenset(range(0xC5, 0xD0)) - {0xC8, 0xCC}
_TABLES: Final = frozenset({0xC4, 0xDB, 0xDD})
"""Huffman and quantization tables, and the restart interval: with the frame header, all that decoding needs."""

_START_OF_SCAN, _APP0, _APP14 = 0xDA, 0xE0, 0xEE
_MARKER: Final = re.compile(rb"\xff+([\x01-\xfe])")
_START_OF_TILE: Final = b"\xff\x90\x00\x0a"
_JP2: Final = b"\x00\x00\x00\x0cjP  "


def jpeg(frame: bytes) -> Codestream:
    """The header of a JPEG or JPEG-LS. Raises InvalidImage."""
    header: tuple[Process, bytes] | None = None
    transform: Transform | None = None
    for marker, _, segment in _segments(frame):
        if marker in _PROCESSES and header is None:
            header = _PROCESSES[marker], segment
        elif marker in _PROCESSES or marker in _OTHER_FRAMES:
            raise _damaged()
        elif marker == _APP14 and segment.startswith(b"Adobe") and len(segment) > 11:
            transform = "YCbCr" if segment[11] == 1 else "RGB"
        elif marker == _APP0 and segment.startswith(b"JFIF"):
            transform = transform or "YCbCr"
    if header is None or len(header[1]) < 6:
        raise _damaged()
    process, fields = header
    precision, rows, columns, components = struct.unpack_from(">BHHB", fields)
    if fields[6::3].lower() == b"rgb":
        transform = transform or "RGB"
    return Codestream(process, (columns, rows), components, precision, transform=transform)


def only_what_decodes(frame: bytes) -> bytes:
    """A JPEG without its applications' segments and comments. Raises InvalidImage."""
    kept, scans = [], len(frame)
    for marker, place, segment in _segments(frame):
        scans = place + len(segment)
        if marker in _PROCESSES or marker in _TABLES:
            kept.append(struct.pack(">BBH", 0xFF, marker, len(segment) + 2) + segment)
    return b"".join((b"\xff\xd8", *kept, frame[scans:]))


def _segments(frame: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Marker, place and payload of each segment before the first scan (T.81 B.1.1.4). Raises InvalidImage."""
    place = 2 if frame.startswith(b"\xff\xd8") else len(frame)
    for _ in range(MAX_SEGMENTS):
        match = _MARKER.match(frame, place)
        if match is None:
            raise _damaged()
        if match[1][0] == _START_OF_SCAN:
            return
        payload = match.end() + 2
        place = match.end() + int.from_bytes(frame[match.end() : payload], "big")
        if place < payload or place > len(frame):
            raise _damaged()
        yield match[1][0], payload, frame[payload:place]
    raise _damaged()


def jpeg2000(frame: bytes) -> Codestream:
    """The SIZ segment (T.800 A.5.1) of a JPEG 2000, with or without a JP2 header. Raises InvalidImage."""
    start = _start_of(frame)
    right, bottom, left, top = struct.unpack_from(">4L", frame, start + 8)
    components, depth, step_x, step_y = struct.unpack_from(">H3B", frame, start + 40)
    if (step_x, step_y) != (1, 1):
        raise _damaged()
    # The highest bit of the depth says that the samples are signed, which here the header decides.
    return Codestream("JPEG 2000", (right - left, bottom - top), components, (depth & 0x7F) + 1)


def check_tiles(frame: bytes) -> None:
    """Every tile of a JPEG 2000 must be there: OpenJPEG would leave a missing one black. Raises InvalidImage."""
    start = _start_of(frame)
    right, bottom, width, height, left, top = struct.unpack_from(">2L8x4L", frame, start + 8)
    if min(width, height) < 1 or len(_tiles(frame, start)) != -((left - right) // width) * -((top - bottom) // height):
        raise _damaged()


def _start_of(frame: bytes) -> int:
    """Where the codestream begins, with a whole SIZ segment. Raises InvalidImage."""
    start = _boxed_codestream(frame) if frame.startswith(_JP2) else 0
    if frame[start : start + 4] != b"\xff\x4f\xff\x51" or len(frame) < start + 45:
        raise _damaged()
    return start


def _tiles(frame: bytes, start: int) -> set[int]:
    """The numbers of the tiles that have a part (T.800 A.4.2). Raises InvalidImage where a part is cut short."""
    place = frame.find(_START_OF_TILE, start)
    tiles: set[int] = set()
    while place >= 0 and frame[place : place + 4] == _START_OF_TILE:
        if len(frame) < place + 12:
            raise _damaged()
        tile, length = struct.unpack_from(">HL", frame, place + 4)
        tiles.add(tile)
        if length == 0:  # the last one, up to the end
            break
        if length < 14 or place + length > len(frame):
            raise _damaged()
        place += length
    return tiles


def _boxed_codestream(frame: bytes) -> int:
    """Where the codestream begins in a JP2 file (T.800 I.4)."""
    place = 0
    for _ in range(MAX_SEGMENTS):
        length, kind = int.from_bytes(frame[place : place + 4], "big"), frame[place + 4 : place + 8]
        if kind == b"jp2c":
            return place + 8
        if length < 8:
            break
        place += length
    raise _damaged()


def _damaged() -> InvalidImage:
    return InvalidImage("The DICOM image's compressed pixels are damaged, or not coded as the header says.")
