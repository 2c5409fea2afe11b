"""Which way up: the EXIF orientation, in words and in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image


@dataclass(frozen=True, slots=True)
class Turn:
    """What makes a picture upright. words: for people. swaps: whether width and height change places."""

    words: str
    method: Image.Transpose
    swaps: bool = False


TURNS: Final = {
    2: Turn("mirrored left to right", Image.Transpose.FLIP_LEFT_RIGHT),
    3: Turn("rotated 180 degrees", Image.Transpose.ROTATE_180),
    4: Turn("mirrored top to bottom", Image.Transpose.FLIP_TOP_BOTTOM),
    5: Turn("mirrored along the falling diagonal", Image.Transpose.TRANSPOSE, swaps=True),
    6: Turn("rotated 90 degrees clockwise", Image.Transpose.ROTATE_270, swaps=True),
    7: Turn("mirrored along the rising diagonal", Image.Transpose.TRANSVERSE, swaps=True),
    8: Turn("rotated 90 degrees counter-clockwise", Image.Transpose.ROTATE_90, swaps=True),
}
"""EXIF orientation (EXIF 2.3, tag 0x0112) -> what is to be done; 1 is upright. Pillow's rotations are the other way."""


def turn_of(image: Image.Image) -> Turn | None:
    """What the EXIF data ask for; None where there are none, or they are broken: that is no reason to refuse."""
    try:
        # The base class's own: PNG's would decode the whole picture to look behind it.
        return TURNS.get(int(Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - EXIF is broken in as many ways as there are cameras
        return None


def turned(values: NDArray[Any], turn: Turn | None) -> NDArray[Any]:
    """A view of grey values, rows first, made upright as `Image.transpose` makes pictures."""
    match turn and turn.method:
        case None:
            return values
        case Image.Transpose.FLIP_LEFT_RIGHT:
            return values[:, ::-1]
        case Image.Transpose.ROTATE_180:
            return values[::-1, ::-1]
        case Image.Transpose.FLIP_TOP_BOTTOM:
            return values[::-1]
        case Image.Transpose.TRANSPOSE:
            return values.T
        case Image.Transpose.ROTATE_270:
            return values[::-1].T
        case Image.Transpose.TRANSVERSE:
            return values[::-1, ::-1].T
        case _:
            return np.asarray(values.T[::-1])
