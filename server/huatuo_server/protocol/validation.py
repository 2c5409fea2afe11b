"""Pydantic's errors in our words: the field's path and what it must be, never what was sent."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from huatuo_server.errors import InvalidRequest


def json_path(location: Sequence[int | str]) -> str:
    """`messages.0.content.1.text`; pydantic puts the tags of unions into a location, ours are in angle brackets."""
    return ".".join(str(step) for step in location if not str(step).startswith("<"))


def invalid_request(error: ValidationError) -> InvalidRequest:
    """The first of pydantic's complaints."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    # The name of a field that nobody knows is the client's own text.
    location = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
    param = json_path(location) or None
    return InvalidRequest(f"{param or 'The body'} {_complaint(first['type'], first['msg'])}.", param=param)


def _complaint(kind: str, message: str) -> str:
    """`Input should be a valid string` -> `must be a valid string`."""
    if kind == "missing":
        return "is required"
    if kind == "extra_forbidden":
        return "holds a field that is not known"
    if kind in ("model_type", "dict_type"):
        return "must be an object"
    message = message.partition(" after validation")[0]
    for subject in ("Input", "List", "String"):
        if message.startswith(f"{subject} should "):
            return "must " + message.removeprefix(f"{subject} should ")
    return f"is wrong: {message}"
