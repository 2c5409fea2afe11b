"""What `GET /v1/models` answers: OpenAI's models, and what a client of ours wants to know before it asks."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class Defaults(TypedDict):
    """What a request gets that does not say otherwise: the reference's."""

    temperature: float
    top_p: float
    top_k: int
    repetition_penalty: float
    max_tokens: int
    min_tokens: int


class PromptFormat(TypedDict):
    """The words that stand around a conversation's own, which are in braces.

    image: once for each image of a round, before its text. system: once for each system message, before the first
    round's text. A round's text is stripped with all that stands before it, and each piece tokenised on its own.
    """

    round: str
    last_round: str
    image: str
    system: str


class ModelObject(TypedDict):
    """OpenAI's model, with what a client of ours wants to know.

    created: when this server was built up, Unix time in seconds. max_model_len: tokens of prompt and answer together.
    max_images_in_context: as many fit it beside the shortest question and answer; max_images_per_request: the server's
    own limit. image_side_pixels: of the square that the model sees. vocab_size: rows of the output head.
    eos_token_ids: any of them ends an answer. system_fingerprint: what answers carry. digest: of the checkpoint's
    files, its tokenizer's among them; tokenizer_digest: of the latter alone. preparation_version: another one prepares
    some image to other pixels. versions: of the software, by name.
    demo: only there for a demo checkpoint, and says what that is.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    family: str
    max_model_len: int
    max_images_per_request: int
    max_images_in_context: int
    tokens_per_image: int
    image_side_pixels: int
    vocab_size: int
    eos_token_ids: list[int]
    defaults: Defaults
    prompt_format: PromptFormat
    system_fingerprint: str
    digest: str
    tokenizer_digest: str
    preparation_version: int
    versions: dict[str, str]
    demo: NotRequired[str]


class ModelList(TypedDict):
    """OpenAI's list."""

    object: Literal["list"]
    data: list[ModelObject]
