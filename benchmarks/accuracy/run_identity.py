"""What a run asked, and whom: the facts of `run.json` by name, to be shown and to be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NOT_SENT = "not sent"
NOT_TOLD = "not told"

_OF_NO_RUN = ("object", "created", "permission", "parent")
"""Fields of OpenAI's model cards that say nothing of the model."""


def identity(about: Mapping[str, Any]) -> dict[str, str]:
    """about: what `run.json` says. The model's card is whole: whatever the server tells of itself is there."""
    data = about["data"]
    return {
        "model": str(about["model"]),
        "address": str(about["base_url"]),
        **{f"server: {name}": value for name, value in _flat(about["server"]) if name not in _OF_NO_RUN},
        **{f"setting: {name}": value for name, value in settings(about).items()},
        "questions at a time": str(about["concurrency"]),
        "data: reader": str(data["reader"]),
        "data: path": str(data["path"]),
        "data: SHA-256": str(data["sha256"]),
    }


def settings(about: Mapping[str, Any]) -> dict[str, str]:
    """By name; None was not sent."""
    return {name: NOT_SENT if value is None else str(value) for name, value in about["settings"].items()}


def differing(first: Mapping[str, str], second: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each fact that two runs do not share: its name, the first run's and the second's."""
    names = dict.fromkeys([*first, *second])
    pairs = ((name, first.get(name, NOT_TOLD), second.get(name, NOT_TOLD)) for name in names)
    return [(name, one, other) for name, one, other in pairs if one != other]


def asked(about: Mapping[str, Any]) -> str:
    """From when to when."""
    sessions = about["sessions"]
    if not sessions:
        return "never"
    last = sessions[-1]["ended"] or f"{sessions[-1]['started']}, without an end on record"
    return f"{sessions[0]['started']} to {last}"


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", NOT_TOLD if value is None else str(value)
