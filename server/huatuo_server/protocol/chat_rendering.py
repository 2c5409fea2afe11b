"""What `POST /v1/chat/render` answers: a chat request as the engine would get it."""

from __future__ import annotations

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from huatuo_server.protocol.provenance import ImageProvenance


class RoomFacts(TypedDict):
    """Tokens. max_model_len: of prompt and answer together. prompt: of it all, images included. images: theirs alone.
    answer: what is left for it.
    """

    max_model_len: int
    prompt: int
    images: int
    answer: int


class PromptPart(TypedDict):
    """A piece of the prompt that is made into tokens on its own, or an image; exactly one of the two is not null.

    image: which one of `images`, counted from 0. tokens: positions that it takes.
    """

    text: str | None
    image: int | None
    tokens: int


class StructuredOutputFacts(TypedDict):
    """What the answer would have to be; one of the two is null."""

    json_schema: Any
    choices: list[str] | None


class SamplingFacts(TypedDict):
    """How tokens would be chosen: the request's wishes, and the model's defaults where it is silent.

    seeds: one for each choice; null where the engine would draw its own. stop: looked for in the text.
    eos_token_ids: any of them ends an answer. logprobs: alternatives a token, null for none at all.
    """

    max_tokens: int
    min_tokens: int
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    frequency_penalty: float
    presence_penalty: float
    logit_bias: dict[str, float]
    n: int
    seeds: list[int] | None
    stop: list[str]
    stop_token_ids: list[int]
    eos_token_ids: list[int]
    ignore_eos: bool
    logprobs: int | None
    structured_output: StructuredOutputFacts | None


class ChatRendering(TypedDict):
    """All that the engine would get, and nothing that it would say.

    prompt_token_ids: one -200 for each image, as the reference writes it. prompt: as text, `<image>` where an image
    stands; a text may spell that as well, which prompt_parts tells apart. tokens_per_image: positions that one takes.
    """

    object: Literal["chat.rendering"]
    model: str
    system_fingerprint: str
    prompt_token_ids: list[int]
    prompt: str
    prompt_parts: list[PromptPart]
    tokens_per_image: int
    room: RoomFacts
    sampling: SamplingFacts
    stream: bool
    images: list[ImageProvenance]
    ignored_fields: list[str]
    max_tokens_clamped_to: NotRequired[int]
    demo: NotRequired[str]
