"""An image as the server shows it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from huatuo_client.provenance import ImageProvenance


@dataclass(frozen=True, slots=True)
class Rendering:
    """png: the file's bytes."""

    png: bytes
    provenance: ImageProvenance

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Self:
        """Of the answer of `POST /v1/images/render`."""
        payload = told["image"].partition(",")[2]
        return cls(base64.b64decode(payload), ImageProvenance.of_json(told["provenance"]))
