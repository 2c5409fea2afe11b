"""The JSON of a Responses request, as far as its shape goes; what its fields mean together is `responses_request`'s.

An answer's output items come back as the server gave them out. Their `id`, `status`, `annotations` and `logprobs`
change nothing, and yet are not named in `ignored_fields`, nor refused by a strict server: they stand in the shapes.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Discriminator, Field, Tag, WithJsonSchema

from huatuo_server.protocol.chat_schema import MAX_LIST_ITEMS, MAX_TOP_LOGPROBS, Role, SamplingShape, ViewShape
from huatuo_server.protocol.shape import Shape, string_or_list

MAX_METADATA = 16
MAX_METADATA_KEY_CHARS = 64
MAX_METADATA_CHARS = 512
"""OpenAI's limits; metadata comes back in the answer, in a stream three times."""

Includable = Literal[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
]


class InputPartShape(Shape):
    """A content part: `input_text`, `input_image` or `input_file`; of an answer given back, `output_text` or `refusal`.

    `{"type": "input_image", "image_url": "data:image/png;base64,..."}` or `{..., "file_id": "file-..."}`, and perhaps a
    `view` beside it. annotations, logprobs: such an answer's own; read past.
    """

    type: Literal["input_text", "input_image", "input_file", "output_text", "refusal"]
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    view: ViewShape | None = None
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


def _kind_of_item(value: Any) -> str:
    """A message needs no `type`."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind is None or kind == "message":
        return "<message>"
    return "<reasoning>" if kind == "reasoning" else "<other>"


InputParts = Annotated[list[InputPartShape], Field(max_length=MAX_LIST_ITEMS, fail_fast=True)]


class MessageItemShape(Shape):
    """A message, or an answer's output item given back. id, status: such an item's own; read past."""

    role: Role
    content: Annotated[
        Annotated[str, Tag("<string>")] | Annotated[InputParts, Tag("<list>")],
        string_or_list("content parts"),
    ]
    type: Literal["message"] | None = None
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class ReasoningItemShape(Shape):
    """What another model thought."""

    type: Literal["reasoning"]
    id: str | None = None
    status: str | None = None
    summary: list[Any] | None = None
    content: list[Any] | None = None
    encrypted_content: str | None = None


class OtherItemShape(Shape):
    """A tool's call, its output, a reference: nothing that the model can read."""

    type: str


ItemShape = MessageItemShape | ReasoningItemShape | OtherItemShape
Item = Annotated[
    Annotated[MessageItemShape, Tag("<message>")]
    | Annotated[ReasoningItemShape, Tag("<reasoning>")]
    | Annotated[OtherItemShape, Tag("<other>")],
    Discriminator(_kind_of_item),
]
Items = Annotated[list[Item], Field(min_length=1, max_length=MAX_LIST_ITEMS, fail_fast=True)]


class TextFormatShape(Shape):
    """`{"type": "text"}`, `{"type": "json_object"}` or `{"type": "json_schema", "name": "finding", "schema": {...}}`.

    An answer is held to the schema whether `strict` is said or not.
    """

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, Field(min_length=1, max_length=64, pattern="^[a-zA-Z0-9_-]+$")] | None = None
    strict: bool | None = None
    content: Annotated[dict[str, Any] | None, Field(alias="schema")] = None


class TextShape(Shape):
    """What the answer's text is to be."""

    format: TextFormatShape | None = None


METADATA_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "maxProperties": MAX_METADATA,
    "propertyNames": {"maxLength": MAX_METADATA_KEY_CHARS},
    "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_CHARS},
}
"""What `responses_request` checks, in JSON Schema's words."""


class ResponsesRequestShape(SamplingShape):
    """The body of `POST /v1/responses`. An absent sampling field takes the model's default."""

    model: str
    input: Annotated[
        Annotated[str, Tag("<string>")] | Annotated[Items, Tag("<list>")],
        string_or_list("items"),
    ]
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    text: TextShape | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    include: Annotated[list[Includable], Field(max_length=MAX_LIST_ITEMS, fail_fast=True)] | None = None
    # Its names are the client's own text, which pydantic would put into an error's path.
    metadata: Annotated[Any, WithJsonSchema(METADATA_SCHEMA)] = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
