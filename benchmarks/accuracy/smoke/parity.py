"""How many questions the server answers as the reference does: the same prompt, and the same greedy tokens."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from benchmarks.accuracy.chat import data_url
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.smoke.parity_questions import Question
from huatuo_server.reference import Reference, Round, Step, from_pixels

MAX_TOKENS = 24
AT_ONCE = 4
TIMEOUT_S = 1800.0

NUM_PAIRS = 2
MOST_PAIRS = 40
"""Questions about two pictures that are kept, and that are tried: a model may see both and answer about the clearer."""

ROUNDING = 1e-3
"""By so much may the score of a token that the server chose lie below the reference's choice, in float32; `verify`
allows the same difference."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The reference's answer. input_ids: its prompt, -200 for a picture."""

    question: Question
    input_ids: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def token_ids(self) -> tuple[int, ...]:
        """Of the answer."""
        return tuple(step.token_id for step in self.steps)


@dataclass(frozen=True, slots=True)
class Found:
    """The server's, as it tells them."""

    input_ids: tuple[int, ...]
    token_ids: tuple[int, ...]


def expected(checkpoint: Path, questions: Sequence[Question], pairs: Iterator[Question]) -> tuple[Expected, ...]:
    """To all questions, and to the first of `pairs` whose answers depend on the order of their two pictures.

    In float32 on the CPU. Raises huatuo_server.errors.CheckpointError, and RunError where too few depend on it.
    """
    reference = Reference.load(checkpoint)
    answers = [_expected(reference, question) for question in questions]
    ordered = list(islice(_depending_on_order(reference, islice(pairs, MOST_PAIRS)), NUM_PAIRS))
    if len(ordered) < NUM_PAIRS:
        raise RunError(f"{checkpoint}: answers hardly depend on the order of pictures: {len(ordered)} of {MOST_PAIRS}")
    return (*answers, *ordered)


def _depending_on_order(reference: Reference, pairs: Iterator[Question]) -> Iterator[Expected]:
    for question in pairs:
        answer = _expected(reference, question)
        swapped = _expected(reference, replace(question, pictures=question.pictures[::-1]))
        if not agrees(answer, Found(swapped.input_ids, swapped.token_ids)):
            yield answer


def _expected(reference: Reference, question: Question) -> Expected:
    input_ids = reference.input_ids([Round(question.text, len(question.pictures))])
    images = [from_pixels(picture.seen) for picture in question.pictures]
    steps = reference.greedy_steps(input_ids, images, max_new_tokens=MAX_TOKENS, repetition_penalty=question.penalty)
    return Expected(question, tuple(input_ids), tuple(steps))


def agreeing(url: str, model: str, answers: Sequence[Expected]) -> dict[str, bool]:
    """Whether the server agrees, by the question's name. Raises RunError where it does not answer."""
    with httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client, ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(partial(_found, client, f"{url}/v1/chat/completions", model), answers))
    return {answer.question.name: agrees(answer, one) for answer, one in zip(answers, found, strict=True)}


def agrees(expected: Expected, found: Found) -> bool:
    """The same prompt and tokens; but where two tokens are as likely but for rounding, either may be chosen."""
    if found.input_ids != expected.input_ids:
        return False
    for step, token_id in zip(expected.steps, found.token_ids, strict=False):
        if token_id != step.token_id:
            return step.shortfalls.get(token_id, math.inf) < ROUNDING
    return found.token_ids == expected.token_ids


def _found(client: httpx.Client, url: str, model: str, answer: Expected) -> Found:
    response = client.post(url, json=_body(model, answer.question))
    if response.status_code != 200:
        raise RunError(f"{answer.question.name}: {response.status_code} {response.text}")
    said = response.json()
    return Found(tuple(said["prompt_token_ids"]), tuple(said["choices"][0]["token_ids"]))


def _body(model: str, question: Question) -> dict[str, Any]:
    urls = [{"url": data_url(picture.sent)} for picture in question.pictures]
    parts = [*({"type": "image_url", "image_url": url} for url in urls), {"type": "text", "text": question.text}]
    return {
        "model": model,
        "messages": [{"role": "user", "content": parts}],
        "temperature": 0,
        "repetition_penalty": question.penalty,
        "max_tokens": MAX_TOKENS,
        "return_token_ids": True,
    }
