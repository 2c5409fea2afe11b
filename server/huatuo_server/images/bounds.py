"""What may be decoded at all."""

from __future__ import annotations

from dataclasses import dataclass

from huatuo_server.errors import ImageRefused, InvalidImage


@dataclass(frozen=True, slots=True)
class Bounds:
    """max_side: of the longer side, pixels. max_frames: of one file, pages included."""

    max_pixels: int = 40_000_000
    max_side: int = 20_000
    max_frames: int = 1_000

    def check_size(self, width: int, height: int) -> None:
        """Raises InvalidImage for a picture without pixels, ImageRefused for one over a limit, which it names."""
        if min(width, height) < 1:
            raise InvalidImage("The image has no pixels.")
        if width * height > self.max_pixels:
            raise ImageRefused(
                f"The image has {width} x {height} pixels; at most {self.max_pixels} are accepted (--max-image-pixels)."
                " Scale it down."
            )
        if max(width, height) > self.max_side:
            raise ImageRefused(
                f"The image is {width} x {height} pixels; at most {self.max_side} a side are accepted"
                " (--max-image-side). Scale it down."
            )
