"""The kinds of JSON that the API says: OpenAI's name for each, the SDK's type, and our own fields in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from openai.types import FileDeleted, FileObject, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.shared import ErrorObject
from pydantic import BaseModel, TypeAdapter


class Error(BaseModel):
    """What the SDK takes out of the body of a failure."""

    error: ErrorObject


class Models(BaseModel):
    """A page of models; the SDK's own class of pages needs a client to be made."""

    object: str
    data: list[Model]


class Files(BaseModel):
    """A page of files."""

    object: str
    data: list[FileObject]
    first_id: str
    last_id: str
    has_more: bool


OF_AN_ANSWER = frozenset({"images", "ignored_fields", "max_tokens_clamped_to", "demo"})
"""What docs/api.md has under "Beyond OpenAI's fields"; beside these the token ids, where they are asked for."""

OF_A_MODEL = frozenset(
    {
        "defaults",
        "demo",
        "digest",
        "eos_token_ids",
        "family",
        "image_side_pixels",
        "max_images_in_context",
        "max_images_per_request",
        "max_model_len",
        "preparation_version",
        "prompt_format",
        "system_fingerprint",
        "tokenizer_digest",
        "tokens_per_image",
        "versions",
        "vocab_size",
    }
)

OF_A_RESPONSE = OF_AN_ANSWER | {"system_fingerprint", "store"}
"""`store` is in OpenAI's own answers, but in neither its document nor its types."""


BYTES_OF_A_DELTA = frozenset({"logprobs.*.bytes", "logprobs.*.top_logprobs.*.bytes"})
"""OpenAI's types have a token's bytes in a whole response, but not in its events."""


@dataclass(frozen=True, slots=True)
class Kind:
    """schema: in OpenAI's document. sdk_type: in its package for Python. extensions: paths of our own fields, a list's
    items as `*`.
    """

    schema: str
    sdk_type: Any
    extensions: frozenset[str] = frozenset()

    def beyond_the_sdk(self, value: str) -> set[str]:
        """Paths of fields that the SDK's type does not have and we do not name. value: JSON.

        Raises pydantic.ValidationError where a value is of another type than the SDK's, in strict mode.
        """
        read = TypeAdapter(self.sdk_type).validate_json(value, strict=True)
        return set(_unknown(read, "")) - self.extensions

    def without_extensions(self, value: Any, path: str = "") -> Any:
        """The value less our own fields."""
        if isinstance(value, list):
            return [self.without_extensions(one, f"{path}*.") for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self.without_extensions(one, f"{path}{name}.")
            for name, one in value.items()
            if f"{path}{name}" not in self.extensions
        }


def _unknown(value: Any, path: str) -> Iterator[str]:
    """Paths of the fields that no class of the SDK has."""
    if isinstance(value, BaseModel):
        yield from (f"{path}{name}" for name in value.model_extra or {})
        for name in type(value).model_fields:
            alias = type(value).model_fields[name].alias or name
            yield from _unknown(getattr(value, name), f"{path}{alias}.")
    elif isinstance(value, list):
        for one in value:
            yield from _unknown(one, f"{path}*.")


def _under(path: str, names: frozenset[str]) -> frozenset[str]:
    return frozenset(f"{path}.{name}" for name in names)


KINDS = {
    "completion": Kind(
        "CreateChatCompletionResponse", ChatCompletion, OF_AN_ANSWER | {"prompt_token_ids", "choices.*.token_ids"}
    ),
    "chunk": Kind(
        "CreateChatCompletionStreamResponse",
        ChatCompletionChunk,
        OF_AN_ANSWER | {"prompt_token_ids", "choices.*.token_ids"},
    ),
    "error": Kind("ErrorResponse", Error),
    "model": Kind("Model", Model, OF_A_MODEL),
    "models": Kind("ListModelsResponse", Models, _under("data.*", OF_A_MODEL)),
    "file": Kind("OpenAIFile", FileObject),
    "files": Kind("ListFilesResponse", Files),
    "deleted file": Kind("DeleteFileResponse", FileDeleted),
    "response": Kind("Response", Response, OF_A_RESPONSE),
    "event": Kind("ResponseStreamEvent", ResponseStreamEvent, _under("response", OF_A_RESPONSE) | BYTES_OF_A_DELTA),
}
