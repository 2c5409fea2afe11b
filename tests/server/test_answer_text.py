"""Token deltas become the answer's text, which ends with the right token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

import pytest

from huatuo_server.answer_text import Ending, Piece, answer_text
from huatuo_server.engine.base import TokenDelta
from huatuo_server.errors import EngineRequestError

EOS = 0


class Letters:
    """A text decoder whose token ids are code points; like a real one, it may hold a character back."""

    def __init__(self, held: str = "") -> None:
        self._held = held

    def push(self, token_ids: Iterable[int]) -> str:
        return "".join(map(chr, token_ids))

    def finish(self) -> str:
        return self._held


class Source:
    """An engine's deltas that remember whether they ran out or were closed before."""

    def __init__(self, *deltas: TokenDelta) -> None:
        self._deltas = deltas
        self.ran_out = False

    async def stream(self) -> AsyncGenerator[TokenDelta, None]:
        for delta in self._deltas:
            yield delta
        self.ran_out = True


def collected(source: Source, ending: Ending, held: str = "") -> list[Piece]:
    async def collect() -> list[Piece]:
        return [piece async for piece in answer_text(source.stream(), Letters(held), ending)]

    return asyncio.run(collect())


def ids(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


def test_each_delta_is_a_piece() -> None:
    """Text and ids go through, and the finish_reason comes last; an engine that is done is not interrupted."""
    source = Source(TokenDelta(ids("ab"), num_cached_tokens=3), TokenDelta(ids("c"), "length", num_cached_tokens=3))

    pieces = collected(source, Ending())

    assert pieces == [Piece("ab", ids("ab"), None, 3), Piece("c", ids("c"), "length", 3)]
    assert source.ran_out


def test_the_end_of_sequence_has_no_text_but_counts_as_a_token() -> None:
    """As in vLLM: its id is among the ids."""
    pieces = collected(Source(TokenDelta((*ids("a"), EOS), "stop")), Ending(eos_token_ids=(EOS,)))

    assert pieces == [Piece("a", (*ids("a"), EOS), "stop")]


@pytest.mark.parametrize("deltas", [["xxENDyy"], ["xxE", "NDyy"], list("xxENDyy")])
def test_a_stop_string_ends_the_answer_with_the_token_that_completes_it(deltas: list[str]) -> None:
    """However the tokens are dealt into deltas; the rest is neither text nor counted, and the engine is stopped."""
    source = Source(*(TokenDelta(ids(one)) for one in deltas), TokenDelta(ids("never read")))

    pieces = collected(source, Ending(stop=("END",)))

    assert "".join(piece.text for piece in pieces) == "xx"
    assert [one for piece in pieces for one in piece.token_ids] == list(ids("xxEND"))
    assert [piece.finish_reason for piece in pieces][-1] == "stop"
    assert not source.ran_out


def test_text_held_back_comes_out_at_the_end() -> None:
    """What looked like a stop string, and what the decoder held, belongs to the answer after all."""
    pieces = collected(Source(TokenDelta(ids("a")), TokenDelta(ids("E"), "length")), Ending(stop=("END",)), held="N")

    assert [piece.text for piece in pieces] == ["a", "EN"]
    assert pieces[-1].finish_reason == "length"


def test_a_stop_string_completed_by_held_text_ends_the_answer() -> None:
    """Also the very last character is looked at."""
    pieces = collected(Source(TokenDelta(ids("aEN"), "length")), Ending(stop=("END",)), held="D")

    assert pieces == [Piece("a", ids("aEN"), "stop")]


def test_the_first_tokens_cannot_complete_a_stop_string() -> None:
    """min_tokens=3: a match within the first three tokens is text."""
    pieces = collected(Source(TokenDelta(ids("END,END"), "length")), Ending(stop=("END",), min_tokens=3))

    assert pieces == [Piece("END,", ids("END,END"), "stop")]


def test_an_answer_that_ends_without_a_reason_is_a_failure() -> None:
    """A broken-off generation never looks like a finished answer."""
    with pytest.raises(EngineRequestError):
        collected(Source(TokenDelta(ids("a"))), Ending())
