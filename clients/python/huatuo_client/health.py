"""Whether a server takes new work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Health:
    """ready: whether a question would be taken now. status: ok, starting, draining or failed. phase: where a start
    stands. reason: for a person, None where there is nothing to say.
    """

    ready: bool
    status: str
    phase: str
    reason: str | None

    @classmethod
    def of_json(cls, told: Mapping[str, Any], *, ready: bool) -> Self:
        """Of `GET /health/ready`."""
        return cls(ready=ready, status=told["status"], phase=told["phase"], reason=told.get("reason"))
