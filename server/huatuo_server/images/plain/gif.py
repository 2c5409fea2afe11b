"""How many frames a GIF has, told from its blocks alone: nothing is decoded."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

from PIL.GifImagePlugin import GifImageFile

from huatuo_server.errors import ImageRefused, InvalidImage

MAX_BLOCKS: Final = 1_000_000
"""A file of 64 MB in whole blocks, 255 bytes each, has a quarter of this; in blocks of one byte 32 times it."""


MAX_STRAY_BYTES: Final = 1_000
"""Between blocks, where there should be none. Pillow looks at them one by one: 64 MB of them took 10 s."""


def opened(file: BinaryIO) -> GifImageFile:
    """At its first frame. Raises ImageRefused, InvalidImage, and whatever Pillow raises."""
    if count_frames(file, at_most=1) == 0:
        raise InvalidImage("The GIF holds no picture.")
    file.seek(0)
    return GifImageFile(file)


def count_frames(file: BinaryIO, at_most: int) -> int:
    """The frames up to the trailer, the end, or too many stray bytes; counting stops at `at_most` + 1.

    GIF89a, sections 18 to 26. Raises ImageRefused for more sub-blocks than MAX_BLOCKS.
    """
    file.seek(0)
    _skip_palette(file, file.read(13)[10:11])
    frames = blocks = stray = 0
    while frames <= at_most and stray <= MAX_STRAY_BYTES and (kind := file.read(1)) not in (b"", b";"):
        if kind not in (b"!", b","):
            stray += 1
            continue
        if kind == b",":
            frames += 1
            _skip_palette(file, file.read(9)[8:9])
        file.read(1)  # an extension's label, or a picture's code size
        blocks += _skip_blocks(file, MAX_BLOCKS - blocks)
    return frames


def _skip_palette(file: BinaryIO, flags: bytes) -> None:
    """Bit 7 says whether a colour table follows, bits 0 to 2 how large it is."""
    if flags and flags[0] & 128:
        file.seek(3 << ((flags[0] & 7) + 1), os.SEEK_CUR)


def _skip_blocks(file: BinaryIO, at_most: int) -> int:
    """Go past sub-blocks, each with its length before it, and past the empty one that ends them."""
    blocks = 0
    while (length := file.read(1)) not in (b"", b"\0"):
        blocks += 1
        if blocks > at_most:
            raise ImageRefused(f"The GIF is cut into more than {MAX_BLOCKS} blocks. Save it anew.")
        file.seek(length[0], os.SEEK_CUR)
    return blocks
