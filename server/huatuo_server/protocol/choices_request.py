"""The body of `POST /v1/chat/choices` -> a conversation and the options to weigh, or a 400 that names the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import MAX_LIST_ITEMS, MessageShape
from huatuo_server.protocol.conversation import Conversation, chat_messages, parse_conversing
from huatuo_server.protocol.json_body import ignored, refuse_ignored
from huatuo_server.protocol.shape import Shape
from huatuo_server.protocol.unsupported import NEVER, REQUEST_FIELDS, refuse

MIN_CHOICES, MAX_CHOICES = 2, 26
"""As many as there are letters."""

MAX_CHOICE_CHARS = 1024
"""Of one; each of its tokens is a question to the engine."""

OTHER_ANSWERS: Final[Mapping[str, tuple[Any, ...]]] = {
    # The log-probabilities are the model's own.
    "logit_bias": ({},),
    "n": (1,),
    "response_format": ({"type": "text"},),
    "return_token_ids": (False,),
    "stream": (False,),
    "structured_outputs": NEVER,
    # A choice's tokens have theirs; what else could have stood there is not told.
    "top_logprobs": (0,),
}
"""Fields of a chat request that ask for another answer than this one -> their harmless values."""

Choice = Annotated[str, Field(min_length=1, max_length=MAX_CHOICE_CHARS)]


class ChoicesRequestShape(Shape):
    """`{"model", "messages", "choices": ["yes", "no"]}`. Fields that choose a chat's tokens change nothing here."""

    model: str
    messages: Annotated[list[MessageShape], Field(min_length=1, max_length=MAX_LIST_ITEMS, fail_fast=True)]
    choices: Annotated[list[Choice], Field(min_length=MIN_CHOICES, max_length=MAX_CHOICES, fail_fast=True)]


@dataclass(frozen=True, slots=True)
class ChoicesRequest(Conversation):
    """choices: no two are the same text. ignored_fields: JSON paths, sorted."""

    choices: tuple[str, ...]
    ignored_fields: tuple[str, ...] = ()


def parse_choices_request(body: bytes | bytearray, *, max_images: int, strict: bool = False) -> ChoicesRequest:
    """strict: refuse what would be ignored.

    Raises InvalidRequest, whose `param` is the JSON path of the field and whose message never holds its value.
    """
    request = parse_conversing(body, ChoicesRequestShape, _request, max_images=max_images)
    refuse_ignored(request.ignored_fields, strict=strict)
    return request


def _request(shape: ChoicesRequestShape) -> ChoicesRequest:
    refuse(shape.model_extra or {}, {**REQUEST_FIELDS, **OTHER_ANSWERS})
    _check_distinct(shape.choices)
    return ChoicesRequest(shape.model, chat_messages(shape.messages), tuple(shape.choices), ignored(shape))


def _check_distinct(choices: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for index, choice in enumerate(choices):
        if seen.setdefault(choice, index) != index:
            raise InvalidRequest(
                f"choices.{index} is the same as choices.{seen[choice]}: each choice stands once.",
                param=f"choices.{index}",
            )
