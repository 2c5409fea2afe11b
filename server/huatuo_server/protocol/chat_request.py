"""The body of `POST /v1/chat/completions` -> a validated request, or a 400 that names the field."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from huatuo_server.engine.base import StructuredOutput
from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import MAX_BIAS, MAX_BIASES, ChatRequestShape, SamplingShape
from huatuo_server.protocol.conversation import Conversation, chat_messages, parse_conversing
from huatuo_server.protocol.json_body import ignored, refuse_ignored
from huatuo_server.protocol.structured_output import structured_output
from huatuo_server.protocol.unsupported import REQUEST_FIELDS, STREAM_FIELDS, refuse

TOKEN_ID: Final = re.compile(r"0|[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class ChatRequest(Conversation):
    """A request that makes sense. None: it is silent, and the model's default holds.

    top_k: 0 is off. logit_bias: token ids and what is added to their logits. stop: not empty strings.
    num_logprobs: alternatives a token, 0 for the chosen ones alone, None for none at all. n: answers.
    ignored_fields: JSON paths, sorted.
    """

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
    if shape.stream_options is not None:
        refuse(shape.stream_options.model_extra or {}, STREAM_FIELDS, "stream_options.")
    _check_names(shape)
    request = ChatRequest(
        model=shape.model,
        messages=chat_messages(shape.messages),
        max_tokens=shape.max_tokens if shape.max_completion_tokens is None else shape.max_completion_tokens,
        structured_output=structured_output(shape.response_format, shape.structured_outputs),
        num_logprobs=(shape.top_logprobs or 0) if shape.logprobs else None,
        n=shape.n or 1,
        stream=bool(shape.stream),
        include_usage=bool(shape.stream and shape.stream_options and shape.stream_options.include_usage),
        return_token_ids=bool(shape.return_token_ids),
        ignored_fields=ignored(shape, _without_effect(shape)),
    )
    return with_sampling(request, shape, vocab_size)


def with_sampling(request: ChatRequest, shape: SamplingShape, vocab_size: int) -> ChatRequest:
    """The same request with its tokens chosen so. Raises InvalidRequest, also for what the two cannot be together."""
    _check_ranges(shape, vocab_size)
    request = replace(
        request,
        temperature=shape.temperature,
        top_p=shape.top_p,
        top_k=0 if shape.top_k == -1 else shape.top_k,
        min_p=shape.min_p,
        repetition_penalty=shape.repetition_penalty,
        frequency_penalty=shape.frequency_penalty,
        presence_penalty=shape.presence_penalty,
        logit_bias=_logit_bias(shape.logit_bias, vocab_size),
        min_tokens=shape.min_tokens,
        ignore_eos=bool(shape.ignore_eos),
        stop=(shape.stop,) if isinstance(shape.stop, str) else tuple(shape.stop or ()),
        stop_token_ids=tuple(shape.stop_token_ids or ()),
        seed=shape.seed,
    )
    _check_end(request)
    return request


def _check_names(shape: ChatRequestShape) -> None:
    """What has two names, or needs another field."""
    if shape.top_logprobs and not shape.logprobs:
        raise InvalidRequest("top_logprobs needs logprobs to be true.", param="top_logprobs")
    if len({shape.max_tokens, shape.max_completion_tokens} - {None}) > 1:
        raise InvalidRequest(
            "max_tokens and max_completion_tokens differ: send one of them.", param="max_completion_tokens"
        )


def _check_ranges(shape: SamplingShape, vocab_size: int) -> None:
    """What no field's own type can say."""
    if shape.top_k is not None and shape.top_k > vocab_size:
        raise InvalidRequest(f"top_k must be at most {vocab_size}, the size of the vocabulary.", param="top_k")
    for position, token_id in enumerate(shape.stop_token_ids or ()):
        if token_id >= vocab_size:
            param = f"stop_token_ids.{position}"
            raise InvalidRequest(f"{param} must be below {vocab_size}, the size of the vocabulary.", param=param)


def _check_end(request: ChatRequest) -> None:
    """Where a structured answer ends, no token is left to go on with."""
    if request.min_tokens and request.max_tokens is not None and request.max_tokens < request.min_tokens:
        raise InvalidRequest("min_tokens must not exceed the ceiling of tokens.", param="min_tokens")
    if request.structured_output is not None and request.ignore_eos:
        raise _endless("ignore_eos")
    if request.structured_output is not None and (request.min_tokens or 0) > 1:
        raise _endless("min_tokens")


def _endless(param: str) -> InvalidRequest:
    return InvalidRequest(f"{param} cannot be kept: a structured answer ends where its structure does.", param=param)


def _logit_bias(value: Any, vocab_size: int) -> tuple[tuple[int, float], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict) or len(value) > MAX_BIASES:
        raise _wrong_bias(f"must be an object of at most {MAX_BIASES} token ids and their biases")
    if not all(TOKEN_ID.fullmatch(name) and int(name) < vocab_size for name in value):
        raise _wrong_bias(f"must name token ids as texts, from 0 to {vocab_size - 1}, the last of the vocabulary")
    if not all(_is_number(bias) and -MAX_BIAS <= bias <= MAX_BIAS for bias in value.values()):
        raise _wrong_bias(f"must hold numbers from {-MAX_BIAS} to {MAX_BIAS}")
    return tuple((int(name), float(bias)) for name, bias in value.items())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _wrong_bias(why: str) -> InvalidRequest:
    return InvalidRequest(f"logit_bias {why}.", param="logit_bias")


def _without_effect(shape: ChatRequestShape) -> set[str]:
    """Fields that are honoured, and that mean nothing in this request."""
    unused = {
        "stream_options": shape.stream_options is not None and not shape.stream,
        "top_logprobs": shape.top_logprobs is not None and not shape.logprobs,
    }
    return {name for name, is_unused in unused.items() if is_unused}
