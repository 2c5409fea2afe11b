"""What a demo checkpoint is, in the one sentence that every surface says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK = "huatuo_demo"
"""The field of config.json that only a demo checkpoint has: an object, with `trained` true or false."""

TRAINED = (
    "a tiny demonstration model, trained on drawn shapes and a few sample pictures; "
    "it is not HuatuoGPT-Vision, and its answers about any other picture mean nothing"
)

UNTRAINED = "a tiny demonstration model; its weights are untrained and its answers mean nothing"


def label(config: Mapping[str, Any]) -> str | None:
    """The sentence for the checkpoint of this config.json; None where that is no demo checkpoint's."""
    mark = config.get(MARK)
    if mark is None:
        return None
    trained = isinstance(mark, Mapping) and mark.get("trained") is True
    return TRAINED if trained else UNTRAINED
