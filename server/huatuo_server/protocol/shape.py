"""What the shapes of all requests' bodies have in common.

Types are strict ("1" is not 1), null is the same as absent, and unknown fields are kept aside in `model_extra`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Discriminator


class Shape(BaseModel):
    """An object of a request. Its errors never hold what was sent."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, hide_input_in_errors=True)


def string_or_list(of: str) -> Discriminator:
    """Between a text, whose tag is `<string>`, and a list of what `of` says, whose tag is `<list>`."""
    return Discriminator(
        _tag, custom_error_type="string_or_list", custom_error_message=f"Input should be a string or a list of {of}"
    )


def _tag(value: Any) -> str | None:
    if isinstance(value, str):
        return "<string>"
    return "<list>" if isinstance(value, list) else None
