"""Turns by deficit round robin (Shreedhar & Varghese 1995): whoever waits gets the same number of tokens, by weight.

Each has a deficit, which grows by its quantum a turn and pays for what it takes; who cannot pay for its next request
keeps what it has and waits for another turn. Who stops waiting forgets its deficit, and who waits alone pays nothing:
nobody saves up.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(slots=True, eq=False)
class Share(Generic[K]):
    """One that waits. credit: tokens that it paid for and did not use; it has them from its next turn on, so that no
    turn goes on for ever. Whoever charged it may add to that later, even if it waits no more."""

    key: K
    quantum: int
    deficit: int = 0
    credit: int = 0

    def begin_turn(self) -> None:
        """Some more tokens are its own."""
        self.deficit += self.quantum + self.credit
        self.credit = 0

    def rounds_to(self, tokens: int) -> int:
        """Turns until it can pay."""
        return math.ceil((tokens - self.deficit - self.credit) / self.quantum)


class DeficitRoundRobin(Generic[K]):
    """Those who wait, in the order of their turns. quantum_of: tokens a turn, at least 1."""

    def __init__(self, quantum_of: Callable[[K], int]) -> None:
        self._quantum_of = quantum_of
        self._shares: dict[K, Share[K]] = {}
        self._ring: deque[Share[K]] = deque()
        self._turn_began = False

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, key: K) -> None:
        """It waits from now on, and its turn comes last."""
        share = Share(key, self._quantum_of(key))
        self._shares[key] = share
        self._ring.append(share)

    def remove(self, key: K) -> None:
        """It waits no more."""
        share = self._shares.pop(key)
        if self._ring[0] is share:
            self._turn_began = False
        self._ring.remove(share)

    def choose(self, tokens_of: Callable[[K], int]) -> K:
        """Whose turn it is; the same again until it is charged or gone. tokens_of: what each wants next."""
        if len(self._ring) == 1:
            return self._ring[0].key
        while True:
            for _ in range(len(self._ring)):
                share = self._ring[0]
                if not self._turn_began:
                    self._turn_began = True
                    share.begin_turn()
                if tokens_of(share.key) <= share.deficit:
                    return share.key
                self._end_turn()
            self._skip_rounds(tokens_of)

    def charge(self, key: K, tokens: int) -> Share[K] | None:
        """It takes what it was chosen for. Returns who paid, if somebody had to."""
        share = self._shares[key]
        if len(self._ring) == 1:
            share.deficit = share.credit = 0
            return None
        share.deficit -= tokens
        return share

    def _end_turn(self) -> None:
        self._ring.rotate(-1)
        self._turn_began = False

    def _skip_rounds(self, tokens_of: Callable[[K], int]) -> None:
        """All rounds but the last before somebody can pay, at once: a large request costs no more to choose."""
        rounds = min(share.rounds_to(tokens_of(share.key)) for share in self._ring)
        for share in self._ring:
            share.deficit += max(0, rounds - 1) * share.quantum
