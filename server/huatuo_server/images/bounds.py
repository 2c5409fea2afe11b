"""What may be decoded at all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """max_side: of the longer side, pixels. max_frames: of one file, pages included."""

    max_pixels: int = 40_000_000
    max_side: int = 20_000
    max_frames: int = 1_000
