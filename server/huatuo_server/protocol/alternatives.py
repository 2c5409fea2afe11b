"""Schemas of a `oneOf`: whether a value can fit at most one of them, as far as that is plain to see."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any


def exclude_each_other(schemas: Sequence[Any]) -> bool:
    """Whether they differ in their listed values, in type, or in the listed values of a property that all require.

    The last is what pydantic writes for a union with a discriminator. schemas: where references lead to.
    """
    return _apart(map(_values, schemas)) or _apart(map(types_of, schemas)) or _apart_by_property(schemas)


def types_of(schema: Any) -> frozenset[str]:
    """Of the values that it allows; empty where it says nothing of them. Whole numbers are numbers."""
    named = schema.get("type", ()) if isinstance(schema, dict) else ()
    return frozenset("number" if one == "integer" else one for one in ([named] if isinstance(named, str) else named))


def _apart(sets: Iterable[frozenset[str]]) -> bool:
    """Whether all say something, and no two the same."""
    seen: set[str] = set()
    for one in sets:
        if not one or seen & one:
            return False
        seen |= one
    return True


def _values(schema: Any) -> frozenset[str]:
    """The JSON of all that it allows, where it lists them."""
    if not isinstance(schema, dict):
        return frozenset()
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return frozenset(json.dumps(value, sort_keys=True) for value in values)


def _apart_by_property(options: Sequence[Any]) -> bool:
    """Whether they are objects with a property that all require, and that has other values in each."""
    if not all(types_of(option) == {"object"} for option in options):
        return False
    names = frozenset.intersection(*(frozenset(option.get("required", ())) for option in options))
    return any(_apart(_values(option.get("properties", {}).get(name)) for option in options) for name in names)
