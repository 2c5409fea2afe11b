"""The demo model's training: the tower alone, then everything on a quarter of the patches, then on all of them."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.accuracy.demo_training.model import NUM_PATCHES, Demo, Sizes
from benchmarks.accuracy.demo_training.painter import IGNORED, NO_PATCH, Painter, Seen
from benchmarks.accuracy.demo_training.patches import patches, thinned
from benchmarks.accuracy.demo_training.questions import KINDS, Facts
from benchmarks.accuracy.demo_training.real_pictures import RealPicture
from benchmarks.accuracy.demo_training.scenes import MAX_COUNT, SHAPES, SIDES
from benchmarks.accuracy.demo_training.writer import MAX_TEXT_TOKENS, Texts, Writer
from huatuo_server.tokenizer import Tokenizer

PEAK_RATE: Final = 1.5e-3
WARM_UP_STEPS: Final = 200
WEIGHT_DECAY: Final = 0.02
GRADIENT_NORM: Final = 1.0
GROUND_WEIGHT: Final = 0.1
"""Of patches without a shape, which are most."""

BLANK: Final = -1

WORDS_EVERY: Final = 25
"""Steps from one batch without pictures to the next."""

_FACTS: Final = (len(KINDS), len(SHAPES), MAX_COUNT, 2, len(SIDES))


@dataclass(frozen=True, slots=True)
class Phase:
    """batch: pictures a step and process. rate: of the peak, at its beginning; it falls to `last_rate`."""

    name: str
    steps: int
    batch: int
    rate: float
    last_rate: float
    speaks: bool
    is_thin: bool


@dataclass(frozen=True, slots=True)
class Course:
    """What a training starts from. folder: with the tokenizer. end: the id that ends an answer."""

    seed: int
    sizes: Sizes
    folder: Path
    vocabulary: int
    end: int
    real: Sequence[RealPicture]

    def demo(self) -> Demo:
        """With fresh weights."""
        return Demo(self.sizes, self.vocabulary)

    @property
    def weights(self) -> Path:
        """Where they lie after each phase."""
        return self.folder / "trained.pt"


class Teacher(nn.Module):
    """What the tower's states are asked while it learns: each patch the facts, and which shape lies on it.

    It stays behind when training is over.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.facts = nn.ModuleList(nn.Linear(width, size) for size in _FACTS)
        self.label = nn.Linear(width, 1 + len(SHAPES))

    def forward(self, states: Tensor, facts: Tensor, labels: Tensor) -> Tensor:
        """Losses of labels and facts. states: (batch, n, width); facts: (batch, len(_FACTS)); labels: (batch, n)."""
        states = self.norm(states)
        weight = torch.ones(1 + len(SHAPES))
        weight[NO_PATCH] = GROUND_WEIGHT
        losses = [
            cross_entropy(self.label(states).float().flatten(0, 1), labels.flatten(), weight, ignore_index=IGNORED)
        ]
        every = states[:, torch.randperm(states.shape[1])[:32]]
        for number, head in enumerate(self.facts):
            known = facts[:, number].repeat_interleave(every.shape[1])
            losses.append(cross_entropy(head(every).float().flatten(0, 1), known, ignore_index=IGNORED))
        return torch.stack(losses).nan_to_num()


class Trainer:
    """One process of several that train together."""

    def __init__(self, demo: Demo, painter: Painter, writer: Writer, seed: int) -> None:
        self._demo = demo
        self._teacher = Teacher(demo.sizes.clip_width)
        self._painter = painter
        self._writer = writer
        self._random = np.random.default_rng(seed)
        self._parts = [*demo.parameters(), *self._teacher.parameters()]
        self._optimizer = torch.optim.AdamW(self._parts, PEAK_RATE, (0.9, 0.98), weight_decay=WEIGHT_DECAY)
        self._steps = 0

    def run(self, phase: Phase) -> None:
        """All steps of a phase; a line now and then."""
        began, told = time.monotonic(), [0.0] * (len(_FACTS) + 3)
        for step in range(phase.steps):
            part = step / phase.steps
            rate = phase.last_rate + (phase.rate - phase.last_rate) * 0.5 * (1 + math.cos(math.pi * part))
            self._set_rate(rate * min(1.0, (self._steps + 1) / WARM_UP_STEPS))
            shown = self._step(phase, is_words=phase.speaks and step % WORDS_EVERY == WORDS_EVERY - 1)
            told = [0.98 * old + 0.02 * new for old, new in zip(told, shown, strict=True)]
            if (step + 1) % 100 == 0 and dist.get_rank() == 0:
                *seen, said, right = (value / (1 - 0.98 ** (step + 1)) for value in told)
                taken, each = time.monotonic() - began, " ".join(f"{one:.2f}" for one in seen)
                line = f"{phase.name} {step + 1}/{phase.steps}: {taken:.0f} s, seeing {each}, saying {said:.3f}, "
                print(f"{line}answers' tokens right {right:.3f}", flush=True)

    def _set_rate(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = PEAK_RATE * rate

    def _step(self, phase: Phase, *, is_words: bool) -> list[float]:
        pictures = [None if is_words else self._painter.picture() for _ in range(phase.batch)]
        with torch.autocast("cpu", torch.bfloat16):
            seen, states, places = self._see([one for one in pictures if one], phase)
            said, right = self._say(pictures, states, places) if phase.speaks else (torch.zeros(()), 0.0)
        self._optimizer.zero_grad()
        (seen.sum() + said).backward()  # type: ignore[no-untyped-call]
        self._share()
        nn.utils.clip_grad_norm_(self._parts, GRADIENT_NORM)
        self._optimizer.step()
        self._steps += 1
        return [*seen.detach().tolist(), float(said.detach()), right]

    def _see(self, pictures: Sequence[Seen], phase: Phase) -> tuple[Tensor, Tensor | None, Tensor]:
        if not pictures:
            return torch.zeros(1 + len(_FACTS)), None, torch.zeros(phase.batch, 0, dtype=torch.long)
        whole = np.tile(np.arange(NUM_PATCHES), (len(pictures), 1))
        places = thinned(len(pictures), self._random) if phase.is_thin else whole
        pixels = np.stack([seen.pixels for seen in pictures])
        states = self._demo.tower(patches(pixels, places), torch.from_numpy(places))
        labels = np.take_along_axis(np.stack([seen.labels for seen in pictures]), places, 1)
        facts = torch.tensor([_facts(seen.facts) for seen in pictures])
        return self._teacher(states, facts, torch.from_numpy(labels)), states, torch.from_numpy(places)

    def _say(self, pictures: Sequence[Seen | None], states: Tensor | None, places: Tensor) -> tuple[Tensor, float]:
        texts = self._writer.texts(pictures)
        hidden = decoded(self._demo, self._writer.before, states, places, texts)
        asked = texts.targets != IGNORED
        logits = self._demo.head(hidden[asked]).float()
        targets = texts.targets[asked]
        return cross_entropy(logits, targets), float((logits.argmax(-1) == targets).float().mean())

    def _share(self) -> None:
        """The mean of all processes' gradients, in each."""
        for part in self._parts:
            if part.grad is None:
                part.grad = torch.zeros_like(part)
        flat = torch.cat([part.grad.flatten() for part in self._parts if part.grad is not None])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        start = 0
        for part in self._parts:
            assert part.grad is not None
            part.grad.copy_(flat[start : start + part.numel()].view_as(part))
            start += part.numel()


def decoded(demo: Demo, before: Sequence[int], states: Tensor | None, places: Tensor, texts: Texts) -> Tensor:
    """The decoder's last states where the texts stand, (batch, MAX_TEXT_TOKENS, hidden).

    before: ids in front of the picture. states: the tower's, at `places`; None where there is no picture.
    """
    batch = len(texts.ids)
    start = torch.tensor(before).expand(batch, -1)
    parts = [demo.embed(start), *([] if states is None else [demo.projector(states)]), demo.embed(texts.ids)]
    end = len(before) + (0 if states is None else NUM_PATCHES)
    positions = [torch.arange(len(before)).expand(batch, -1), len(before) + places, end + texts.offsets]
    common = torch.zeros(batch, len(before) + places.shape[1], dtype=torch.long)
    owners = torch.cat([common, texts.segments.masked_fill(texts.segments == 0, BLANK)], 1)
    hidden = demo.decode(torch.cat([part.float() for part in parts], 1), torch.cat(positions, 1), _mask(owners))
    return hidden[:, -MAX_TEXT_TOKENS:]


def _mask(owners: Tensor) -> Tensor:
    """Each text sees what stands before all texts (owner 0) and itself, up to where it is."""
    length = owners.shape[1]
    earlier = torch.ones(length, length, dtype=torch.bool).tril()
    sees = earlier & ((owners[:, None, :] == 0) | (owners[:, :, None] == owners[:, None, :]))
    return torch.zeros(sees.shape).masked_fill(~sees, -torch.inf)


def _facts(facts: Facts) -> tuple[int, ...]:
    kind, scene = KINDS.index(facts.kind), facts.scene
    if scene is None:
        return kind, *[IGNORED] * (len(_FACTS) - 1)
    side = SIDES.index(scene.side) if scene.side else IGNORED
    return kind, SHAPES.index(scene.shape), scene.count - 1, int(scene.is_brighter), side


def take_part(rank: int, num_processes: int, meeting: str, phases: Sequence[Phase], course: Course) -> None:
    """One process's whole training; the first leaves the weights in `course.weights` after each phase."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=num_processes)
    torch.manual_seed(course.seed)
    demo = course.demo()
    writer = Writer(Tokenizer.load(course.folder), course.end, random.Random(f"{course.seed} writer {rank}"))
    painter = Painter(course.real, random.Random(f"{course.seed} painter {rank}"))
    trainer = Trainer(demo, painter, writer, course.seed + rank)
    for phase in phases:
        trainer.run(phase)
        if rank == 0:
            torch.save(demo.state_dict(), course.weights)
    dist.destroy_process_group()
