"""`_bicubic.c`. Starts, weights and initial sums are int32. Raises ValueError where buffers do not fit together."""

from typing import Any, TypeAlias

from numpy.typing import NDArray

Buffer: TypeAlias = bytes | bytearray | NDArray[Any]

def across(
    pixels: Buffer,
    pixel_bytes: int,
    width: int,
    starts: Buffer,
    weights: Buffer,
    initial: Buffer,
    out: Buffer,
    first_row: int,
    /,
) -> None:
    """Rows of a picture -> rows of RGB, from `first_row` of `out` on. pixel_bytes: 4 (RGBX) or 1 (grey)."""

def down(rows: Buffer, row_bytes: int, starts: Buffer, weights: Buffer, out: Buffer, /) -> None:
    """Rows of bytes, at least 64 of them a row -> as many rows of `out` as there are starts."""
