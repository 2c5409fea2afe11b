"""A question about images, and the request that asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict

from huatuo_client.content_part import ContentPart, ImageSource, image_part
from huatuo_client.view import View


class Options(TypedDict, total=False):
    """What may be said beside a question and its images: the fields of Question of these names."""

    view: View | None
    history: Sequence[Mapping[str, Any]]
    json_schema: Mapping[str, Any] | None
    temperature: float | None
    top_p: float | None
    max_tokens: int | None
    seed: int | None
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One question. images are read when it is asked, not before.

    view: of every image that is no content part. history: the messages before it, as OpenAI has them. choices: the
    answers to choose from, for a closed question. json_schema: what the answer must be. extra: further fields of the
    request. None: the server's default.
    """

    text: str
    images: Sequence[ImageSource] = ()
    view: View | None = None
    history: Sequence[Mapping[str, Any]] = ()
    choices: Sequence[str] = ()
    json_schema: Mapping[str, Any] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def message(self) -> dict[str, Any]:
        """The user's message. Raises UnreadableImage."""
        if not self.images:
            return {"role": "user", "content": self.text}
        parts: list[ContentPart] = [self._part(one) for one in self.images]
        return {"role": "user", "content": [*parts, {"type": "text", "text": self.text}]}

    def _part(self, source: ImageSource) -> ContentPart:
        return image_part(source) if isinstance(source, Mapping) else image_part(source, self.view)

    def body(self, model: str) -> dict[str, Any]:
        """The whole request. Raises UnreadableImage."""
        return {"model": model, "messages": [*self.history, self.message()], **self.settings()}

    def settings(self) -> dict[str, Any]:
        """The request without its messages: what else the answer depends on."""
        if self.choices:
            return {"choices": list(self.choices), **self.extra}
        named = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "response_format": self._response_format(),
        }
        return {**{name: value for name, value in named.items() if value is not None}, **self.extra}

    def _response_format(self) -> dict[str, Any] | None:
        if self.json_schema is None:
            return None
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(self.json_schema)}}


def asked(question: str | Question, images: Sequence[ImageSource], options: Options) -> Question:
    """A question in words with its images and options, or one that has them."""
    if not isinstance(question, Question):
        return Question(question, images=images, **options)
    if images or options:
        raise TypeError("a Question has its images and options already")
    return question
