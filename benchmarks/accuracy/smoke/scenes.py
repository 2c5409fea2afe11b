"""Scenes of one shape, chosen for what a bug would do to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.accuracy.demo_training.scenes import Scene, draw_scene

EDGE = 4
"""Pixels between a shape that was moved and the picture's end."""

Pick = Callable[["Pool", bool], Scene]
"""From where, and whether the shape is brighter than the ground and on the left; else it is darker and on the right.

Asked of as many of one kind as of the other, a model that sees nothing is right half the time at most.
"""


class Pool:
    """Scenes at random, the same for the same seed; each is taken out once."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._drawn: list[Scene] = []

    def take(self, fits: Callable[[Scene], bool]) -> Scene:
        """The first that fits, of those drawn for others or of new ones."""
        number = next((number for number, scene in enumerate(self._drawn) if fits(scene)), None)
        if number is not None:
            return self._drawn.pop(number)
        while not fits(scene := self._new()):
            self._drawn.append(scene)
        return scene

    def _new(self) -> Scene:
        while (scene := draw_scene(self.random)).count != 1:
            pass
        return scene


def square(pool: Pool, bright_left: bool) -> Scene:
    """A picture that needs no padding."""
    return pool.take(lambda scene: _is(scene, bright_left) and _is_square(scene))


def two_shades(pool: Pool, bright_left: bool) -> Scene:
    """The same without noise."""
    return pool.take(lambda scene: _is(scene, bright_left) and _is_square(scene) and len(np.unique(scene.pixels)) == 2)


def wide(pool: Pool, bright_left: bool) -> Scene:
    """A wide picture whose middle square holds nothing of the shape."""
    taken = pool.take(lambda scene: _is(scene, bright_left) and _fits_beside_middle(scene, *scene.pixels.shape))
    (place,) = taken.places
    x = place.reach + EDGE if bright_left else taken.pixels.shape[1] - 1 - place.reach - EDGE
    return replace(taken, places=(replace(place, x=x),), pixels=np.roll(taken.pixels, x - place.x, axis=1))


def tall(pool: Pool, bright_left: bool) -> Scene:
    """A tall picture whose middle square holds nothing of the shape."""
    taken = pool.take(lambda scene: _is(scene, bright_left) and _fits_beside_middle(scene, *scene.pixels.T.shape))
    (place,) = taken.places
    y = place.reach + EDGE
    return replace(taken, places=(replace(place, y=y),), pixels=np.roll(taken.pixels, y - place.y, axis=0))


def _is(scene: Scene, bright_left: bool) -> bool:
    return scene.is_brighter == bright_left and (scene.side == "left") == bright_left


def _is_square(scene: Scene) -> bool:
    height, width = scene.pixels.shape
    return bool(height == width)


def _fits_beside_middle(scene: Scene, short: int, long: int) -> bool:
    """Moved to an end; the ground is plain, so that what is pushed out there comes in again at the other."""
    return 2 * scene.places[0].reach + EDGE < (long - short) // 2
