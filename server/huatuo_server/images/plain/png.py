"""What Pillow does not tell of a PNG before it has decoded it, or not at all."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from huatuo_server.errors import ImageRefused, InvalidImage

MAX_CHUNKS: Final = 100_000
"""A file of 64 MB in chunks as small as encoders write them, 8 KB, has a twelfth of this."""

_PIECE_BYTES: Final = 1 << 16
"""Read, and inflated, at once."""

_IHDR: Final = slice(12, 29)
"""The first chunk's type and content: width, height, bit depth at 24, colour type at 25, ... interlacing at 28."""

_SAMPLES: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""A pixel's, by the colour type."""

_PASSES: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: the first column and row of each pass, and the steps between its pixels (PNG, third edition, section 8)."""

_GREY_WITH_ALPHA, _RGB_WITH_ALPHA = 4, 6


def bit_depth(file: BinaryIO) -> int:
    """Bits a sample; of a palette's index where there is one."""
    file.seek(24)
    return file.read(1)[0]


def opened(file: BinaryIO) -> PngImageFile:
    """At its first frame, with the EXIF data of its whole file. Raises ImageRefused, and whatever Pillow raises."""
    exif = _exif(file)
    image = PngImageFile(_readable(file))
    image.info.setdefault("exif", exif)
    return image


def _exif(file: BinaryIO) -> bytes | None:
    """The content of the eXIf chunk, wherever it stands: Pillow finds one behind the pixels only as it decodes them."""
    for kind, length in _chunks(file):
        if kind == b"eXIf":
            return file.read(length)
    return None


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Type and length of each, with the file at its content. Raises ImageRefused for more than MAX_CHUNKS."""
    place = 8
    for _ in range(MAX_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, length
        if kind == b"IEND":
            return
        place += 12 + length
    raise ImageRefused(f"The PNG is cut into more than {MAX_CHUNKS} chunks. Save it anew.")


def has_wide_grey_and_alpha(file: BinaryIO) -> bool:
    """16-bit grey values with alpha, of which Pillow would keep the upper 8 bits."""
    file.seek(24)
    return file.read(2) == bytes((16, _GREY_WITH_ALPHA))


def _readable(file: BinaryIO) -> BinaryIO:
    """The file at its beginning; in place of 16-bit grey with alpha the same bytes, said to hold 8-bit RGBA.

    Those are grey's upper and lower byte, alpha's upper and lower byte. A pixel has four bytes either way, so that
    filters and interlacing are the same.
    """
    wide = has_wide_grey_and_alpha(file)
    file.seek(0)
    if not wide:
        return file
    data = file.read()
    header = bytearray(data[_IHDR])
    header[12:14] = 8, _RGB_WITH_ALPHA
    return io.BytesIO(b"".join((data[: _IHDR.start], header, struct.pack(">I", zlib.crc32(header)), data[33:])))


def load(file: BinaryIO, image: PngImageFile) -> None:
    """Decode a still picture. Raises InvalidImage where it has fewer rows than it says, which Pillow leaves black.

    Its memory is filled beforehand with what a picture rarely ends with. Inflated a second time, to be certain, is only
    what ends so, or is interlaced.
    """
    image.im = _marked(image.mode, image.size).im
    image.load()
    last_row = image.crop((0, image.height - 1, image.width, image.height)).tobytes()
    untouched = last_row == _marked(image.mode, (image.width, 1)).tobytes()
    if (untouched or image.info.get("interlace")) and _is_cut_short(file):
        raise InvalidImage("The image is damaged: it has fewer rows than its header says.")


def _marked(mode: str, size: tuple[int, int]) -> Image.Image:
    bands = Image.getmodebands(mode)
    level = 21_845 if mode == "I;16" else 85
    return Image.new(mode, size, level if bands == 1 else (level,) * bands)


def _is_cut_short(file: BinaryIO) -> bool:
    file.seek(16)
    width, height, depth, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", file.read(13))
    expected = sum(
        _bytes_of(-(-(width - left) // across), -(-(height - top) // down), depth * _SAMPLES[colour_type])
        for left, top, across, down in (_PASSES if interlaced else ((0, 0, 1, 1),))
    )
    return _inflated_bytes(file, expected) < expected


def _bytes_of(columns: int, rows: int, bits: int) -> int:
    """Each row with the byte of its filter; a pass without pixels has none."""
    return rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0


def _inflated_bytes(file: BinaryIO, at_most: int) -> int:
    """How many the pixels' chunks become; counting stops at `at_most`."""
    inflate, total = zlib.decompressobj(), 0
    for piece in _pieces(file):
        total += len(inflate.decompress(piece, _PIECE_BYTES))
        while inflate.unconsumed_tail and total < at_most:
            total += len(inflate.decompress(inflate.unconsumed_tail, _PIECE_BYTES))
        if inflate.eof or total >= at_most:
            break
    return total


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """What the pixels' chunks hold."""
    for kind, length in _chunks(file):
        for done in range(0, length if kind == b"IDAT" else 0, _PIECE_BYTES):
            yield file.read(min(_PIECE_BYTES, length - done))
