"""What every fault of a request is told like, whatever the route."""

from __future__ import annotations

from huatuo_server.errors import InvalidRequest

CANARY = "canary-7c1f"
"""Sent in place of what a patient's text would be."""


def check_told(error: InvalidRequest, param: str | None) -> None:
    """A 400, the path of the field where there is one, a sentence, and never a word of what was sent or of pydantic."""
    assert (error.status, error.param) == (400, param)
    assert error.message.endswith(".")
    assert param is None or param in error.message or param.endswith("role")
    for stranger in (CANARY, "Shape", "pydantic", "dictionary"):
        assert stranger not in error.message
