"""The events of a Responses stream, as OpenAI types them. Each is one `event:` line, its type, and one `data:` line."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from huatuo_server.protocol.responses_object import OutputLogprobs, OutputMessage, OutputText, ResponseObject

Lifecycle = Literal["response.created", "response.in_progress", "response.completed", "response.incomplete"]
ItemEvent = Literal["response.output_item.added", "response.output_item.done"]
PartEvent = Literal["response.content_part.added", "response.content_part.done"]


class Event(TypedDict):
    """sequence_number: counted from 0."""

    sequence_number: int


class LifecycleEvent(Event):
    """The response as it stands: it began, goes on, has come to its end or to its ceiling."""

    type: Lifecycle
    response: ResponseObject


class OutputItemEvent(Event):
    """The message, at first without its text, and whole."""

    type: ItemEvent
    output_index: int
    item: OutputMessage


class _InItem(Event):
    item_id: str
    output_index: int
    content_index: int


class ContentPartEvent(_InItem):
    """The text's part of the message, at first empty, and whole."""

    type: PartEvent
    part: OutputText


class TextDeltaEvent(_InItem):
    """What is added to the text."""

    type: Literal["response.output_text.delta"]
    delta: str
    logprobs: OutputLogprobs


class TextDoneEvent(_InItem):
    """The text, whole."""

    type: Literal["response.output_text.done"]
    text: str
    logprobs: OutputLogprobs


class ErrorEvent(Event):
    """What ended a stream that had begun; nothing comes after it."""

    type: Literal["error"]
    code: str
    message: str
    param: str | None


ResponseEvent = LifecycleEvent | OutputItemEvent | ContentPartEvent | TextDeltaEvent | TextDoneEvent | ErrorEvent
