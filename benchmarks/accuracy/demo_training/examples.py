"""What a training step sees: pictures as patches, and conversations about them packed behind each."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.accuracy.demo_training.model import GRID, NUM_PATCHES, PATCH_VALUES
from benchmarks.accuracy.demo_training.questions import Asked, Facts, ask, ask_beyond, ask_without_picture
from benchmarks.accuracy.demo_training.real_pictures import RealPicture
from benchmarks.accuracy.demo_training.scenes import SHAPES, SIDE_PIXELS, draw_scene
from huatuo_server.tokenizer import Tokenizer

PATCH: Final = 14
PAD_RGB: Final = (122, 116, 104)
MAX_TEXT_TOKENS: Final = 224
"""Of the conversations behind one picture."""

NO_PATCH: Final = 0
IGNORED: Final = -100

REAL_SHARE: Final = 0.3
OPTIONS_SHARE, WHETHER_SHARE, BEYOND_SHARE = 0.45, 0.2, 0.08

_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
"""CLIP's."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as the model gets it, and what is known of it.

    pixels: uint8, (336, 336, 3). labels: int64, (NUM_PATCHES,), of a drawing the shape's number plus one where a patch
    lies on one, else NO_PATCH; IGNORED everywhere for a real picture.
    """

    facts: Facts
    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Texts:
    """Conversations behind each picture of a batch, one segment each.

    ids, targets, segments, offsets: (batch, MAX_TEXT_TOKENS). targets: the next id where it is the model's to say,
    else IGNORED. segments: from 1, 0 where there is nothing. offsets: positions from the end of the picture.
    """

    ids: Tensor
    targets: Tensor
    segments: Tensor
    offsets: Tensor


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


def patches(pixels: NDArray[np.uint8], places: NDArray[np.int64]) -> Tensor:
    """The patches at some places of pictures, normalised as CLIP's.

    pixels: (batch, 336, 336, 3); places: (batch, n). float32, (batch, n, PATCH_VALUES), channels first.
    """
    batch = len(pixels)
    tiled = pixels.reshape(batch, GRID, PATCH, GRID, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
    picked = tiled.reshape(batch, NUM_PATCHES, PATCH, PATCH, 3)[np.arange(batch)[:, None], places]
    normalised = (picked.astype(np.float32) / 255 - _MEAN) / _STD
    return torch.from_numpy(normalised.transpose(0, 1, 4, 2, 3).reshape(batch, -1, PATCH_VALUES))


def thinned(batch: int, random_: np.random.Generator) -> NDArray[np.int64]:
    """One patch of every two by two, at random: a quarter of the places in order, (batch, NUM_PATCHES / 4)."""
    corners = (np.arange(0, GRID, 2)[:, None] * GRID + np.arange(0, GRID, 2)).flatten()
    return np.sort(corners + random_.choice(np.array([0, 1, GRID, GRID + 1]), (batch, len(corners))))


def questions_about(facts: Facts, random_: random.Random) -> Asked:
    """One at random, of any topic and form."""
    roll = random_.random()
    if roll < BEYOND_SHARE:
        return ask_beyond(facts, random_)
    topic = random_.choice(facts.topics)
    if roll < BEYOND_SHARE + OPTIONS_SHARE:
        return ask(facts, topic, random_, form="options")
    return ask(facts, topic, random_, form="whether" if roll < BEYOND_SHARE + OPTIONS_SHARE + WHETHER_SHARE else "free")


class Writer:
    """Conversations as ids, as the reference writes its prompts. end: the id that ends an answer."""

    def __init__(self, tokenizer: Tokenizer, end: int, random_: random.Random) -> None:
        self._tokenizer = tokenizer
        self._end = end
        self._random = random_
        self._known: dict[str, list[int]] = {}
        self.before = tokenizer.encode("<|user|>\n")

    def texts(self, pictures: Sequence[Seen | None]) -> Texts:
        """As many questions about each as find room; None: words without a picture."""
        made = Texts(*(torch.full((len(pictures), MAX_TEXT_TOKENS), fill) for fill in (0, IGNORED, 0, 0)))
        for row, seen in enumerate(pictures):
            self._fill(made, row, seen)
        return made

    def _fill(self, made: Texts, row: int, seen: Seen | None) -> None:
        start, segment = 0, 1
        while True:
            asked = questions_about(seen.facts, self._random) if seen else ask_without_picture(self._random)
            question = self._encode(f"{chr(10) if seen else ''}{asked.text}\n<|assistant|>\n")
            answer = [*self._encode(asked.reply), self._end]
            ids = question + answer[:-1]
            end = start + len(ids)
            if end > MAX_TEXT_TOKENS:
                return
            made.ids[row, start:end] = torch.tensor(ids)
            made.targets[row, start + len(question) - 1 : end] = torch.tensor(answer)
            made.segments[row, start:end] = segment
            made.offsets[row, start:end] = torch.arange(len(ids))
            start, segment = end, segment + 1

    def _encode(self, text: str) -> list[int]:
        if text not in self._known:
            self._known[text] = self._tokenizer.encode(text)
        return self._known[text]
