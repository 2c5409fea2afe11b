"""The body of `POST /v1/chat/completions` -> a validated request, or a 400 that names the field."""

from __future__ import annotations

from dataclasses import dataclass, replace

from huatuo_server.engine.base import StructuredOutput
from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.protocol.conversation import ChatMessage, chat_messages, parse_conversing
from huatuo_server.protocol.json_body import ignored, refuse_ignored
from huatuo_server.protocol.unsupported import REQUEST_FIELDS, refuse


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that makes sense. None: it is silent, and the model's default holds.

    top_k: 0 is off. logit_bias: token ids and what is added to their logits. stop: not empty strings.
    num_logprobs: alternatives a token, 0 for the chosen ones alone, None for none at all. n: answers.
    ignored_fields: JSON paths, sorted.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    max_tokens: int | None = None
    min_tokens: int | None = None
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    structured_output: StructuredOutput | None = None
    num_logprobs: int | None = None
    n: int = 1
    seed: int | None = None
    stream: bool = False
    include_usage: bool = False
    return_token_ids: bool = False
    ignored_fields: tuple[str, ...] = ()

    def with_messages(self, messages: tuple[ChatMessage, ...]) -> ChatRequest:
        """The same request about another conversation."""
        return replace(self, messages=messages)


def parse_chat_request(
    body: bytes | bytearray, *, max_images: int, vocab_size: int, strict: bool = False
) -> ChatRequest:
    """strict: refuse what would be ignored.

    Raises InvalidRequest, whose `param` is the JSON path of the field and whose message never holds its value.
    """
    request = parse_conversing(
        body, ChatRequestShape, lambda shape: chat_request(shape, vocab_size), max_images=max_images
    )
    refuse_ignored(request.ignored_fields, strict=strict)
    return request


def chat_request(shape: ChatRequestShape, vocab_size: int) -> ChatRequest:
    """What a body of the right shape asks for. Raises InvalidRequest."""
    refuse(shape.model_extra or {}, REQUEST_FIELDS)
    _check_ranges(shape, vocab_size)
    return ChatRequest(
        model=shape.model,
        messages=chat_messages(shape.messages),
        temperature=shape.temperature,
        top_p=shape.top_p,
        top_k=0 if shape.top_k == -1 else shape.top_k,
        repetition_penalty=shape.repetition_penalty,
        max_tokens=shape.max_tokens if shape.max_completion_tokens is None else shape.max_completion_tokens,
        min_tokens=shape.min_tokens,
        ignore_eos=bool(shape.ignore_eos),
        stop=(shape.stop,) if isinstance(shape.stop, str) else tuple(shape.stop or ()),
        seed=shape.seed,
        stream=bool(shape.stream),
        include_usage=bool(shape.stream and shape.stream_options and shape.stream_options.include_usage),
        return_token_ids=bool(shape.return_token_ids),
        ignored_fields=ignored(shape, _without_effect(shape)),
    )


def _check_ranges(shape: ChatRequestShape, vocab_size: int) -> None:
    """What no field's own type can say."""
    if shape.n not in (None, 1):
        raise InvalidRequest("n must be 1: a request gets one answer.", param="n")
    if shape.top_k is not None and shape.top_k > vocab_size:
        raise InvalidRequest(f"top_k must be at most {vocab_size}, the size of the vocabulary.", param="top_k")
    ceilings = {shape.max_tokens, shape.max_completion_tokens} - {None}
    if len(ceilings) > 1:
        raise InvalidRequest(
            "max_tokens and max_completion_tokens differ: send one of them.", param="max_completion_tokens"
        )
    if shape.min_tokens and any(one is not None and one < shape.min_tokens for one in ceilings):
        raise InvalidRequest("min_tokens must not exceed max_tokens.", param="min_tokens")


def _without_effect(shape: ChatRequestShape) -> set[str]:
    return {"stream_options"} if shape.stream_options is not None and not shape.stream else set()
