"""The model a running server answers with: known only once its checkpoint is at hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from huatuo_server import __version__
from huatuo_server.engine.base import Engine
from huatuo_server.images.identity import PREPARATION_VERSION
from huatuo_server.model_card import ModelCard


@dataclass(frozen=True, slots=True)
class ServedModel:
    """An engine, and what the wire needs to know of the checkpoint inside it."""

    engine: Engine
    card: ModelCard

    @property
    def versions(self) -> Mapping[str, str]:
        """Of the software that answers, by name. The scripted twin has no vLLM. Known once the engine has started."""
        vllm = self.engine.facts.details.get("vllm")
        return {"huatuo_server": __version__} | ({"vllm": str(vllm)} if vllm is not None else {})

    @property
    def fingerprint(self) -> str:
        """Of all that an answer depends on beside the request: weights, preparation, software, dtype.

        `fp_` and 16 hexadecimal digits. Known once the engine has started.
        """
        versions = [f"{name}={version}" for name, version in sorted(self.versions.items())]
        dtype = self.engine.facts.details.get("dtype")
        said = "\n".join([self.card.digest, f"preparation={PREPARATION_VERSION}", *versions, f"dtype={dtype}"])
        return f"fp_{hashlib.sha256(said.encode()).hexdigest()[:16]}"
