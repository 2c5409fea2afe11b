"""The body of `POST /v1/tokenize` -> what to make into tokens, or a 400 that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field

from huatuo_server.errors import InvalidRequest
from huatuo_server.protocol.chat_schema import MAX_LIST_ITEMS, MessageShape
from huatuo_server.protocol.conversation import Conversation, chat_messages, parse_conversing
from huatuo_server.protocol.json_body import ignored, refuse_ignored
from huatuo_server.protocol.shape import Shape
from huatuo_server.protocol.unsupported import NEVER, refuse

TOKENIZE_FIELDS: Final[Mapping[str, tuple[Any, ...]]] = {
    # A prompt of these models always ends where the answer begins.
    "add_generation_prompt": (True,),
    "chat_template": NEVER,
    "chat_template_kwargs": ({},),
    "continue_final_message": (False,),
    "documents": ([],),
    "media_io_kwargs": ({},),
    "mm_processor_kwargs": ({},),
    "tools": ([],),
    "truncate_prompt_tokens": NEVER,
}
"""Field -> its harmless values, of those that would make other tokens."""


class TokenizeRequestShape(Shape):
    """A conversation as in chat, or a text on its own: `messages` or `prompt`.

    The fields are those of vLLM's `/tokenize`. A chat request will do as well: what has no effect on its prompt is
    ignored.
    """

    model: str
    messages: Annotated[list[MessageShape], Field(min_length=1, max_length=MAX_LIST_ITEMS, fail_fast=True)] | None = (
        None
    )
    prompt: str | None = None
    return_token_strs: bool | None = None


@dataclass(frozen=True, slots=True)
class TokenizeRequest(Conversation):
    """prompt: a text that is tokenised as it stands, without messages; None for a conversation.

    ignored_fields: JSON paths, sorted.
    """

    prompt: str | None = None
    return_token_strs: bool = False
    ignored_fields: tuple[str, ...] = ()


def parse_tokenize_request(body: bytes | bytearray, *, max_images: int, strict: bool = False) -> TokenizeRequest:
    """strict: refuse what would be ignored.

    Raises InvalidRequest, whose `param` is the JSON path of the field and whose message never holds its value.
    """
    request = parse_conversing(body, TokenizeRequestShape, _tokenize_request, max_images=max_images)
    refuse_ignored(request.ignored_fields, strict=strict)
    return request


def _tokenize_request(shape: TokenizeRequestShape) -> TokenizeRequest:
    refuse(shape.model_extra or {}, TOKENIZE_FIELDS)
    if (shape.messages is None) == (shape.prompt is None):
        raise InvalidRequest("Send either messages or prompt.", param="messages")
    return TokenizeRequest(
        model=shape.model,
        messages=() if shape.messages is None else chat_messages(shape.messages),
        prompt=shape.prompt,
        return_token_strs=bool(shape.return_token_strs),
        ignored_fields=ignored(shape),
    )
