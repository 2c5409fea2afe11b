"""A JSON file of a checkpoint, and its fields, each of the kind that it should be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from huatuo_server.errors import CheckpointError

_KINDS: Mapping[type, str] = {dict: "a JSON object", list: "a list", str: "a text", int: "a whole number"}

T = TypeVar("T", dict[str, Any], list[Any], str, int)


def read_object(path: Path, missing_ok: bool = False) -> dict[str, Any]:
    """The JSON object in `path`; empty if the file is missing and may be. Raises CheckpointError otherwise."""
    if missing_ok and not path.exists():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} does not hold a JSON object.")
    return value


def field(found: Mapping[str, Any], key: str, kind: type[T], place: object, default: T | None = None) -> T:
    """The value of `key`, or `default` where it is absent or null.

    place: what the error names before the key, such as the file. Raises CheckpointError for a value of another kind.
    """
    value = default if found.get(key) is None else found[key]
    return of_kind(value, kind, f"{place}: {key}")


def of_kind(value: object, kind: type[T], name: str) -> T:
    """`value`, which must be of `kind`. Raises CheckpointError that says `name` otherwise."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise CheckpointError(f"{name} is not {_KINDS[kind]}.")
    return value
