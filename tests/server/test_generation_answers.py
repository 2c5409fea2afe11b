"""The answers of a call: all that their generations give, side by side, and one end for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from huatuo_server.answer_text import Piece, TakePiece
from huatuo_server.call import Call
from huatuo_server.engine.base import Sampling, TokenDelta
from huatuo_server.errors import EngineRequestError
from huatuo_server.generation import Answers, answers
from huatuo_server.lane import LANES
from tests.server.scripted_model import scripted_model

PATIENCE_S = 5.0


class Generation:
    """Gives so many pieces, and tells how it ended. hangs: it never ends by itself. error: what it ends of."""

    def __init__(self, count: int, *, index: int = 0, hangs: bool = False, error: Exception | None = None) -> None:
        self._count = count
        self._index = index
        self._hangs = hangs
        self._error = error
        self.given = 0
        self.how = "not begun"

    async def generate(self, take: TakePiece) -> None:
        self.how = "running"
        try:
            for number in range(self._count):
                await asyncio.sleep(0)
                self.given += 1
                take(self._index, Piece(f"{number} ", (number,)))
            if self._hangs:
                await asyncio.Event().wait()
            if self._error is not None:
                raise self._error
            self.how = "ended"
        except asyncio.CancelledError:
            # As an engine, which takes a moment over an abort.
            await asyncio.sleep(0)
            self.how = "aborted"
            raise
        finally:
            if self.how == "running":
                self.how = "failed"


class Taken:
    """What came, in its order."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, str]] = []
        self.changed = asyncio.Event()

    def take(self, index: int, piece: Piece) -> None:
        self.pieces.append((index, piece.text))
        self.changed.set()

    def of(self, index: int) -> list[str]:
        return [text for one, text in self.pieces if one == index]


async def run(taken: Taken, *generations: Generation) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await Answers([one.generate for one in generations]).run(taken.take)


@pytest.mark.parametrize("num", [1, 2, 5])
def test_everything_comes_in_order(num: int) -> None:
    """Of each answer; and it returns when the last one has ended."""
    taken, generations = Taken(), [Generation(100 * (index + 1), index=index) for index in range(num)]

    asyncio.run(run(taken, *generations))

    assert [taken.of(index) for index in range(num)] == [
        [f"{number} " for number in range(100 * (index + 1))] for index in range(num)
    ]
    assert {one.how for one in generations} == {"ended"}


def test_several_are_generated_side_by_side() -> None:
    """One that has nothing yet holds up nobody's pieces."""
    taken, silent, talking = Taken(), Generation(0, hangs=True), Generation(3, index=1)

    async def scene() -> None:
        running = asyncio.create_task(run(taken, silent, talking))
        while len(taken.pieces) < 3:
            taken.changed.clear()
            await asyncio.wait_for(taken.changed.wait(), PATIENCE_S)
        assert not running.done()
        running.cancel()
        await asyncio.wait({running})

    asyncio.run(scene())

    assert taken.pieces == [(1, "0 "), (1, "1 "), (1, "2 ")]


@pytest.mark.parametrize("others", [0, 1, 3])
def test_the_failure_of_one_ends_all(others: int) -> None:
    """Its own error is raised, what came before it was given, and no other is left running when it is raised."""
    taken, error = Taken(), ValueError("broken")
    failing = Generation(2, error=error)
    hanging = [Generation(1, index=index + 1, hangs=True) for index in range(others)]

    with pytest.raises(ValueError, match="broken") as caught:
        asyncio.run(run(taken, failing, *hanging))

    assert caught.value is error
    assert taken.of(0) == ["0 ", "1 "]
    assert [one.how for one in hanging] == ["aborted"] * others


def test_the_first_failure_is_the_one_that_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    """A second one leaves no trace: asyncio would log an exception that nobody asked for, with its text."""
    taken = Taken()
    first, second = Generation(1, error=ValueError("first")), Generation(1, index=1, error=ValueError("a secret"))

    with pytest.raises(ValueError, match="first"):
        asyncio.run(run(taken, first, second))

    assert "secret" not in caplog.text


@pytest.mark.parametrize("num", [1, 2, 5])
def test_whoever_leaves_ends_all(num: int) -> None:
    """Before it is gone itself: each generation is aborted, and none is left running."""
    taken, generations = Taken(), [Generation(1, index=index, hangs=True) for index in range(num)]

    async def scene() -> None:
        running = asyncio.create_task(run(taken, *generations))
        while len(taken.pieces) < num:
            taken.changed.clear()
            await asyncio.wait_for(taken.changed.wait(), PATIENCE_S)
        running.cancel()
        await asyncio.wait({running}, timeout=PATIENCE_S)
        assert running.cancelled()
        assert [one.how for one in generations] == ["aborted"] * num

    asyncio.run(scene())


def test_an_error_of_whoever_takes_ends_all() -> None:
    """Wherever it is raised, within the generation's own call."""
    talking, hanging = Generation(5), Generation(0, index=1, hangs=True)

    def fail(_index: int, _piece: Piece) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Answers([talking.generate, hanging.generate]).run(fail))

    assert talking.given == 1
    assert hanging.how == "aborted"


# ---------------------------------------------------------------- from an engine


class Engine:
    """Says these deltas to each generation that still wants them. wanted: what each delta was answered."""

    def __init__(self, *deltas: TokenDelta, error: Exception | None = None) -> None:
        self._deltas = deltas
        self._error = error
        self.asked: list[tuple[str, int]] = []
        self.wanted: list[bool] = []

    async def generate(
        self, prompt: Any, sampling: Any, request_id: str, take: Callable[[TokenDelta], bool], *, priority: int = 0
    ) -> None:
        self.asked.append((request_id, priority))
        for delta in self._deltas:
            await asyncio.sleep(0)
            self.wanted.append(take(delta))
            if not self.wanted[-1]:
                return
        if self._error is not None:
            raise self._error


class Scene:
    """A call whose answers an engine makes. left: with how many tokens the call left its place."""

    def __init__(self, engine: Engine, *, n: int = 1, stop: Sequence[str] = ()) -> None:
        card = scripted_model({}).card
        self.tokenizer = card.tokenizer
        self.first_tokens = 0
        self.left: list[int] = []
        self.counted: list[tuple[int, int]] = []
        self.pieces: list[tuple[int, Piece]] = []
        self.num_awaited = 0
        meter = SimpleNamespace(
            entered_engine=lambda: None, tokens=lambda num, index: self.counted.append((num, index))
        )
        caller = SimpleNamespace(lane=LANES[1])
        self.call = Call("1", "1-a", "/", caller, meter, SimpleNamespace())  # type: ignore[arg-type]
        request = SimpleNamespace(n=n, stop=tuple(stop), min_tokens=None, num_logprobs=None)
        self.answers = answers(
            SimpleNamespace(startup=SimpleNamespace(awaited=self)),  # type: ignore[arg-type]
            SimpleNamespace(engine=engine, card=card),  # type: ignore[arg-type]
            request,  # type: ignore[arg-type]
            SimpleNamespace(prompt=None),  # type: ignore[arg-type]
            Sampling(max_tokens=9, temperature=1.0, seed=5),
            self.call,
            SimpleNamespace(first_token=self._first_token, leave=self.left.append),  # type: ignore[arg-type]
        )

    def one_more(self) -> ExitStack:
        """As `Awaited`."""
        self.num_awaited += 1
        stack = ExitStack()
        stack.callback(self._one_less)
        return stack

    def _one_less(self) -> None:
        self.num_awaited -= 1

    def _first_token(self) -> None:
        self.first_tokens += 1

    def run(self) -> list[tuple[int, Piece]]:
        asyncio.run(self._run(self.answers.run))
        return self.pieces

    async def _run(self, run: Callable[[TakePiece], Awaitable[None]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await run(lambda index, piece: self.pieces.append((index, piece)))

    def ids(self, text: str) -> tuple[int, ...]:
        return tuple(self.tokenizer.encode(text))


IDS = tuple(scripted_model({}).card.tokenizer.encode("one END two"))


def test_deltas_become_pieces_and_are_counted() -> None:
    """Once the last answer has ended the call leaves its place, with all its tokens; the engine is asked by lane."""
    engine = Engine(TokenDelta(IDS[:1]), TokenDelta(IDS[1:], "length"))
    scene = Scene(engine, n=2)

    scene.run()

    for index in (0, 1):
        pieces = [piece for one, piece in scene.pieces if one == index]
        assert [piece.token_ids for piece in pieces] == [IDS[:1], IDS[1:]]
        assert "".join(piece.text for piece in pieces) == "one END two"
        assert pieces[-1].finish_reason == "length"
    assert engine.asked == [("1-a", 1), ("1-a-1", 1)]
    assert scene.counted == [(1, 0), (1, 1), (len(IDS) - 1, 0), (len(IDS) - 1, 1)]
    assert scene.call.completion_tokens == 2 * len(IDS)
    assert scene.call.finish_reason == "length"
    assert scene.left == [2 * len(IDS)]
    assert scene.first_tokens == 2
    assert scene.num_awaited == 0


def test_no_more_is_wanted_once_a_stop_string_has_come() -> None:
    """The engine, which knows no text, is told so with the delta that completes it; that is the end of the answer."""
    engine = Engine(*(TokenDelta((one,)) for one in IDS))
    scene = Scene(engine, stop=["END"])

    scene.run()

    assert "".join(piece.text for _, piece in scene.pieces) == "one "
    assert scene.pieces[-1][1].finish_reason == "stop"
    assert engine.wanted == [True] * (len(engine.wanted) - 1) + [False]
    assert len(engine.wanted) < len(IDS)
    assert scene.call.finish_reason == "stop"
    assert scene.left == [len(engine.wanted)]


@pytest.mark.parametrize("n", [1, 3])
def test_an_answer_that_ends_without_a_reason_is_a_failure(n: int) -> None:
    """A broken-off generation never looks like a finished answer; it has used its tokens all the same."""
    scene = Scene(Engine(TokenDelta(IDS)), n=n)

    with pytest.raises(EngineRequestError):
        scene.run()

    assert scene.pieces[0][1].token_ids == IDS
    assert scene.left == [scene.call.completion_tokens]
    assert scene.call.completion_tokens >= len(IDS)
    assert scene.num_awaited == 0


@pytest.mark.parametrize("n", [1, 3])
def test_an_engine_s_failure_comes_after_what_it_gave(n: int) -> None:
    """And the place is left, once."""
    scene = Scene(Engine(TokenDelta(IDS[:2]), error=EngineRequestError("broken")), n=n)

    with pytest.raises(EngineRequestError, match="broken"):
        scene.run()

    assert {index for index, _ in scene.pieces} == set(range(n))
    assert scene.left == [scene.call.completion_tokens] == [n * 2]
    assert scene.num_awaited == 0
