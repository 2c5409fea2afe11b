"""What a JPEG says of itself between its pixels: how many scans it has, and of how many bits its samples are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from PIL.JpegImagePlugin import JpegImageFile

from huatuo_server.errors import ImageRefused, InvalidImage

MAX_SCANS: Final = 100
"""Encoders write about 10. Each scan goes over the whole picture: thousands of empty ones cost minutes."""

MAX_SEGMENTS: Final = 5_000
"""Before the pixels; a long colour profile takes a dozen. A million empty comments took a second to walk over."""

MAX_STRAY_BYTES: Final = 65_536
"""Between segments, where there should be none. Pillow looks at them one by one: 64 MB of them took 4 s."""

_MARKER: Final = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")
"""Not the markers that stand alone inside a scan (RST, TEM), nor a stuffed or a filling byte."""

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0 to SOF15, whose content begins with the bits of a sample."""

_FIRST_ARITHMETIC = 0xC9
"""Below it a block of 8 x 8 takes a bit at least, since the code is Huffman's. libjpeg fills what lacks with grey."""


def opened(file: BinaryIO) -> JpegImageFile:
    """At its first picture: a phone's may have more behind it.

    Raises ImageRefused for more than 8 bits a sample, InvalidImage, and whatever Pillow raises.
    """
    file.seek(0)
    data = file.read()
    for marker, place in _markers(data):
        if marker == _SCAN:
            break
        if marker in _FRAMES and data[place + 2 : place + 3] not in (b"\x08", b""):
            raise ImageRefused("The JPEG has more than 8 bits a sample, which is read in DICOM only. Save it as PNG.")
    file.seek(0)
    return JpegImageFile(file)


def check_scans(file: BinaryIO, size: tuple[int, int]) -> None:
    """Refuse what would be decoded for minutes (ImageRefused), or filled with grey for want of bytes (InvalidImage)."""
    file.seek(0)
    data = file.read()
    scans, is_huffman = 0, True
    for marker, _ in _markers(data):
        scans += marker == _SCAN
        is_huffman = is_huffman and not (marker in _FRAMES and marker >= _FIRST_ARITHMETIC)
        if scans > MAX_SCANS:
            raise ImageRefused(f"The JPEG has more than {MAX_SCANS} scans. Save it anew.")
    blocks = -(-size[0] // 8) * -(-size[1] // 8)
    if is_huffman and len(data) * 8 < blocks:
        raise InvalidImage("The JPEG is damaged: it is too short for as large a picture as its header says.")


def _markers(data: bytes) -> Iterator[tuple[int, int]]:
    """The markers of segments up to the first picture's end, with where their length stands. ITU-T T.81, annex B."""
    place, stray, in_scan, segments = 2, 0, False, 0
    while True:
        match = _MARKER.search(data, place)
        stray += 0 if in_scan else (match.start() if match else len(data)) - place
        if stray > MAX_STRAY_BYTES:
            raise InvalidImage("The JPEG is damaged: bytes stand between its segments that belong to none.")
        if match is None or match[1][0] == _END:
            return
        marker, place = match[1][0], match.end()
        if marker != _START:
            segments += 1
            if segments > MAX_SEGMENTS:
                raise ImageRefused(f"The JPEG has more than {MAX_SEGMENTS} segments. Save it anew.")
            yield marker, place
            in_scan = marker == _SCAN
            place += int.from_bytes(data[place : place + 2], "big")


def coefficient_bytes(image: JpegImageFile) -> int:
    """What libjpeg holds beside the picture: all coefficients, two bytes each, where they come in several scans."""
    if "progressive" not in image.info:
        return 0
    factors = [(across, down) for _, across, down, _ in image.layer]
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return 2 * image.width * image.height * sum(across * down for across, down in factors) // most
