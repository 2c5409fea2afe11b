"""Made-up questions about drawn pictures, of the kinds of files that a harness may spoil on its way to the server."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import ExifTags, Image, ImageDraw

from benchmarks.accuracy.item import Item, Picture

DATASET = "made_up"
OPTIONS = ("None", "One", "Two", "Three")
"""The first is what a careless reader of tables takes for a missing value."""


def items(count: int) -> list[Item]:
    """So many questions with one picture each, the same at every call; the kinds of files take turns."""
    kinds = list(KINDS.items())
    return [_item(number, *kinds[number % len(kinds)]) for number in range(count)]


def _item(number: int, kind: str, draw: Callable[[int], bytes]) -> Item:
    discs = number * 3 % len(OPTIONS)
    content = draw(discs)
    return Item(
        id=f"{DATASET}/{number:03d}",
        dataset=DATASET,
        subset=kind,
        question=f"Film {number}. How many shapes are in the picture?",
        options=OPTIONS,
        answer=OPTIONS[discs],
        pictures=(Picture(f"{number:03d}-{kind}", lambda: content),),
    )


def _discs(width: int, height: int, discs: int) -> Image.Image:
    """So many bright discs in a row, on a dark gradient whose shades no lossy file keeps."""
    shades = np.linspace(10, 80, width)[None, :] + np.linspace(0, 20, height)[:, None]
    picture = Image.fromarray(shades.astype(np.uint8))
    draw, radius = ImageDraw.Draw(picture), min(height, width // 4) // 3
    for disc in range(discs):
        centre = width * (2 * disc + 1) // 8
        draw.ellipse((centre - radius, height // 2 - radius, centre + radius, height // 2 + radius), fill=220)
    return picture


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _jpeg(discs: int, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    Image.merge("RGB", [_discs(640, 480, discs)] * 3).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def _png16(discs: int) -> bytes:
    values = np.asarray(_discs(400, 400, discs)).astype(np.uint16) * 16
    return _png(Image.fromarray(values))


KINDS: dict[str, Callable[[int], bytes]] = {
    "grey-png": lambda discs: _png(_discs(512, 512, discs)),
    "colour-jpeg": lambda discs: _jpeg(discs, orientation=1),
    "turned-jpeg": lambda discs: _jpeg(discs, orientation=6),
    "wide-png": lambda discs: _png(_discs(900, 200, discs)),
    "small-png": lambda discs: _png(_discs(96, 64, discs)),
    "grey-16-bit-png": _png16,
}
"""Subset -> the file of a picture with so many discs.

A turned one is upright only by its EXIF orientation. 16 bits hold 12: above 255 a naive reader sees white only.
"""
