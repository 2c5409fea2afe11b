"""What comes back: an answer in words, or a closed question's answer in numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self

from huatuo_client.errors import AnswerBroken, AnswerCut
from huatuo_client.provenance import ImageProvenance


@contextmanager
def of_its_shape() -> Iterator[None]:
    """What is read within is a huatuo-server's. Raises AnswerBroken where it is not."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        raise AnswerBroken("What came is not what a huatuo-server says: is it one that listens there?") from None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. cached_tokens: of the prompt, as many as the server had read before."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Usage:
        """Of OpenAI's object."""
        details = value.get("prompt_tokens_details") or {}
        return cls(value["prompt_tokens"], value["completion_tokens"], details.get("cached_tokens") or 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in words. text: as it came, never stripped; put it so into a next turn.

    finish_reason: `length` where the answer was cut. images: what was done to each image, in the order of the request.
    system_fingerprint: another one may answer otherwise. demo: what a demo checkpoint is, None for a released one.
    max_tokens_clamped_to: where less was left than asked for. request_id: what the server's log calls it.
    """

    text: str
    finish_reason: Literal["stop", "length"]
    model: str
    images: tuple[ImageProvenance, ...]
    usage: Usage | None
    system_fingerprint: str | None
    demo: str | None
    max_tokens_clamped_to: int | None
    ignored_fields: tuple[str, ...]
    request_id: str | None

    @property
    def is_cut(self) -> bool:
        """Whether it ended because no more tokens were allowed."""
        return self.finish_reason == "length"

    def value(self) -> Any:
        """The JSON of an answer by a schema. Raises AnswerCut where it was cut, AnswerBroken where it is no JSON."""
        if self.is_cut:
            raise AnswerCut("The answer was cut before its JSON was complete; allow it more tokens.")
        try:
            return json.loads(self.text)
        except ValueError:
            raise AnswerBroken("The answer is no JSON.") from None

    @classmethod
    def of_json(cls, completion: Mapping[str, Any], *, request_id: str | None) -> Self:
        """Of a chat completion."""
        choice = completion["choices"][0]
        return cls.told(choice["message"]["content"], choice["finish_reason"], completion, request_id=request_id)

    @classmethod
    def told(
        cls, text: str, finish_reason: Literal["stop", "length"], told: Mapping[str, Any], *, request_id: str | None
    ) -> Self:
        """told: the fields that a completion and a stream's last chunk have in common. Raises TypeError."""
        if not isinstance(text, str) or not isinstance(finish_reason, str):
            raise TypeError("an answer is a text that has ended")
        usage = told.get("usage")
        return cls(
            text=text,
            finish_reason=finish_reason,
            model=told["model"],
            images=_images(told),
            usage=None if usage is None else Usage.of_json(usage),
            system_fingerprint=told.get("system_fingerprint"),
            demo=told.get("demo"),
            max_tokens_clamped_to=told.get("max_tokens_clamped_to"),
            ignored_fields=tuple(told.get("ignored_fields") or ()),
            request_id=request_id,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the given answers. logprob_sum: of its tokens, natural; logprob_mean: the same a token.

    probability: among all choices by their sums; probability_mean: by their means.
    """

    text: str
    logprob_sum: float
    logprob_mean: float
    probability: float
    probability_mean: float


@dataclass(frozen=True, slots=True)
class Choices:
    """A closed question's answer. choices: in the order of the question. best: the most probable one.

    note: what the probabilities are not: calibrated. The rest is as an Answer's.
    """

    choices: tuple[Choice, ...]
    best: Choice
    note: str
    model: str
    images: tuple[ImageProvenance, ...]
    usage: Usage
    system_fingerprint: str | None
    demo: str | None
    request_id: str | None

    @classmethod
    def of_json(cls, told: Mapping[str, Any], *, request_id: str | None) -> Self:
        """Of the server's `chat.choices`."""
        choices = tuple(
            Choice(
                text=one["text"],
                logprob_sum=one["logprob_sum"],
                logprob_mean=one["logprob_mean"],
                probability=one["probability"],
                probability_mean=one["probability_mean"],
            )
            for one in told["choices"]
        )
        return cls(
            choices=choices,
            best=choices[told["best"]],
            note=told["note"],
            model=told["model"],
            images=_images(told),
            usage=Usage.of_json(told["usage"]),
            system_fingerprint=told.get("system_fingerprint"),
            demo=told.get("demo"),
            request_id=request_id,
        )


def _images(told: Mapping[str, Any]) -> tuple[ImageProvenance, ...]:
    return tuple(ImageProvenance.of_json(one) for one in told.get("images") or ())
