"""Large pictures are worked on in bands of rows, so that what is made on the way stays small."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

BAND_PIXELS: Final = 250_000
"""2 MB in 64-bit floats: the fastest of 2**14 to 2**22 on a film of 3000 x 2500."""


def bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of whole rows that cover an array of this shape, rows and columns first; each at least one row."""
    rows, columns = shape[:2]
    height = max(1, BAND_PIXELS // max(1, columns))
    for top in range(0, rows, height):
        yield slice(top, min(top + height, rows))
