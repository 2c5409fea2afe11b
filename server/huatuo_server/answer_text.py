"""Token deltas -> the answer's text, piece by piece, up to its end."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

from huatuo_server.detokenizer import TextDecoder
from huatuo_server.engine.base import FinishReason, TokenDelta
from huatuo_server.stop_strings import StopStrings

_TOP: Final = struct.Struct("<id")


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """How probable a token was: natural logarithms, of the model's raw logits.

    packed_top: `top`, in an eighth of the memory, since a client that reads slowly has thousands of them held for it.
    at_head: it stands where the text loses a leading space.
    """

    token_id: int
    logprob: float
    packed_top: bytes = b""
    at_head: bool = False

    @classmethod
    def of(
        cls, token_id: int, logprob: float, top: Iterable[tuple[int, float]] = (), *, at_head: bool = False
    ) -> TokenLogprob:
        """top: ids and log-probabilities."""
        return cls(token_id, logprob, b"".join([_TOP.pack(*one) for one in top]), at_head)

    @property
    def top(self) -> tuple[tuple[int, float], ...]:
        """The most probable tokens, best first, as many as were asked for; the token itself need not be there."""
        return tuple(_TOP.iter_unpack(self.packed_top))


class Piece(NamedTuple):
    """What a delta adds to the answer. The last one, and only it, has a finish_reason.

    text: certain to be part of the answer; may be empty while text is held back. num_cached_tokens: of the prompt.
    logprobs: of the tokens whose text begins in `text`, so that they may come later than the token_ids; a token without
    text comes with what follows it. Empty unless asked for.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason | None = None
    num_cached_tokens: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()


TakePiece: TypeAlias = Callable[[int, Piece], None]
"""Takes which of an answer's choices it is, and what a delta adds to it; at once and on the event loop."""


RunAnswers: TypeAlias = Callable[[TakePiece], Awaitable[None]]
"""Generates all answers of a request and returns after the last piece; cancelling aborts them."""


def merged(pieces: Sequence[Piece]) -> Piece:
    """Pieces of one choice that follow one another, as one. At least one."""
    return Piece(
        "".join(piece.text for piece in pieces),
        tuple(chain.from_iterable(piece.token_ids for piece in pieces)),
        pieces[-1].finish_reason,
        max(piece.num_cached_tokens for piece in pieces),
        tuple(chain.from_iterable(piece.logprobs for piece in pieces)),
    )


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends an answer's text, and what is told of it.

    stop: strings; a match may not end within the first `min_tokens` tokens. num_logprobs: alternatives a token; None
    for no log-probabilities at all.
    """

    stop: tuple[str, ...] = ()
    min_tokens: int = 0
    num_logprobs: int | None = None


class AnswerText:
    """One answer's text as it comes. Nothing is stripped: the next turn's prompt needs it exactly.

    The token with which the engine itself stops (an end of sequence, one of `stop_token_ids`) has no part in the text.
    """

    def __init__(self, decoder: TextDecoder, ending: Ending) -> None:
        self._decoder = decoder
        self._ending = ending
        self._stop = StopStrings(ending.stop)
        # Nothing in the text can end it, and nobody asks which token stands where.
        self._plain = not ending.stop and ending.num_logprobs is None
        self._num_decoded = 0
        self._num_given = 0
        self._logprobs: deque[TokenLogprob] = deque()
        self._num_told = 0

    def piece(self, delta: TokenDelta) -> Piece:
        """What the delta adds."""
        if self._plain and delta.finish_reason is None:
            return Piece(self._decoder.push(delta.token_ids), delta.token_ids, None, delta.num_cached_tokens)
        return self._searched(delta)

    def _searched(self, delta: TokenDelta) -> Piece:
        """Tokens are taken one by one, so that the answer ends with the right one."""
        texts: list[str] = []
        logprobs: list[TokenLogprob] = []
        token_ids = delta.token_ids[:-1] if delta.finish_reason == "stop" else delta.token_ids
        for place, token_id in enumerate(token_ids):
            if self._ending.num_logprobs is not None:
                self._logprobs.append(self._logprob(token_id, delta.logprobs[place], self._ending.num_logprobs))
            text, stopped = self._take(self._decoder.push((token_id,)))
            texts.append(text)
            logprobs += self._begun()
            if stopped:
                given = delta.token_ids[: place + 1]
                return Piece("".join(texts), given, "stop", delta.num_cached_tokens, tuple(logprobs))
        reason = delta.finish_reason
        if reason is not None:
            text, stopped = self._finish()
            texts.append(text)
            logprobs += self._begun() if stopped else self._logprobs
            reason = "stop" if stopped else reason
        return Piece("".join(texts), delta.token_ids, reason, delta.num_cached_tokens, tuple(logprobs))

    def _logprob(self, token_id: int, logprobs: Mapping[int, float], num_top: int) -> TokenLogprob:
        best = sorted(logprobs.items(), key=lambda one: one[1], reverse=True)
        return TokenLogprob.of(token_id, logprobs[token_id], best[:num_top], at_head=self._decoder.at_head)

    def _take(self, text: str) -> tuple[str, bool]:
        """More of the text; what is certain of it, and whether a stop string ends it."""
        begins, min_tokens = self._decoder.begins, self._ending.min_tokens
        safe = begins[min_tokens] - self._num_decoded if min_tokens < len(begins) else len(text)
        self._num_decoded += len(text)
        text, stopped = self._stop.push(text, safe=max(0, safe))
        self._num_given += len(text)
        return text, stopped

    def _finish(self) -> tuple[str, bool]:
        text, stopped = self._take(self._decoder.finish())
        return text + self._stop.finish(), stopped

    def _begun(self) -> Iterator[TokenLogprob]:
        """The log-probabilities of the tokens that begin in what was given, and were not told yet."""
        begins = self._decoder.begins
        while self._logprobs and self._num_told < len(begins) and begins[self._num_told] < self._num_given:
            self._num_told += 1
            yield self._logprobs.popleft()
