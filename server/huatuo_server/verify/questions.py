"""The built-in questions: pictures that are computed, so that nothing has to be shipped or fetched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A user's text with its pictures, and the answer where the turn lies in the past."""

    text: str
    pictures: tuple[Picture, ...] = ()
    answer: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation to be answered greedily; the last turn has no answer. name: for the report."""

    name: str
    turns: tuple[Turn, ...]
    repetition_penalty: float = 1.0


def built_in() -> tuple[Question, ...]:
    """With and without pictures, one and two, wide, tall and square, a second turn, both languages and penalties."""
    describe, compare = "Describe this picture in detail.", "这两张图片有什么不同?请详细说明。"
    earlier = Turn("Is there any abnormality?", (gradient(640, 480),), "No abnormality is visible in this picture.")
    return (
        Question("text only, English", (Turn("What are the symptoms of pneumonia?"),)),
        Question("text only, Chinese, penalty 1.2", (Turn("高血压患者在饮食上应该注意什么?"),), 1.2),
        Question("wide gradient, English", (Turn(describe, (gradient(640, 480),)),)),
        Question("tall checkerboard, Chinese", (Turn("请描述这张图片。", (checkerboard(300, 500),)),)),
        Question("square noise, English, penalty 1.2", (Turn(describe, (noise(336),)),), 1.2),
        Question("two pictures, Chinese", (Turn(compare, (gradient(200, 200), checkerboard(500, 250))),)),
        Question("second turn, English", (earlier, Turn("Why do you think so?"))),
    )


def gradient(width: int, height: int) -> Picture:
    """Red grows to the right, green downwards, blue against both."""
    x = np.linspace(0, 255, width)[None, :].repeat(height, axis=0)
    y = np.linspace(0, 255, height)[:, None].repeat(width, axis=1)
    return np.stack([x, y, (510 - x - y) / 2], axis=-1).round().astype(np.uint8)


def checkerboard(width: int, height: int, square: int = 25) -> Picture:
    """Dark and light squares, `square` pixels wide."""
    y, x = np.indices((height, width)) // square
    light = ((x + y) % 2 == 1)[..., None]
    return np.where(light, [250, 245, 230], [20, 30, 60]).astype(np.uint8)


def noise(side: int, seed: int = 0) -> Picture:
    """Uniform noise, the same for a seed on every machine."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
