"""For whom something is done: what takes turns, and what counts as one."""

from __future__ import annotations

from dataclasses import dataclass

from huatuo_server.lane import Lane


@dataclass(frozen=True, slots=True)
class Flow:
    """Whose requests take turns with whose."""

    tenant: str
    lane: Lane


@dataclass(frozen=True, slots=True)
class Claimant:
    """One request of a flow. request: a name that no other one has."""

    flow: Flow
    request: str
