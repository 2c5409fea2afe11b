"""The little that the wire needs to know of the model it serves."""

from __future__ import annotations

from dataclasses import dataclass

from huatuo_server.families import Family
from huatuo_server.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a checkpoint says of itself.

    eos_token_ids: any of them ends an answer. tokens_per_image: prompt positions one image takes.
    vocab_size: rows of the output head. digest: of the checkpoint's files, `digest.digest`; tokenizer_digest: of those
    that make text into tokens. demo: as
    `Checkpoint.demo`; clients are told it.
    """

    family: Family
    tokenizer: Tokenizer
    eos_token_ids: tuple[int, ...]
    tokens_per_image: int
    vocab_size: int
    digest: str
    tokenizer_digest: str
    demo: str | None = None
