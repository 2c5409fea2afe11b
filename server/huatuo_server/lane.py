"""The three classes of keys; `lane` in code, where `class` is a word of the language."""

from __future__ import annotations

from typing import Literal, get_args

Lane = Literal["stat", "routine", "batch"]

LANES: tuple[Lane, ...] = get_args(Lane)
"""In order of precedence."""
