"""The model a running server answers with: known only once its checkpoint is at hand."""

from __future__ import annotations

from dataclasses import dataclass

from huatuo_server.engine.base import Engine
from huatuo_server.model_card import ModelCard


@dataclass(frozen=True, slots=True)
class ServedModel:
    """An engine, and what the wire needs to know of the checkpoint inside it."""

    engine: Engine
    card: ModelCard
