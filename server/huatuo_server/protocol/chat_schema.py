"""The JSON of a chat request, as far as its shape goes; what its fields mean together is `chat_request`'s."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, Tag, WithJsonSchema

from huatuo_server.protocol.shape import Shape, string_or_list

MAX_STOP_STRINGS = 4
"""OpenAI's limit."""

MAX_STOP_CHARS = 1024
"""Of one stop string; text is searched for each of them after each token."""

MAX_LIST_ITEMS = 4096
"""Of messages, and of a message's parts; no context holds so many."""

INT64_MAX = 2**63 - 1
"""Seeds are 64-bit in the engine; a larger one has leaked requests in vLLM."""

INT32_MAX = 2**31 - 1

MAX_ANSWERS = 4
"""Of one request; each takes a sequence of the engine."""

MAX_TOP_LOGPROBS = 20
"""OpenAI's limit."""

MAX_PENALTY = 2
"""OpenAI's limit for frequency_penalty and presence_penalty, on either side of 0."""

MAX_BIAS = 100
"""OpenAI's limit, on either side of 0: it all but forbids a token, or leaves no other."""

MAX_BIASES = 1024
"""Token ids in a logit_bias; each is looked up in each step."""

MAX_STOP_TOKEN_IDS = 64
"""As with biases."""

MAX_STRUCTURED_CHOICES = 256
"""Texts of which a structured answer may be one."""

MAX_STRUCTURED_CHOICE_CHARS = 1024
"""Of one such text; no closed question has longer options."""

MAX_GREY = 1e12
"""No grey value is as large; beyond it a window's arithmetic would lose the values' own digits."""

MAX_PIXEL = 1_000_000
"""Of a region's edges; no picture is as wide."""

Finite = Annotated[float, Field(allow_inf_nan=False)]

Penalty = Annotated[Finite, Field(ge=-MAX_PENALTY, le=MAX_PENALTY)]

LOGIT_BIAS_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "maxProperties": MAX_BIASES,
    "propertyNames": {"pattern": "^(0|[1-9][0-9]*)$"},
    "additionalProperties": {"type": "number", "minimum": -MAX_BIAS, "maximum": MAX_BIAS},
}
"""What `chat_request` checks, in JSON Schema's words."""

Role = Literal["system", "developer", "user", "assistant"]


class WindowShape(Shape):
    """`{"center": 40, "width": 400}`, in the image's own values."""

    model_config = ConfigDict(extra="forbid")

    center: Annotated[Finite, Field(ge=-MAX_GREY, le=MAX_GREY)]
    width: Annotated[Finite, Field(gt=0, le=MAX_GREY)]


Pixel = Annotated[int, Field(ge=0, le=MAX_PIXEL)]


class ViewShape(Shape):
    """What to see of an image. An unknown field is refused: a misspelt window would show another image."""

    model_config = ConfigDict(extra="forbid")

    frame: Annotated[int, Field(ge=1, le=INT32_MAX)] | None = None
    window: WindowShape | None = None
    preset: Literal["soft-tissue", "lung", "liver", "bone", "brain"] | None = None
    region: Annotated[list[Pixel], Field(min_length=4, max_length=4)] | None = None


class ImageUrlShape(Shape):
    """`{"url": "data:image/png;base64,..."}` or `{"file_id": "file-..."}`, and perhaps a `view`."""

    url: str | None = None
    file_id: str | None = None
    view: ViewShape | None = None


class FileShape(Shape):
    """`{"file_data": "data:application/dicom;base64,..."}` or `{"file_id": "file-..."}`, and perhaps a `view`."""

    file_data: str | None = None
    file_id: str | None = None
    view: ViewShape | None = None


class PartShape(Shape):
    """A content part: `{"type": "text", "text"}`, or the same with `refusal`, `image_url` or `file`."""

    type: Literal["text", "refusal", "image_url", "file"]
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrlShape | None = None
    file: FileShape | None = None


Parts = Annotated[list[PartShape], Field(max_length=MAX_LIST_ITEMS, fail_fast=True)]
Content = Annotated[
    Annotated[str, Tag("<string>")] | Annotated[Parts, Tag("<list>")],
    string_or_list("content parts"),
]
StopString = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARS)]
Stop = Annotated[
    Annotated[StopString, Tag("<string>")]
    | Annotated[Annotated[list[StopString], Field(max_length=MAX_STOP_STRINGS)], Tag("<list>")],
    string_or_list("strings"),
]


class MessageShape(Shape):
    """One message of the conversation."""

    role: Role
    content: Content | None = None


class StreamOptionsShape(Shape):
    """`{"include_usage": true}` asks for a last chunk with the usage."""

    include_usage: bool | None = None


class JsonSchemaShape(Shape):
    """`{"name": "finding", "schema": {...}}`. An answer is held to the schema whether `strict` is said or not.

    Without a schema it is any JSON object: OpenAI's requires a name alone.
    """

    name: Annotated[str, Field(min_length=1, max_length=64, pattern="^[a-zA-Z0-9_-]+$")]
    strict: bool | None = None
    content: Annotated[dict[str, Any] | None, Field(alias="schema")] = None


class ResponseFormatShape(Shape):
    """`{"type": "text"}`, `{"type": "json_object"}` or `{"type": "json_schema", "json_schema": {...}}`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaShape | None = None


class StructuredOutputsShape(Shape):
    """vLLM's: `{"choice": ["yes", "no"]}` or `{"json": {...}}`, a schema as an object or as text."""

    choice: (
        Annotated[
            list[Annotated[str, Field(min_length=1, max_length=MAX_STRUCTURED_CHOICE_CHARS)]],
            Field(min_length=1, max_length=MAX_STRUCTURED_CHOICES),
        ]
        | None
    ) = None
    content: Annotated[Any, WithJsonSchema({"type": ["object", "string", "null"]}), Field(alias="json")] = None


class SamplingShape(Shape):
    """How an answer's tokens are chosen, and what ends it. An absent field takes the model's default."""

    temperature: Annotated[Finite, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Finite, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    min_p: Annotated[Finite, Field(ge=0, le=1)] | None = None
    # The penalty divides logits: far below 0.01 it makes infinities of them.
    repetition_penalty: Annotated[Finite, Field(ge=0.01, le=2)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    # Its names are the client's own text, which pydantic would put into an error's path.
    logit_bias: Annotated[Any, WithJsonSchema(LOGIT_BIAS_SCHEMA)] = None
    min_tokens: Annotated[int, Field(ge=0)] | None = None
    ignore_eos: bool | None = None
    stop: Stop | None = None
    stop_token_ids: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=MAX_STOP_TOKEN_IDS)] | None = None
    structured_outputs: StructuredOutputsShape | None = None
    seed: Annotated[int, Field(ge=-INT64_MAX - 1, le=INT64_MAX)] | None = None


class ChatRequestShape(SamplingShape):
    """The body of `POST /v1/chat/completions`."""

    model: str
    messages: Annotated[list[MessageShape], Field(min_length=1, max_length=MAX_LIST_ITEMS, fail_fast=True)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    response_format: ResponseFormatShape | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_TOP_LOGPROBS)] | None = None
    n: Annotated[int, Field(ge=1, le=MAX_ANSWERS)] | None = None
    stream: bool | None = None
    stream_options: StreamOptionsShape | None = None
    return_token_ids: bool | None = None
