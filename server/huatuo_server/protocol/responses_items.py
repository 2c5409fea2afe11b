"""The `input` of a Responses request -> what was said, with the images that came with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.conversation import ChatMessage
from huatuo_server.protocol.image_source import ImageRequest
from huatuo_server.protocol.responses_part import response_part
from huatuo_server.protocol.responses_schema import ItemShape, MessageItemShape, OtherItemShape, ReasoningItemShape
from huatuo_server.protocol.responses_unsupported import ITEM_FIELDS
from huatuo_server.protocol.unsupported import refuse


def input_messages(instructions: str | None, spoken: str | Sequence[ItemShape]) -> tuple[ChatMessage, ...]:
    """The conversation, its instructions first. Raises InvalidRequest."""
    head = (ChatMessage("system", instructions),) if instructions else ()
    if isinstance(spoken, str):
        return (*head, ChatMessage("user", spoken))
    said = {index: message for index, item in enumerate(spoken) if (message := _message(index, item)) is not None}
    _check_order(said)
    return (*head, *said.values())


def _check_order(said: Mapping[int, ChatMessage]) -> None:
    """said: an item's index -> its message."""
    if not said:
        raise InvalidRequest("input must hold a message.", param="input")
    first = next((index for index, message in said.items() if message.role in ("user", "assistant")), None)
    if first is not None and said[first].role == "assistant":
        raise InvalidRequest(
            "The conversation must begin with a user message; only system and developer messages may precede it.",
            param=f"input.{first}.role",
        )
    last = max(said)
    if said[last].role != "user":
        raise InvalidRequest("The last message must be the user's.", param=f"input.{last}.role")


def _message(index: int, item: ItemShape) -> ChatMessage | None:
    """None for an item in which nothing is said."""
    prefix = f"input.{index}."
    if not isinstance(item, MessageItemShape):
        _refuse_what_it_holds(item, prefix)
        return None
    refuse(item.model_extra or {}, ITEM_FIELDS, prefix)
    if isinstance(item.content, str):
        return ChatMessage(item.role, item.content)
    if not item.content and item.role != "assistant":
        raise InvalidRequest(f"{prefix}content is required.", param=f"{prefix}content")
    parts = [response_part(part, item.role, f"{prefix}content.{number}.") for number, part in enumerate(item.content)]
    text = "\n".join(part for part in parts if isinstance(part, str))
    return ChatMessage(item.role, text, tuple(part for part in parts if isinstance(part, ImageRequest)))


def _refuse_what_it_holds(item: ReasoningItemShape | OtherItemShape, prefix: str) -> None:
    """Raises InvalidRequest but for reasoning that holds nothing."""
    if isinstance(item, OtherItemShape):
        way_out = "send the item that it refers to" if item.type == "item_reference" else "leave it out"
    elif item.summary or item.content or item.encrypted_content:
        way_out = "leave it out"
    else:
        return
    raise InvalidRequest(f"{prefix}type: of items, the model reads messages alone: {way_out}.", param=f"{prefix}type")
