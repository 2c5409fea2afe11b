"""The model that a server serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Model:
    """id: what requests call it. max_model_len: tokens of prompt and answer together. demo: what a demo checkpoint is,
    None for a released one. told: all that the server says of it.
    """

    id: str
    family: str
    max_model_len: int
    max_images_per_request: int
    max_images_in_context: int
    tokens_per_image: int
    demo: str | None
    told: Mapping[str, Any]

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """Of an entry of `GET /v1/models`."""
        return cls(
            id=told["id"],
            family=told["family"],
            max_model_len=told["max_model_len"],
            max_images_per_request=told["max_images_per_request"],
            max_images_in_context=told["max_images_in_context"],
            tokens_per_image=told["tokens_per_image"],
            demo=told.get("demo"),
            told=told,
        )
