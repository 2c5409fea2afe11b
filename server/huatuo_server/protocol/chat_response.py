"""What goes out: the shapes of OpenAI's chat completions, with our extensions at the top level.

Extensions: `images`, `ignored_fields`, `max_tokens_clamped_to`, `demo` (in a stream on the last chunk with a
finish_reason) and, where `return_token_ids` asked for them, `token_ids` and `prompt_token_ids`.
"""

from __future__ import annotations

from typing import Annotated, Literal, NotRequired

from pydantic import GetPydanticSchema
from typing_extensions import TypedDict

from huatuo_server.engine.base import FinishReason
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.written_list import WrittenList


class PromptTokensDetails(TypedDict):
    """cached_tokens: of the prompt, read from the prefix cache."""

    cached_tokens: int


class Usage(TypedDict):
    """Tokens; an image counts as the positions it takes (576 for CLIP-L/14-336), the end-of-sequence token as one."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails


class AssistantMessage(TypedDict):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: None


class TopLogprob(TypedDict):
    """One token that might have stood there. token: for people; U+FFFD stands for what is not UTF-8 by itself.

    logprob: natural logarithm, LEAST_LOGPROB at least. bytes: what the text is made of; null for a token without text.
    """

    token: str
    logprob: float
    bytes: list[int] | None


class ContentLogprob(TopLogprob):
    """The token that stands there, and the most probable ones, the best one first."""

    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(TypedDict):
    """One for each token of the text, but for the one that ended it."""

    content: Annotated[
        list[ContentLogprob] | WrittenList, GetPydanticSchema(lambda _, schema: schema(list[ContentLogprob]))
    ]
    refusal: None


class Choice(TypedDict):
    """One choice of a completion. logprobs: null unless asked for. token_ids: every generated id, the one that ended it
    too.
    """

    index: int
    message: AssistantMessage
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason
    token_ids: NotRequired[list[int]]


class ChatCompletion(TypedDict):
    """A whole answer.

    demo: what a demo checkpoint is, only in its answers. prompt_token_ids: one -200 for each image, as the reference
    writes it.
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage
    images: list[ImageProvenance]
    ignored_fields: list[str]
    max_tokens_clamped_to: NotRequired[int]
    demo: NotRequired[str]
    prompt_token_ids: NotRequired[list[int]]


class Delta(TypedDict, total=False):
    """What a chunk adds to the message."""

    role: Literal["assistant"]
    content: str


class ChunkChoice(TypedDict):
    """The one choice of a chunk; only a choice's last chunk has a finish_reason.

    logprobs: of the tokens whose text begins in the chunk; null where there are none.
    """

    index: int
    delta: Delta
    logprobs: ChoiceLogprobs | None
    finish_reason: FinishReason | None
    token_ids: NotRequired[list[int]]


class ChatCompletionChunk(TypedDict):
    """A piece of an answer. usage: on the one chunk after the last, whose choices are empty, where it was asked for."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChunkChoice]
    usage: NotRequired[Usage]
    prompt_token_ids: NotRequired[list[int]]
    images: NotRequired[list[ImageProvenance]]
    ignored_fields: NotRequired[list[str]]
    max_tokens_clamped_to: NotRequired[int]
    demo: NotRequired[str]
