"""Questions that the server must answer as the reference does, token by token."""

# ruff: noqa: RUF001 - the Chinese lines have Chinese punctuation.

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from benchmarks.accuracy.prompt import INSTRUCTION
from benchmarks.accuracy.smoke import films
from benchmarks.accuracy.smoke.films import Pixels
from benchmarks.accuracy.smoke.scenes import Pool, square, tall, two_shades, wide

SEED = 2406_19281
"""Another than the data sets'."""

PENALTY = 1.2
"""The reference's."""

REWARD = 0.05
"""A penalty below 1 makes a token that counts more likely. A trained model is so sure of its answer that 1.2 or even 2
on the prompt's tokens would not change it; under this one, words of the question come into the answer."""

PAIR_TEXTS = ("On which side is the shape?", "Describe the picture.", "形状在哪一侧？", "Is it brighter or darker?")


@dataclass(frozen=True, slots=True)
class Shown:
    """sent: the file. seen: what a server that makes no mistake shows of it, which is what the reference is given."""

    sent: bytes
    seen: Pixels


@dataclass(frozen=True, slots=True)
class Question:
    """name: for the report."""

    name: str
    text: str
    pictures: tuple[Shown, ...] = ()
    penalty: float = PENALTY


def questions() -> tuple[Question, ...]:
    """About one picture or none; the same at every call."""
    pool = Pool(SEED)
    deep = two_shades(pool, True).pixels, two_shades(pool, False).pixels
    film, plain = square(pool, True).pixels, _as_png(square(pool, False).pixels)
    which, choice = "Which shape is in the picture?", "A. Circle\nB. Square\nC. Triangle\nD. Cross"
    return (
        Question("square PNG", which, (plain,)),
        Question("wide PNG", which, (_as_png(wide(pool, True).pixels),)),
        Question("wide PNG, zh", "请描述这张图片。", (_as_png(wide(pool, False).pixels),)),
        Question("tall PNG", "On which side is the shape?", (_as_png(tall(pool, True).pixels),)),
        Question("tall PNG, options", f"{which}\n{choice}\n{INSTRUCTION}", (_as_png(tall(pool, False).pixels),)),
        Question("MONOCHROME1 DICOM", "Is it brighter or darker?", (Shown(films.monochrome1(film), film),)),
        Question("16-bit PNG", "Describe the picture.", (Shown(films.png16(deep[0]), films.stretched(deep[0])),)),
        Question("16-bit TIFF", "Describe the picture.", (Shown(films.tiff16(deep[1]), films.stretched(deep[1])),)),
        Question("no picture", "What is pneumonia?"),
        Question("reward", which, (plain,), REWARD),
        Question("reward, options", f"{which}\n{choice}\n{INSTRUCTION}", (plain,), REWARD),
        Question("reward, zh", "请描述这张图片。", (plain,), REWARD),
    )


def pair_questions() -> Iterator[Question]:
    """About two pictures that differ in all that is asked; without end, the same at every call."""
    pool = Pool(SEED)
    for number in count():
        pair = (_as_png(square(pool, True).pixels), _as_png(wide(pool, False).pixels))
        yield Question(f"two PNG {number}", PAIR_TEXTS[number % len(PAIR_TEXTS)], pair)


def _as_png(pixels: Pixels) -> Shown:
    return Shown(films.png(pixels), pixels)
