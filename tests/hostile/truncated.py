"""Valid files of every format, cut short: half a picture is no picture."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from PIL import Image

from tests.hostile.dicom import picture
from tests.hostile.item import DAMAGED, HARMLESS, Item

SHARES = (0.02, 0.1, 0.5, 0.9)

_SAVED: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("PNG", "PNG", {}),
    ("JPEG", "JPEG", {}),
    ("progressive JPEG", "JPEG", {"progressive": True}),
    ("lossy WebP", "WEBP", {}),
    ("lossless WebP", "WEBP", {"lossless": True}),
    ("animated WebP", "WEBP", {"save_all": True}),
    ("BMP", "BMP", {}),
    ("TIFF", "TIFF", {}),
    ("deflated TIFF", "TIFF", {"compression": "tiff_adobe_deflate"}),
    ("LZW TIFF", "TIFF", {"compression": "tiff_lzw"}),
    ("GIF", "GIF", {}),
    ("animated GIF", "GIF", {"save_all": True}),
)


@functools.cache
def whole(name: str) -> bytes:
    """64 x 64 of noise."""
    if name == "DICOM":
        return picture()
    file = io.BytesIO()
    frames = [
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)) for seed in (0, 1)
    ]
    _, kind, options = next(row for row in _SAVED if row[0] == name)
    more = {"append_images": frames[1:]} if "save_all" in options else {}
    frames[0].save(file, kind, **options, **more)
    return file.getvalue()


def _cut(name: str, share: float) -> bytes:
    return whole(name)[: int(len(whole(name)) * share)]


def _items() -> list[Item]:
    """The first of two frames may stand in what is left of an animation."""
    return [
        Item(
            f"truncated: {share:.0%} of a {name}",
            functools.partial(_cut, name, share),
            HARMLESS if name.startswith("animated") and share > 0.4 else DAMAGED,
        )
        for name in (*(row[0] for row in _SAVED), "DICOM")
        for share in SHARES
    ]


ITEMS = tuple(_items())
