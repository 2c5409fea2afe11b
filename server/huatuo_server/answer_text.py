"""Token deltas -> the answer's text, piece by piece, up to its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeAlias

from huatuo_server.detokenizer import TextDecoder
from huatuo_server.engine.base import FinishReason, TokenDelta
from huatuo_server.errors import EngineRequestError
from huatuo_server.stop_strings import StopStrings


@dataclass(frozen=True, slots=True)
class Piece:
    """What a delta adds to the answer. The last one, and only it, has a finish_reason.

    text: certain to be part of the answer; may be empty while text is held back. num_cached_tokens: of the prompt.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason | None = None
    num_cached_tokens: int = 0


ChoicePiece: TypeAlias = tuple[int, Piece]
"""Which of an answer's choices, and what a delta adds to it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What ends an answer's text.

    stop: strings; a match may not end within the first `min_tokens` tokens. eos_token_ids: they have no text.
    """

    stop: tuple[str, ...] = ()
    min_tokens: int = 0
    eos_token_ids: tuple[int, ...] = ()


class AnswerText:
    """One answer's text as it comes. Nothing is stripped: the next turn's prompt needs it exactly."""

    def __init__(self, decoder: TextDecoder, ending: Ending) -> None:
        self._decoder = decoder
        self._ending = ending
        self._stop = StopStrings(ending.stop)
        self._num_tokens = 0

    def piece(self, delta: TokenDelta) -> Piece:
        """What the delta adds. Tokens are taken one by one, so that the answer ends with the right one."""
        texts: list[str] = []
        for count, token_id in enumerate(delta.token_ids, start=1):
            text, stopped = self._push(token_id)
            texts.append(text)
            if stopped:
                return Piece("".join(texts), delta.token_ids[:count], "stop", delta.num_cached_tokens)
        reason = delta.finish_reason
        if reason is not None:
            text, stopped = self._finish()
            texts.append(text)
            reason = "stop" if stopped else reason
        return Piece("".join(texts), delta.token_ids, reason, delta.num_cached_tokens)

    def _push(self, token_id: int) -> tuple[str, bool]:
        self._num_tokens += 1
        text = "" if token_id in self._ending.eos_token_ids else self._decoder.push((token_id,))
        return self._stop.push(text, armed=self._armed)

    def _finish(self) -> tuple[str, bool]:
        text, stopped = self._stop.push(self._decoder.finish(), armed=self._armed)
        return text + self._stop.finish(), stopped

    @property
    def _armed(self) -> bool:
        return self._num_tokens > self._ending.min_tokens


async def answer_text(
    deltas: AsyncGenerator[TokenDelta, None], decoder: TextDecoder, ending: Ending
) -> AsyncGenerator[Piece, None]:
    """A piece for each delta, up to the end of the answer. A generation that a stop string cuts short is aborted.

    Raises EngineRequestError when the deltas end without a finish_reason, and whatever the deltas raise.
    """
    text = AnswerText(decoder, ending)
    async with aclosing(deltas):
        async for delta in deltas:
            piece = text.piece(delta)
            if piece.finish_reason is not None:
                break
            yield piece
        else:
            raise EngineRequestError("The engine ended the answer without a reason.")
        if delta.finish_reason is not None:
            # The engine is done, and a generator that runs out aborts nothing.
            await anext(deltas, None)
    yield piece
