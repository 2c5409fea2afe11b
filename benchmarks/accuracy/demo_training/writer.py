"""The conversations of the training, as ids, packed behind each picture."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from benchmarks.accuracy.demo_training.painter import IGNORED, Seen
from benchmarks.accuracy.demo_training.questions import Asked, Facts, ask, ask_beyond, ask_without_picture
from huatuo_server.tokenizer import Tokenizer

MAX_TEXT_TOKENS: Final = 224
"""Of the conversations behind one picture."""

OPTIONS_SHARE, WHETHER_SHARE, BEYOND_SHARE = 0.45, 0.2, 0.08


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


def questions_about(facts: Facts, random_: random.Random) -> Asked:
    """One at random, of any topic and form."""
    roll = random_.random()
    if roll < BEYOND_SHARE:
        return ask_beyond(facts, random_)
    topic = random_.choice(facts.topics)
    if roll < BEYOND_SHARE + OPTIONS_SHARE:
        return ask(facts, topic, random_, form="options")
    return ask(facts, topic, random_, form="whether" if roll < BEYOND_SHARE + OPTIONS_SHARE + WHETHER_SHARE else "free")
