"""The pictures of the training: drawn ones, and real ones cropped and varied."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.accuracy.demo_training.model import GRID, NUM_PATCHES
from benchmarks.accuracy.demo_training.patches import PATCH
from benchmarks.accuracy.demo_training.questions import Facts
from benchmarks.accuracy.demo_training.real_pictures import RealPicture
from benchmarks.accuracy.demo_training.scenes import SHAPES, SIDE_PIXELS, draw_scene

PAD_RGB: Final = (122, 116, 104)
NO_PATCH: Final = 0
IGNORED: Final = -100
"""As `cross_entropy` ignores it."""

REAL_SHARE: Final = 0.3


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the model gets it, and what is known of it.

    pixels: uint8, (336, 336, 3). labels: int64, (NUM_PATCHES,), of a drawing the shape's number plus one where a patch
    lies on one, else NO_PATCH; IGNORED everywhere for a real picture.
    """

    facts: Facts
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


class Painter:
    """Draws and crops pictures. real: by modality the pictures to crop; each modality comes as often as any other."""

    def __init__(self, real: Sequence[RealPicture], random_: random.Random) -> None:
        self._random = random_
        self._real: dict[str, list[RealPicture]] = {}
        for picture in real:
            self._real.setdefault(picture.modality, []).append(picture)

    def picture(self) -> Seen:
        """The next one."""
        if self._random.random() < REAL_SHARE:
            return self._cropped()
        return self._drawn()

    def _drawn(self) -> Seen:
        scene = draw_scene(self._random)
        height, width = scene.pixels.shape
        top, left = (SIDE_PIXELS - height) // 2, (SIDE_PIXELS - width) // 2
        labels = np.full((GRID, GRID), NO_PATCH, np.int64)
        for place in scene.places:
            row, column = (place.y + top) // PATCH, (place.x + left) // PATCH
            reach = max(1, round(0.8 * place.reach / PATCH))
            rows = slice(max(0, row - reach), row + reach + 1)
            labels[rows, max(0, column - reach) : column + reach + 1] = SHAPES.index(scene.shape) + 1
        grey = np.repeat(scene.pixels[..., None], 3, 2)
        return Seen(Facts("drawing", scene), squared(grey), labels.flatten())

    def _cropped(self) -> Seen:
        modality = self._random.choice(sorted(self._real))
        picture = self._random.choice(self._real[modality])
        pixels = varied(picture.pixels, self._random)
        return Seen(Facts(picture.modality), squared(pixels), np.full(NUM_PATCHES, IGNORED, np.int64))


def varied(pixels: NDArray[np.uint8], random_: random.Random) -> NDArray[np.uint8]:
    """A real picture cropped, mirrored, brightened; its longer side 336 pixels."""
    height, width = pixels.shape[:2]
    share = random_.uniform(0.55, 1.0) if random_.random() < 0.8 else 1.0
    crop_height, crop_width = int(height * share), int(width * min(1.0, share * random_.uniform(0.85, 1.15)))
    top, left = random_.randint(0, height - crop_height), random_.randint(0, width - crop_width)
    cropped = pixels[top : top + crop_height, left : left + crop_width]
    if random_.random() < 0.5:
        cropped = cropped[:, ::-1]
    if random_.random() < 0.3:
        cropped = np.concatenate([cropped, cropped[:, ::-1]], 1)
    image = Image.fromarray(np.ascontiguousarray(cropped))
    scale = SIDE_PIXELS / max(image.size)
    image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC)
    values = np.asarray(image).astype(np.float32) / 255
    values = values ** random_.uniform(0.75, 1.35) * random_.uniform(0.85, 1.15) + random_.uniform(-0.06, 0.06)
    return (np.clip(values, 0, 1) * 255).astype(np.uint8)


def squared(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Padded to 336 by 336 as the reference pads; the longer side is 336 already."""
    height, width = pixels.shape[:2]
    square = np.empty((SIDE_PIXELS, SIDE_PIXELS, 3), np.uint8)
    square[:] = PAD_RGB
    top, left = (SIDE_PIXELS - height) // 2, (SIDE_PIXELS - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square
