"""The requests of one lane that wait, each tenant's in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from huatuo_server.admission.deficit_round_robin import DeficitRoundRobin, Share

QUANTUM = 64
"""Tokens that a tenant gets a turn: as few as a short request, so that a flood of those takes turns by the request too.
With 1024 a victim's p95 was 2.04 times its quiet one, with 64 1.1 times.
"""


@dataclass(slots=True, eq=False)
class Waiting:
    """One request that is ready. tokens: what its sequences will hold inside, all together.

    deadline: on the queue's clock. max_tokens: of each of its num_seqs sequences. turn: done when the waiting is over,
    and `inside` says how. unread_tokens: of its prompt, until its first token. paid_by: its tenant and its lane, where
    they had to.
    """

    tenant: str
    tokens: int
    turn: asyncio.Future[None]
    max_tokens: int = 0
    deadline: float | None = None
    num_seqs: int = 1
    inside: bool = False
    in_line: bool = True
    unread_tokens: int = 0
    alarm: asyncio.TimerHandle | None = None
    paid_by: list[Share[Any]] = field(default_factory=list)

    @property
    def prompt_tokens(self) -> int:
        """To be read; once, since its sequences share them. In whole blocks with what follows."""
        return self.tokens // self.num_seqs - self.max_tokens

    def charge(self, share: Share[Any] | None) -> None:
        """So its tokens were paid for."""
        if share:
            self.paid_by.append(share)

    def refund(self, completion_tokens: int) -> None:
        """What it had set aside and not used goes back to those who paid. completion_tokens: of all its sequences."""
        for share in self.paid_by:
            share.credit += max(0, self.num_seqs * self.max_tokens - completion_tokens)


@dataclass(slots=True)
class Line:
    """One lane's. quantum: what a tenant gets a turn. tokens: of all that are in line. num_held: places, of those that
    are not ready yet, too.
    """

    quantum: int = QUANTUM
    tokens: int = 0
    num_in_line: int = 0
    num_held: int = 0
    _held: Counter[str] = field(default_factory=Counter)
    _queues: dict[str, deque[Waiting]] = field(default_factory=dict)
    _turns: DeficitRoundRobin[str] = field(init=False)

    def __post_init__(self) -> None:
        self._turns = DeficitRoundRobin(lambda _: self.quantum)

    def may_hold(self, tenant: str, limit: int) -> bool:
        """Whether a tenant may have one more of `limit` places: while it has fewer than are free, or none.

        Dynamic thresholds (Choudhury & Hahne 1998): one alone gets half of them, n get 1/(n + 1) each, and a newcomer
        finds one without anybody's being sent away. Where `limit` has fallen, or a great many tenants share it, that
        one is beyond it.
        """
        held = self._held[tenant]
        return not held or held < limit - self.num_held

    def hold(self, tenant: str) -> None:
        """One more place is taken."""
        self._held[tenant] += 1
        self.num_held += 1

    def give_back(self, tenant: str) -> None:
        """A place is free again."""
        self.num_held -= 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]

    def join(self, waiting: Waiting) -> None:
        """At the end of its tenant's."""
        queue = self._queues.get(waiting.tenant)
        if queue is None:
            queue = self._queues[waiting.tenant] = deque()
            self._turns.add(waiting.tenant)
        queue.append(waiting)
        self.tokens += waiting.tokens
        self.num_in_line += 1

    def head(self) -> Waiting:
        """Whose turn it is; there is one."""
        return self._queues[self._turns.choose(self._wanted)][0]

    def charge(self, waiting: Waiting) -> None:
        """The head goes in; it is still in line."""
        waiting.charge(self._turns.charge(waiting.tenant, waiting.tokens))

    def leave(self, waiting: Waiting) -> None:
        """From wherever it stands; again does nothing."""
        if not waiting.in_line:
            return
        waiting.in_line = False
        queue = self._queues[waiting.tenant]
        queue.remove(waiting)
        self.tokens -= waiting.tokens
        self.num_in_line -= 1
        if not queue:
            del self._queues[waiting.tenant]
            self._turns.remove(waiting.tenant)

    def _wanted(self, tenant: str) -> int:
        return self._queues[tenant][0].tokens
