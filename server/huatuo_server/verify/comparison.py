"""The engine's side: force the reference's answer on it, token by token, and let it answer by itself too."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.engine.base import Engine, Prompt, PromptImage, Sampling, all_deltas
from huatuo_server.families import PicturePolicy
from huatuo_server.images.prepare import prepare
from huatuo_server.prompt import Message, render
from huatuo_server.reference import from_pixels
from huatuo_server.tokenizer import Tokenizer
from huatuo_server.verify.answers import Answer, Position
from huatuo_server.verify.questions import Picture, Question
from huatuo_server.verify.report import CLEAR_GAP, Divergence, QuestionReport, Thresholds, VerifyReport

NUM_LOGPROBS = 20
"""As many as vLLM reports unless its `max_logprobs` is raised."""

LogProbs = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class _Generated:
    token_ids: tuple[int, ...]
    log_probs: tuple[LogProbs, ...]


async def compare(
    engine: Engine, checkpoint: Checkpoint, answers: Sequence[Answer], thresholds: Thresholds
) -> VerifyReport:
    """Compare a started engine with the reference's answers. The prompts and pictures are the server's own.

    Raises EngineRequestError or EngineDeadError when the engine fails.
    """
    tokenizer = Tokenizer.load(checkpoint.path)
    reports = []
    for answer in answers:
        prompt = server_prompt(answer.question, tokenizer, checkpoint.family.picture)
        forced = await _forced(engine, prompt, answer)
        own = await _own_answer(engine, prompt, answer)
        reports.append(judge(answer, prompt.token_ids, forced, own))
    return VerifyReport(tuple(reports), thresholds)


def server_prompt(question: Question, tokenizer: Tokenizer, policy: PicturePolicy) -> Prompt:
    """The question as the server hands it to its engine."""
    messages = []
    for turn in question.turns:
        images = tuple(_prepared(picture, policy) for picture in turn.pictures)
        messages.append(Message("user", turn.text, images))
        if turn.answer is not None:
            messages.append(Message("assistant", turn.answer))
    return render(messages, tokenizer)


def _prepared(picture: Picture, policy: PicturePolicy) -> PromptImage:
    pixels = prepare(from_pixels(picture), policy)
    return PromptImage(pixels, hashlib.sha256(pixels.tobytes()).hexdigest())


async def _forced(engine: Engine, prompt: Prompt, answer: Answer) -> list[LogProbs]:
    """The engine's log-probabilities after each beginning of the reference's answer."""
    prompts = [
        replace(prompt, token_ids=prompt.token_ids + answer.token_ids[:position])
        for position in range(len(answer.positions))
    ]
    sampling = Sampling(max_tokens=1, ignore_eos=True, logprobs=NUM_LOGPROBS)
    # The first one alone fills the prefix cache, so that the others read one token each.
    first = await _generate(engine, prompts[0], sampling, f"{answer.question.name} 0")
    others = [
        _generate(engine, longer, sampling, f"{answer.question.name} {position}")
        for position, longer in enumerate(prompts[1:], start=1)
    ]
    return [one.log_probs[0] if one.log_probs else {} for one in (first, *await asyncio.gather(*others))]


async def _own_answer(engine: Engine, prompt: Prompt, answer: Answer) -> tuple[int, ...]:
    """What the engine answers by itself: its decoding, its key-value cache and its penalty take part only here."""
    sampling = Sampling(
        max_tokens=len(answer.positions), repetition_penalty=answer.question.repetition_penalty, min_tokens=1
    )
    return (await _generate(engine, prompt, sampling, f"{answer.question.name}, own answer")).token_ids


async def _generate(engine: Engine, prompt: Prompt, sampling: Sampling, request_id: str) -> _Generated:
    deltas = await all_deltas(engine, prompt, sampling, f"verify: {request_id}")
    token_ids = tuple(token_id for delta in deltas for token_id in delta.token_ids)
    return _Generated(token_ids, tuple(step for delta in deltas for step in delta.logprobs))


def judge(answer: Answer, prompt_ids: Sequence[int], forced: Sequence[LogProbs], own: Sequence[int]) -> QuestionReport:
    """Hold the engine's log-probabilities, a mapping a position, and its own answer against the reference's."""
    positions = answer.positions
    same = [
        max(found, key=found.__getitem__, default=None) == position.best_id
        for position, found in zip(positions, forced, strict=True)
    ]
    clear = [agrees for agrees, position in zip(same, positions, strict=True) if position.gap > CLEAR_GAP]
    return QuestionReport(
        name=answer.question.name,
        num_tokens=len(positions),
        prompt_differs_at=_first_difference(prompt_ids, answer.input_ids),
        differences=tuple(_differences(positions, forced)),
        clear=len(clear),
        agreed=sum(clear),
        divergence=next((Divergence(i, positions[i].gap) for i, agrees in enumerate(same) if not agrees), None),
        parting=_parting(answer, own),
    )


def _differences(positions: Sequence[Position], forced: Sequence[LogProbs]) -> Iterator[float]:
    for position, found in zip(positions, forced, strict=True):
        least = min(found.values(), default=-math.inf)
        if position.token_id not in found and position.log_prob <= least:
            continue
        # A token that the engine does not report is at most as likely there as the last one that it does.
        difference = abs(position.log_prob - found.get(position.token_id, least))
        yield difference if math.isfinite(difference) else math.inf


def _parting(answer: Answer, own: Sequence[int]) -> Divergence | None:
    place = _first_difference(own, answer.token_ids)
    if place is None:
        return None
    if place >= min(len(own), len(answer.positions)):
        return Divergence(place, math.inf)
    # A token that is not among the reference's best lies at least as far below as the last of them.
    shortfalls = answer.positions[place].shortfalls
    return Divergence(place, shortfalls.get(own[place], max(shortfalls.values())))


def _first_difference(left: Sequence[int], right: Sequence[int]) -> int | None:
    if tuple(left) == tuple(right):
        return None
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(left), len(right)))
