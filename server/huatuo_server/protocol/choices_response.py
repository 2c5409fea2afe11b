"""What goes out for `POST /v1/chat/choices`: each option with its log-probability, and what is known of the request."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

from huatuo_server.protocol.chat_response import Usage
from huatuo_server.protocol.provenance import ImageProvenance


class ChoiceToken(TypedDict):
    """One token of an option, and its natural-log probability after the prompt and the option's tokens before it."""

    id: int
    logprob: float


class WeighedChoice(TypedDict):
    """One option. logprob_sum: of its tokens, raw; logprob_mean: the same a token.

    probability: the softmax of all options' sums; probability_mean: that of their means.
    """

    index: int
    text: str
    logprob_sum: float
    logprob_mean: float
    probability: float
    probability_mean: float
    tokens: list[ChoiceToken]


class ChatChoices(TypedDict):
    """choices: in the request's order. best: the index of the most probable one, the first of equals.

    note: what the probabilities are not. usage: completion_tokens are those of all options. demo: what a demo
    checkpoint is, only in its answers.
    """

    id: str
    object: Literal["chat.choices"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[WeighedChoice]
    best: int
    note: str
    usage: Usage
    images: list[ImageProvenance]
    ignored_fields: list[str]
    demo: NotRequired[str]
