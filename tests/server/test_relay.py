"""What vLLM says of a generation reaches whoever takes it, whatever it is, and never raises into vLLM's own task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from huatuo_server.engine.base import TokenDelta
from huatuo_server.engine.relay import Relay
from huatuo_server.errors import EngineRequestError


class Collector:
    """As much of vLLM's RequestOutputCollector as a relay looks at. early: what was put before it was attached."""

    def __init__(self, early: Any = None) -> None:
        self._early = early

    def get_nowait(self) -> Any:
        early, self._early = self._early, None
        if isinstance(early, Exception):
            raise early
        return early

    def put(self, output: Any) -> None:
        raise AssertionError("nobody asks the collector any more")


class Scene:
    """A relay that is attached. taken: what came out."""

    def __init__(self, early: Any = None, take: Callable[[TokenDelta], bool] | None = None) -> None:
        self.taken: list[TokenDelta] = []
        self._answer = take or (lambda _: True)
        self.relay = Relay(self._take)
        self.collector = Collector(early)
        self.relay.attach(self.collector)

    def _take(self, delta: TokenDelta) -> bool:
        self.taken.append(delta)
        return self._answer(delta)

    def put(self, *outputs: Any) -> None:
        """As vLLM's output handler does, which knows the collector alone."""
        for one in outputs:
            self.collector.put(one)

    async def end(self) -> None:
        async with asyncio.timeout(5):
            await self.relay.end()


def output(*token_ids: int, reason: str | None = None, logprobs: Any = None, cached: int | None = None) -> Any:
    """vLLM's RequestOutput of one completion."""
    completion = SimpleNamespace(token_ids=list(token_ids), finish_reason=reason, logprobs=logprobs)
    return SimpleNamespace(outputs=[completion], num_cached_tokens=cached)


def played(play: Callable[[], Any]) -> Any:
    return asyncio.run(play())


def test_every_output_is_taken_in_the_call_that_puts_it() -> None:
    """Nothing waits for a task of its own: the delta is there when `put` returns, in the order in which it came."""

    async def play() -> Scene:
        scene = Scene()
        for number in range(100):
            scene.put(output(number, cached=3))
            assert scene.taken[-1] == TokenDelta((number,), None, (), 3)
        scene.put(output(100, 101, reason="length"))
        await scene.end()
        return scene

    scene = played(play)
    assert [one for delta in scene.taken for one in delta.token_ids] == list(range(102))
    assert [delta.finish_reason for delta in scene.taken] == [None] * 100 + ["length"]
    assert scene.relay.finished
    assert scene.relay.fault is None


def test_tokens_that_only_continue_an_answer_are_taken_as_any_other() -> None:
    """As plain numbers, between what comes as vLLM's objects, and no longer once somebody wants no more."""

    async def play() -> Scene:
        scene = Scene(take=lambda delta: delta.token_ids != (4,))
        scene.put(output(1, cached=3))
        scene.relay.tokens([2, 3], 3)
        scene.relay.tokens([4], 3)
        scene.relay.tokens([5], 3)
        await scene.end()
        return scene

    scene = played(play)
    assert scene.taken == [
        TokenDelta((1,), None, (), 3),
        TokenDelta((2, 3), None, (), 3),
        TokenDelta((4,), None, (), 3),
    ]
    assert not scene.relay.finished


@pytest.mark.parametrize("reason", ["stop", "length", None])
def test_a_finished_answer_keeps_its_reason(reason: str | None) -> None:
    """The only two endings there are, and none while tokens still come."""

    async def play() -> Scene:
        scene = Scene()
        scene.put(output(5, reason=reason))
        return scene

    scene = played(play)
    assert scene.taken == [TokenDelta((5,), reason)]  # type: ignore[arg-type]
    assert scene.relay.finished == (reason is not None)


@pytest.mark.parametrize("reason", ["abort", "error", "something new"])
def test_an_abort_never_looks_like_an_answer(reason: str) -> None:
    """vLLM hands these out as finish reasons; a client must get an error, and there is nothing left to abort."""

    async def play() -> Scene:
        scene = Scene()
        scene.put(output(5), output(6, reason=reason))
        with pytest.raises(EngineRequestError):
            await scene.end()
        return scene

    scene = played(play)
    assert scene.taken == [TokenDelta((5,))]
    assert scene.relay.finished


def test_log_probabilities_are_numbers_that_json_can_write() -> None:
    """What a grammar forbids has the probability 0, and its logarithm is OpenAI's least."""
    step = {5: SimpleNamespace(logprob=-0.5), 6: SimpleNamespace(logprob=float("-inf"))}

    async def play() -> Scene:
        scene = Scene()
        scene.put(output(5, reason="stop", logprobs=[step]))
        return scene

    (delta,) = played(play).taken
    assert delta.logprobs == ({5: -0.5, 6: -9999.0},)


def test_what_vllm_had_before_it_was_attached_comes_first() -> None:
    """The engine may be faster than the task that asked it."""

    async def play() -> Scene:
        scene = Scene(early=output(1, 2))
        assert scene.taken == [TokenDelta((1, 2))]
        scene.put(output(3, reason="stop"))
        await scene.end()
        return scene

    assert played(play).taken == [TokenDelta((1, 2)), TokenDelta((3,), "stop")]


def test_a_whole_answer_may_have_come_before() -> None:
    """Then it is over as soon as it is attached."""

    async def play() -> Scene:
        scene = Scene(early=output(1, 2, reason="length"))
        await scene.end()
        return scene

    scene = played(play)
    assert scene.taken == [TokenDelta((1, 2), "length")]
    assert scene.relay.finished


@pytest.mark.parametrize("early", [True, False], ids=["before it was attached", "on the way"])
def test_what_vllm_raises_for_a_generation_reaches_who_waits_for_it(early: bool) -> None:
    """As it is; nothing is left to abort, since vLLM has ended it."""
    error = ValueError("broken")

    async def play() -> Scene:
        scene = Scene(early=error if early else None)
        if not early:
            scene.put(output(1), error)
        with pytest.raises(ValueError, match="broken") as caught:
            await scene.end()
        assert caught.value is error
        return scene

    scene = played(play)
    assert len(scene.taken) == (0 if early else 1)
    assert scene.relay.finished
    assert scene.relay.fault is None


def test_whoever_wants_no_more_gets_no_more() -> None:
    """The generation is over for who asked, and still to be aborted."""

    async def play() -> Scene:
        scene = Scene(take=lambda delta: delta.token_ids != (2,))
        scene.put(output(1), output(2), output(3), output(4, reason="stop"))
        await scene.end()
        return scene

    scene = played(play)
    assert [delta.token_ids for delta in scene.taken] == [(1,), (2,)]
    assert not scene.relay.finished


@pytest.mark.parametrize("reason", [None, "stop"], ids=["on the way", "at the end"])
def test_an_error_of_whoever_takes_stays_with_them(reason: str | None) -> None:
    """vLLM's task, which hears the engine for everybody, never sees it; the generation is over, and told why."""
    error = ZeroDivisionError("the taker's own")

    def fail(_: TokenDelta) -> bool:
        raise error

    async def play() -> Scene:
        scene = Scene(take=fail)
        scene.put(output(1, reason=reason), output(2))
        await scene.end()
        return scene

    scene = played(play)
    assert len(scene.taken) == 1
    assert scene.relay.fault is error
    assert scene.relay.finished == (reason is not None)


def test_an_error_over_tokens_that_continue_stays_with_whoever_takes() -> None:
    """As over any other delta: it is not raised, and ends the generation."""
    error = ZeroDivisionError("the taker's own")

    def fail(_: TokenDelta) -> bool:
        raise error

    async def play() -> Scene:
        scene = Scene(take=fail)
        scene.relay.tokens([1], 0)
        scene.relay.tokens([2], 0)
        await scene.end()
        return scene

    scene = played(play)
    assert len(scene.taken) == 1
    assert scene.relay.fault is error
    assert not scene.relay.finished


def test_an_output_that_cannot_be_read_ends_this_generation_alone() -> None:
    """Whatever a later vLLM may put there is raised to who waits, and not into vLLM, which still has to be told."""

    async def play() -> Scene:
        scene = Scene()
        scene.put(output(1), SimpleNamespace(outputs=[]))
        with pytest.raises(IndexError):
            await scene.end()
        return scene

    scene = played(play)
    assert scene.taken == [TokenDelta((1,))]
    assert not scene.relay.finished


@pytest.mark.parametrize(
    "ending",
    [output(1, reason="stop"), output(1, reason="abort"), ValueError("broken")],
    ids=["stop", "abort", "error"],
)
def test_what_is_put_after_the_end_is_ignored_and_never_raises(ending: Any) -> None:
    """vLLM puts an "abort" behind what is aborted, and an error into all there is when it dies."""

    async def play() -> Scene:
        scene = Scene()
        scene.put(ending)
        before = list(scene.taken)
        scene.put(output(2), output(3, reason="abort"), RuntimeError("dead"), SimpleNamespace(), None)
        assert scene.taken == before
        await asyncio.gather(scene.end(), return_exceptions=True)
        return scene

    assert played(play).relay.finished


def test_what_is_put_after_its_reader_was_cancelled_is_ignored() -> None:
    """The abort that follows a hang-up is told to nobody."""

    async def play() -> Scene:
        scene = Scene()
        waiting = asyncio.create_task(scene.relay.end())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait({waiting})
        scene.put(output(2), output(3, reason="abort"), RuntimeError("dead"))
        return scene

    scene = played(play)
    assert scene.taken == []
    assert not scene.relay.finished


def test_an_error_that_nobody_waits_for_any_more_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio would log an exception that nobody asked for, with its text."""

    async def play() -> None:
        scene = Scene()
        waiting = asyncio.create_task(scene.relay.end())
        await asyncio.sleep(0)
        scene.put(ValueError("secret"))
        waiting.cancel()
        await asyncio.wait({waiting})

    played(play)

    assert "secret" not in caplog.text
