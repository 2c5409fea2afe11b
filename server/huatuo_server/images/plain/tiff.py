"""What is particular to TIFF: pages, tiles, and the ways of storing that Pillow reads wrongly, or not at all."""

from __future__ import annotations

import os
import struct
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import TiffImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from huatuo_server.errors import ImageRefused

_NATIVE: Final = {"I;16BS": "I;16S", "I;32BS": "I;32S", "F;32BF": "F;32F"}
"""libtiff gives values in the machine's order, which Pillow forgets for these: big-endian files came out as noise."""

_SAVE_ANEW: Final = "Save it with 8 or 16 bits a sample, as greyscale or RGB, with the channels together."


def count_pages(file: BinaryIO, at_most: int) -> int:
    """The directories of the chain up to its end, a loop or a hole; counting stops at `at_most` + 1.

    TIFF 6.0, section 2; BigTIFF has offsets of 8 bytes. Every directory ends with the offset of the next one.
    """
    file.seek(0)
    head = file.read(16)
    order, big = ("<" if head[:2] == b"II" else ">"), 43 in head[2:4]
    count, entry_bytes, pointer = (f"{order}Q", 20, f"{order}Q") if big else (f"{order}H", 12, f"{order}I")
    seen: set[int] = set()
    offset = _number(head[8:16] if big else head[4:8], pointer)
    while offset and offset not in seen and len(seen) <= at_most:
        file.seek(min(offset, 2**62))
        entries = _number(file.read(struct.calcsize(count)), count)
        if not entries:
            break
        seen.add(offset)
        file.seek(min(entries * entry_bytes, 2**61), os.SEEK_CUR)
        offset = _number(file.read(struct.calcsize(pointer)), pointer)
    return len(seen)


def _number(data: bytes, code: str) -> int:
    """An unsigned number; 0 where the file has ended."""
    return int(struct.unpack(code, data)[0]) if len(data) == struct.calcsize(code) else 0


def stored_size(image: TiffImageFile) -> tuple[int, int]:
    """Width and height before it is turned upright: Pillow's own `size` is after."""
    width, height = image.tag_v2[TiffImagePlugin.IMAGEWIDTH], image.tag_v2[TiffImagePlugin.IMAGELENGTH]
    return int(width), int(height)


def tile_size(image: TiffImageFile) -> tuple[int, int]:
    """What is decoded at once: 1.8 GB for the tile of a 16 x 16 picture in a file of 1.8 MB."""
    width, height = (image.tag_v2.get(tag) for tag in (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH))
    return (width, height) if isinstance(width, int) and isinstance(height, int) else stored_size(image)


def bit_depth(image: TiffImageFile) -> int:
    """Bits a sample, of the sample that has most."""
    return int(max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))))


def buffer_bytes(image: TiffImageFile) -> int:
    """What libtiff may hold beside the picture: a strip may be all of it."""
    width, height = stored_size(image)
    return width * height * len(image.getbands()) * bit_depth(image) // 8 if image.use_load_libtiff else 0


def zero_is_white(image: TiffImageFile) -> bool:
    """PhotometricInterpretation 0. Pillow turns values of 8 bits round itself, and no others."""
    return bool(image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, 0) == 0)


def value_type(image: TiffImageFile) -> np.dtype[Any]:
    """What the grey values of a picture of Pillow's mode `I` or `F` are in the file, or a type that holds them."""
    if image.mode == "F":
        return np.dtype(np.float32)
    signed = 2 in image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (1,))
    return np.dtype(f"{'i' if signed else 'u'}{2 if bit_depth(image) <= 16 else 4}")


def straighten(image: TiffImageFile) -> None:
    """Have Pillow read as they are meant what it would turn into noise, or refuse it. Raises ImageRefused."""
    tile = image.tile[0]
    planar = image.tag_v2.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2
    if tile.codec_name != "libtiff" and planar and bit_depth(image) > 8:
        raise ImageRefused(f"The TIFF holds more than 8 bits a sample and each channel on its own. {_SAVE_ANEW}")
    if tile.codec_name == "libtiff" and isinstance(tile.args, tuple) and tile.args[0] in _NATIVE:
        image.tile = [tile._replace(args=(_NATIVE[tile.args[0]], *tile.args[1:]))]


def opened(file: BinaryIO) -> TiffImageFile:
    """At its first page. Raises ImageRefused where that has a size, but is stored in a way that is not read."""
    file.seek(0)
    try:
        return TiffImageFile(file)
    except MemoryError:
        raise
    except Exception as error:
        if _has_a_page(file):
            raise ImageRefused(f"The TIFF stores its pixels in a way that is not read. {_SAVE_ANEW}") from error
        raise


def _has_a_page(file: BinaryIO) -> bool:
    file.seek(0)
    directory = ImageFileDirectory_v2(file.read(8))
    file.seek(directory.next)
    directory.load(file)
    return bool(directory[TiffImagePlugin.IMAGEWIDTH] and directory[TiffImagePlugin.IMAGELENGTH])
