"""The body of `POST /v1/responses` -> a validated request, or a 400 that names the field.

What it asks of the model it asks as a chat request does; around that stands what the response has to say again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from huatuo_server.engine.base import StructuredOutput
from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_request import ChatRequest, with_sampling
from huatuo_server.protocol.conversation import ChatMessage, parse_conversing
from huatuo_server.protocol.json_body import ignored, refuse_ignored
from huatuo_server.protocol.responses_items import input_messages
from huatuo_server.protocol.responses_schema import (
    MAX_METADATA,
    MAX_METADATA_CHARS,
    MAX_METADATA_KEY_CHARS,
    ReasoningItemShape,
    ResponsesRequestShape,
)
from huatuo_server.protocol.responses_text import text_format
from huatuo_server.protocol.responses_unsupported import RESPONSES_FIELDS, refuse_with_reason
from huatuo_server.protocol.unsupported import refuse

LOGPROBS: Final = "message.output_text.logprobs"
"""What `include` must name for log-probabilities."""

ToolChoice = Literal["none", "auto"]


@dataclass(frozen=True, slots=True)
class ResponsesRequest:
    """asked: of the model, its first message the instructions. The rest is what a response repeats.

    text_format: as the response repeats it. top_logprobs: 0 unless asked for.
    """

    asked: ChatRequest
    instructions: str | None
    text_format: dict[str, Any]
    top_logprobs: int
    metadata: dict[str, str]
    parallel_tool_calls: bool
    tool_choice: ToolChoice

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """The oldest first."""
        return self.asked.messages

    def with_messages(self, messages: tuple[ChatMessage, ...]) -> ResponsesRequest:
        """The same request about another conversation."""
        return replace(self, asked=self.asked.with_messages(messages))


def parse_responses_request(
    body: bytes | bytearray, *, max_images: int, vocab_size: int, strict: bool = False
) -> ResponsesRequest:
    """strict: refuse what would be ignored.

    Raises InvalidRequest, whose `param` is the JSON path of the field and whose message never holds its value.
    """
    request = parse_conversing(
        body, ResponsesRequestShape, lambda shape: _request(shape, vocab_size), max_images=max_images
    )
    refuse_ignored(request.asked.ignored_fields, strict=strict)
    return request


def _request(shape: ResponsesRequestShape, vocab_size: int) -> ResponsesRequest:
    extra = shape.model_extra or {}
    refuse_with_reason(extra)
    refuse(extra, RESPONSES_FIELDS)
    structured_output, repeated = text_format(shape.text, shape.structured_outputs)
    return ResponsesRequest(
        asked=_asked(shape, vocab_size, structured_output),
        instructions=shape.instructions,
        text_format=repeated,
        top_logprobs=shape.top_logprobs or 0,
        metadata=_metadata(shape.metadata),
        parallel_tool_calls=shape.parallel_tool_calls is not False,
        tool_choice=extra.get("tool_choice") or "auto",
    )


def _asked(shape: ResponsesRequestShape, vocab_size: int, structured_output: StructuredOutput | None) -> ChatRequest:
    """What a chat request would have to say for the same answer."""
    asked = ChatRequest(
        model=shape.model,
        messages=input_messages(shape.instructions, shape.input),
        max_tokens=shape.max_output_tokens,
        structured_output=structured_output,
        num_logprobs=_num_logprobs(shape),
        stream=bool(shape.stream),
        ignored_fields=ignored(shape, _without_effect(shape)),
    )
    return with_sampling(asked, shape, vocab_size)


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, dict) and len(value) <= MAX_METADATA and all(map(_is_metadata, value.items())):
        return value
    raise InvalidRequest(
        f"metadata must be an object of at most {MAX_METADATA} texts of at most {MAX_METADATA_CHARS} characters, "
        f"under names of at most {MAX_METADATA_KEY_CHARS}.",
        param="metadata",
    )


def _is_metadata(pair: tuple[str, Any]) -> bool:
    name, text = pair
    return len(name) <= MAX_METADATA_KEY_CHARS and isinstance(text, str) and len(text) <= MAX_METADATA_CHARS


def _num_logprobs(shape: ResponsesRequestShape) -> int | None:
    if LOGPROBS in (shape.include or ()):
        return shape.top_logprobs or 0
    if shape.top_logprobs:
        raise InvalidRequest(f'top_logprobs needs include: ["{LOGPROBS}"].', param="top_logprobs")
    return None


def _without_effect(shape: ResponsesRequestShape) -> set[str]:
    """Paths of fields that are known and change nothing: what is included of tools, and what the response repeats."""
    repeated = ("metadata", "parallel_tool_calls", *(() if LOGPROBS in (shape.include or ()) else ("top_logprobs",)))
    paths = {name for name in repeated if getattr(shape, name) is not None}
    paths |= {f"include.{index}" for index, one in enumerate(shape.include or ()) if one != LOGPROBS}
    if not isinstance(shape.input, str):
        paths |= {f"input.{index}" for index, one in enumerate(shape.input) if isinstance(one, ReasoningItemShape)}
    return paths
