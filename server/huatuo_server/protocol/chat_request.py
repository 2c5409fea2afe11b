"""The body of `POST /v1/chat/completions` -> a validated request, or a 400 that names the field."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic import ValidationError

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import ChatRequestShape, MessageShape, Role
from huatuo_server.protocol.content_part import content_part
from huatuo_server.protocol.image_source import ImageRequest
from huatuo_server.protocol.json_body import ignored, parse_json
from huatuo_server.protocol.payloads import Payloads
from huatuo_server.protocol.unsupported import MESSAGE_FIELDS, REQUEST_FIELDS, refuse
from huatuo_server.protocol.validation import invalid_request


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. text: its text parts, joined by a newline. images: in their order; only a user's have any."""

    role: Role
    text: str
    images: tuple[ImageRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that makes sense. None: it is silent, and the model's default holds.

    top_k: 0 is off. stop: not empty strings. ignored_fields: JSON paths, sorted.
    """

    model: str
    messages: tuple[ChatMessage, ...]
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    max_tokens: int | None = None
    min_tokens: int | None = None
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    seed: int | None = None
    stream: bool = False
    include_usage: bool = False
    return_token_ids: bool = False
    ignored_fields: tuple[str, ...] = ()


def parse_chat_request(body: bytes | bytearray, *, max_images: int, vocab_size: int) -> ChatRequest:
    """Raises InvalidRequest, whose `param` is the JSON path of the field and whose message never holds its value."""
    payloads = Payloads()
    request = _request(_shape(payloads.set_aside(body)), vocab_size)
    request = replace(request, messages=tuple(_whole(message, payloads) for message in request.messages))
    if payloads.left_over:
        request = _request(_shape(body), vocab_size)
    _check_conversation(request.messages, max_images)
    return request


def _request(shape: ChatRequestShape, vocab_size: int) -> ChatRequest:
    refuse(shape.model_extra or {}, REQUEST_FIELDS)
    _check_ranges(shape, vocab_size)
    return ChatRequest(
        model=shape.model,
        messages=tuple(_message(index, message) for index, message in enumerate(shape.messages)),
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


def _shape(body: bytes | bytearray) -> ChatRequestShape:
    try:
        return ChatRequestShape.model_validate(parse_json(body))
    except ValidationError as error:
        raise invalid_request(error) from None


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


def _message(index: int, shape: MessageShape) -> ChatMessage:
    prefix = f"messages.{index}."
    refuse(shape.model_extra or {}, MESSAGE_FIELDS, prefix)
    if shape.role == "assistant" and not shape.content:
        return ChatMessage("assistant", "")
    if shape.content is None or shape.content == []:
        raise InvalidRequest(f"{prefix}content is required.", param=f"{prefix}content")
    if isinstance(shape.content, str):
        return ChatMessage(shape.role, shape.content)
    parts = [content_part(part, shape.role, f"{prefix}content.{number}.") for number, part in enumerate(shape.content)]
    text = "\n".join(part for part in parts if isinstance(part, str))
    return ChatMessage(shape.role, text, tuple(part for part in parts if isinstance(part, ImageRequest)))


def _whole(message: ChatMessage, payloads: Payloads) -> ChatMessage:
    return replace(message, images=tuple(payloads.put_back(image) for image in message.images))


def _check_conversation(messages: tuple[ChatMessage, ...], max_images: int) -> None:
    last = len(messages) - 1
    if messages[last].role != "user":
        raise InvalidRequest("The last message must be the user's.", param=f"messages.{last}.role")
    images = [image for message in messages for image in message.images]
    if len(images) > max_images:
        raise InvalidRequest(
            f"The request holds {len(images)} images; at most {max_images} are read (--max-images-per-request).",
            param=images[max_images].param,
        )


def _without_effect(shape: ChatRequestShape) -> set[str]:
    return {"stream_options"} if shape.stream_options is not None and not shape.stream else set()
