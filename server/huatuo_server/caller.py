"""Who asks: what a key says of its holder, without the key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from huatuo_server.lane import Lane

Scope = Literal["chat", "metrics", "admin"]

SCOPES: frozenset[Scope] = frozenset(get_args(Scope))


@dataclass(frozen=True, slots=True)
class Caller:
    """tenant: what it owns and shares belongs to this name. key_id: None where nobody is asked for a key."""

    tenant: str
    lane: Lane
    scopes: frozenset[Scope]
    key_id: str | None = None

    def may(self, scope: Scope) -> bool:
        """`admin` may everything."""
        return scope in self.scopes or "admin" in self.scopes


ANONYMOUS = Caller("", "routine", SCOPES)
"""Whoever asks, where nobody is asked for a key."""
