"""What goes out for `POST /v1/responses`: OpenAI's response object, with our extensions at its top level.

Extensions: `system_fingerprint` and, once the answer has ended, `images`, `ignored_fields`, `max_tokens_clamped_to` and
`demo`, as in a chat completion.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import GetPydanticSchema
from typing_extensions import TypedDict

from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.written_list import WrittenList

Status = Literal["in_progress", "completed", "incomplete"]


class InputTokensDetails(TypedDict):
    """cached_tokens: read from the prefix cache. cache_write_tokens: always 0; what is written costs nothing."""

    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(TypedDict):
    """reasoning_tokens: always 0."""

    reasoning_tokens: int


class ResponseUsage(TypedDict):
    """Tokens, counted as in a chat completion's usage."""

    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class OutputTopLogprob(TypedDict):
    """A token that might have stood there, with its natural-log probability. bytes: of its text, if it has one."""

    token: str
    logprob: float
    bytes: list[int]


class OutputLogprob(OutputTopLogprob):
    """A token of the answer. top_logprobs: the likeliest ones, best first, as many as were asked for."""

    top_logprobs: list[OutputTopLogprob]


OutputLogprobs = Annotated[
    list[OutputLogprob] | WrittenList, GetPydanticSchema(lambda _, schema: schema(list[OutputLogprob]))
]


class OutputText(TypedDict):
    """The answer's text. logprobs: empty unless asked for."""

    type: Literal["output_text"]
    text: str
    annotations: list[dict[str, Any]]
    logprobs: OutputLogprobs


class OutputMessage(TypedDict):
    """The one item of an output. content: empty until the text begins."""

    type: Literal["message"]
    id: str
    status: Status
    role: Literal["assistant"]
    content: list[OutputText]


class IncompleteDetails(TypedDict):
    """Why an answer has no end of its own."""

    reason: Literal["max_output_tokens"]


class ResponseText(TypedDict):
    """What the text was to be, as it was asked for."""

    format: dict[str, Any]


class Reasoning(TypedDict):
    """The model does none."""

    effort: None
    summary: None


class ResponseObject(TypedDict):
    """A response. temperature, top_p: that held, the model's own where the request is silent.

    usage: once the answer has ended. completed_at: only of a completed one.
    """

    id: str
    object: Literal["response"]
    created_at: int
    completed_at: int | None
    status: Status
    background: Literal[False]
    error: None
    incomplete_details: IncompleteDetails | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: None
    metadata: dict[str, str]
    model: str
    output: list[OutputMessage]
    parallel_tool_calls: bool
    previous_response_id: None
    reasoning: Reasoning
    service_tier: Literal["default"]
    store: Literal[False]
    temperature: float
    text: ResponseText
    tool_choice: Literal["none", "auto"]
    tools: list[dict[str, Any]]
    top_logprobs: int
    top_p: float
    truncation: Literal["disabled"]
    usage: NotRequired[ResponseUsage]
    system_fingerprint: str
    images: NotRequired[list[ImageProvenance]]
    ignored_fields: NotRequired[list[str]]
    max_tokens_clamped_to: NotRequired[int]
    demo: NotRequired[str]
