"""Drawn pictures whose facts are known: shapes of one kind on a plain ground, wide, tall or square."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Shape = Literal["circle", "square", "triangle", "cross"]
Side = Literal["left", "right"]

SHAPES: Final[tuple[Shape, ...]] = ("circle", "square", "triangle", "cross")
SIDES: Final[tuple[Side, ...]] = ("left", "right")
MAX_COUNT: Final = 4

SIDE_PIXELS: Final = 336
"""Of a picture's longer side: what the model sees, so that nothing is resized."""

_ASPECTS: Final = (0.6, 0.75, 1.0, 1.0, 1.33, 1.6)
_GAP: Final = 8
_MIN_CONTRAST: Final = 50


@dataclass(frozen=True, slots=True)
class Placed:
    """A shape's middle and reach, in pixels of the picture."""

    x: int
    y: int
    reach: int


@dataclass(frozen=True, slots=True)
class Scene:
    """side: of a single shape, else None. pixels: uint8, shape (height, width), grey."""

    shape: Shape
    places: tuple[Placed, ...]
    is_brighter: bool
    side: Side | None
    pixels: NDArray[np.uint8]

    @property
    def count(self) -> int:
        """From 1 to MAX_COUNT."""
        return len(self.places)


def draw_scene(random_: random.Random) -> Scene:
    """One at random; the same state of `random_` gives the same scene."""
    width, height = _size(random_.choice(_ASPECTS))
    shape, side = random_.choice(SHAPES), random_.choice(SIDES)
    count = random_.choice((1, 1, 2, 3, 4))
    places = _placed(random_, width, height, count, side)
    ground, ink = _greys(random_)
    image = Image.new("L", (width, height), ground)
    pen = ImageDraw.Draw(image)
    for place in places:
        _draw(pen, shape, place, ink)
    pixels = _noisy(np.asarray(image), random_)
    return Scene(shape, places, ink > ground, side if len(places) == 1 else None, pixels)


def _size(aspect: float) -> tuple[int, int]:
    return (SIDE_PIXELS, round(SIDE_PIXELS / aspect)) if aspect >= 1 else (round(SIDE_PIXELS * aspect), SIDE_PIXELS)


def _greys(random_: random.Random) -> tuple[int, int]:
    ground = random_.randint(15, 240)
    step = random_.randint(_MIN_CONTRAST, 140) * random_.choice((-1, 1))
    if not 0 <= ground + step <= 255:
        step = -step
    return ground, max(0, min(255, ground + step))


def _placed(random_: random.Random, width: int, height: int, count: int, side: Side) -> tuple[Placed, ...]:
    """Places that do not touch each other; fewer than `count` where no room was found, never none."""
    places: list[Placed] = []
    for _ in range(200):
        largest = int(0.22 * min(width, height))
        reach = random_.randint(20, max(21, min(60 if count == 1 else 46, largest)))
        left, right = reach + 4, width - reach - 4
        if count == 1:
            left, right = (left, width // 2 - reach // 2) if side == "left" else (width // 2 + reach // 2, right)
        place = Placed(random_.randint(left, right), random_.randint(reach + 4, height - reach - 4), reach)
        if all(_apart(place, other) for other in places):
            places.append(place)
        if len(places) == count:
            break
    return tuple(places)


def _apart(one: Placed, other: Placed) -> bool:
    return (one.x - other.x) ** 2 + (one.y - other.y) ** 2 > (one.reach + other.reach + _GAP) ** 2


def _draw(pen: ImageDraw.ImageDraw, shape: Shape, place: Placed, ink: int) -> None:
    x, y, reach = place.x, place.y, place.reach
    match shape:
        case "circle":
            pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=ink)
        case "square":
            half = round(0.88 * reach)
            pen.rectangle((x - half, y - half, x + half, y + half), fill=ink)
        case "triangle":
            base = y + round(0.8 * reach)
            pen.polygon([(x, y - reach), (x - reach, base), (x + reach, base)], fill=ink)
        case "cross":
            arm = max(4, reach // 3)
            pen.rectangle((x - reach, y - arm, x + reach, y + arm), fill=ink)
            pen.rectangle((x - arm, y - reach, x + arm, y + reach), fill=ink)


def _noisy(pixels: NDArray[np.uint8], random_: random.Random) -> NDArray[np.uint8]:
    strength = random_.choice((0.0, 3.0, 8.0))
    if not strength:
        return pixels
    noise = np.random.default_rng(random_.getrandbits(32)).standard_normal(pixels.shape, np.float32)
    return np.clip(pixels + strength * noise, 0, 255).astype(np.uint8)
