"""What is known of an answer before its first token."""

from __future__ import annotations

from dataclasses import dataclass

from huatuo_server.protocol.chat_response import Usage
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class Heading:
    """request_id: the client's or ours. created: Unix time in seconds. system_fingerprint: of the model, its
    preparation and the software. prompt_tokens: images included. n: choices. max_tokens_clamped_to: None where it was
    not clamped. demo: what a demo checkpoint is; None for a real one. prompt_token_ids: None unless asked for.
    tokenizer: names the tokens of log-probabilities; None unless those were asked for.
    """

    request_id: str
    created: int
    model: str
    system_fingerprint: str
    prompt_tokens: int
    n: int = 1
    images: tuple[ImageProvenance, ...] = ()
    ignored_fields: tuple[str, ...] = ()
    max_tokens_clamped_to: int | None = None
    demo: str | None = None
    include_usage: bool = False
    prompt_token_ids: tuple[int, ...] | None = None
    tokenizer: Tokenizer | None = None

    @property
    def id(self) -> str:
        """Of a chat completion."""
        return f"chatcmpl-{self.request_id}"

    @property
    def return_token_ids(self) -> bool:
        """Whether the client asked for token ids."""
        return self.prompt_token_ids is not None

    def usage(self, completion_tokens: int, cached_tokens: int) -> Usage:
        """OpenAI's usage."""
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=completion_tokens,
            total_tokens=self.prompt_tokens + completion_tokens,
            prompt_tokens_details={"cached_tokens": cached_tokens},
        )
