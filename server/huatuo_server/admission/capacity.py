"""What the engine can run at once, and how much of it is in use."""

from __future__ import annotations

from dataclasses import dataclass

from huatuo_server.lane import Lane


@dataclass(frozen=True, slots=True)
class Capacity:
    """num_seqs: sequences at once. kv_tokens: what its KV cache holds, in blocks of block_tokens. context_tokens: of
    the longest request that the model takes."""

    num_seqs: int
    kv_tokens: int
    block_tokens: int
    context_tokens: int

    def tokens_of(self, prompt_tokens: int, max_tokens: int) -> int:
        """What a sequence may come to hold, in whole blocks: as much is set aside, so that none is ever preempted."""
        return -(-(prompt_tokens + max_tokens) // self.block_tokens) * self.block_tokens

    @property
    def kept_seqs(self) -> int:
        """Kept free for stat: an eighth, at least 1; none where there is but one."""
        return max(1, self.num_seqs // 8) if self.num_seqs > 1 else 0

    @property
    def kept_tokens(self) -> int:
        """Kept free for stat: its sequences' longest requests, at most a quarter of all."""
        return min(self.kept_seqs * self.context_tokens, self.kv_tokens // 4)


class Load:
    """What runs: sequences and tokens, and those of stat among them."""

    def __init__(self, capacity: Capacity) -> None:
        self.capacity = capacity
        self._kept_seqs, self._kept_tokens = capacity.kept_seqs, capacity.kept_tokens
        self.seqs = 0
        self.tokens = 0
        self._stat_seqs = 0
        self._stat_tokens = 0

    def add(self, lane: Lane, tokens: int, *, num_seqs: int = 1) -> None:
        """One more runs. num_seqs: what it takes of the sequences; tokens: of all of them."""
        self._change(lane, num_seqs, tokens)

    def remove(self, lane: Lane, tokens: int, *, num_seqs: int = 1) -> None:
        """One of these runs no more."""
        self._change(lane, -num_seqs, -tokens)

    def fits(self, lane: Lane, tokens: int, *, num_seqs: int = 1, keep: bool) -> bool:
        """Whether one more may go in: within what is there for its lane, or alone. keep: a part is kept for stat."""
        if not self.seqs:
            return True
        seqs_left, tokens_left = self.capacity.num_seqs - self.seqs, self.capacity.kv_tokens - self.tokens
        if keep and lane != "stat":
            seqs_left -= max(0, self._kept_seqs - self._stat_seqs)
            tokens_left -= max(0, self._kept_tokens - self._stat_tokens)
        return seqs_left >= num_seqs and tokens_left >= tokens

    def stat_within_half(self, tokens: int, *, num_seqs: int = 1) -> bool:
        """Whether stat, with one more, holds at most half of all."""
        seqs, all_tokens = self._stat_seqs + num_seqs, self._stat_tokens + tokens
        return 2 * seqs <= self.capacity.num_seqs and 2 * all_tokens <= self.capacity.kv_tokens

    def _change(self, lane: Lane, seqs: int, tokens: int) -> None:
        self.seqs += seqs
        self.tokens += tokens
        if lane == "stat":
            self._stat_seqs += seqs
            self._stat_tokens += tokens
