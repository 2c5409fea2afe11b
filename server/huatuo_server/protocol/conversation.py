"""The `messages` of a request -> what was said, with the images that came with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeVar

from pydantic import BaseModel, ValidationError

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import MessageShape, Role
from huatuo_server.protocol.content_part import content_part
from huatuo_server.protocol.image_source import ImageRequest
from huatuo_server.protocol.json_body import parse_json
from huatuo_server.protocol.payloads import Payloads
from huatuo_server.protocol.unsupported import MESSAGE_FIELDS, refuse
from huatuo_server.protocol.validation import invalid_request


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message. text: its text parts, joined by a newline. images: in their order; only a user's have any."""

    role: Role
    text: str
    images: tuple[ImageRequest, ...] = ()


Shape = TypeVar("Shape", bound=BaseModel)


class Conversing(Protocol):
    """A request that holds a conversation."""

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """The oldest first."""
        ...

    def with_messages(self, messages: tuple[ChatMessage, ...]) -> Self:
        """The same request about another conversation."""
        ...


@dataclass(frozen=True, slots=True)
class Conversation:
    """What every request with `messages` holds, the oldest first."""

    model: str
    messages: tuple[ChatMessage, ...]

    def with_messages(self, messages: tuple[ChatMessage, ...]) -> Self:
        """The same request about another conversation."""
        return replace(self, messages=messages)


Request = TypeVar("Request", bound=Conversing)


def parse_conversing(
    body: bytes | bytearray, shape: type[Shape], request_of: Callable[[Shape], Request], *, max_images: int
) -> Request:
    """The request in a body, whose payloads are never parsed nor copied where they stand for images.

    Raises InvalidRequest, whose `param` is the JSON path of the field and whose message never holds its value.
    """
    payloads = Payloads()
    request = request_of(_validated(payloads.set_aside(body), shape))
    request = request.with_messages(tuple(_whole(message, payloads) for message in request.messages))
    if payloads.left_over:
        request = request_of(_validated(body, shape))
    _check_images(request.messages, max_images)
    return request


def _validated(body: bytes | bytearray, shape: type[Shape]) -> Shape:
    try:
        return shape.model_validate(parse_json(body))
    except ValidationError as error:
        raise invalid_request(error) from None


def chat_messages(shapes: Sequence[MessageShape]) -> tuple[ChatMessage, ...]:
    """The messages of a chat request; the last one is the user's. Raises InvalidRequest."""
    messages = tuple(_message(index, shape) for index, shape in enumerate(shapes))
    last = len(messages) - 1
    if messages[last].role != "user":
        raise InvalidRequest("The last message must be the user's.", param=f"messages.{last}.role")
    return messages


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


def _check_images(messages: tuple[ChatMessage, ...], max_images: int) -> None:
    images = [image for message in messages for image in message.images]
    if len(images) > max_images:
        raise InvalidRequest(
            f"The request holds {len(images)} images; at most {max_images} are read (--max-images-per-request).",
            param=images[max_images].param,
        )
