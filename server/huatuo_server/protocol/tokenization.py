"""What `POST /v1/tokenize` answers: vLLM's fields of the same route, and what images make of them."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict


class Tokenization(TypedDict):
    """What a conversation or a text is to the model.

    tokens: token ids, one -200 for each image, as the reference writes it. count: positions that they take in the
    context: an image takes tokens_per_image of them. max_model_len: positions that there are, for prompt and answer
    together. prompt: the text that was made into tokens, `<image>` where an image stands. token_strs: one for each of
    the tokens, only where asked for.
    """

    tokens: list[int]
    count: int
    max_model_len: int
    num_images: int
    tokens_per_image: int
    prompt: str
    ignored_fields: list[str]
    token_strs: NotRequired[list[str]]
