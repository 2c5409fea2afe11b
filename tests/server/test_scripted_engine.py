"""The scripted engine's own faults: how an engine dies or hangs, for tests of those who must notice."""

from __future__ import annotations

import asyncio

import pytest

from huatuo_server.engine.base import Engine, Prompt, Sampling
from huatuo_server.engine.scripted import Completion
from huatuo_server.errors import EngineDeadError
from tests.service.running_engine import begun, deltas_of
from tests.service.served import scripted_engine

PROMPT = Prompt((5, 6, 7))
ENDLESS = Sampling(max_tokens=2000, ignore_eos=True)

WAITS = Completion(text="One word after the other.", delay_s=60.0)
HASTENS = Completion(text="One word after the other.")


def asking(engine: Engine, name: str) -> asyncio.Task[object]:
    return asyncio.create_task(deltas_of(engine, PROMPT, ENDLESS, name))


@pytest.mark.parametrize("other", [WAITS, HASTENS])
def test_an_engine_that_dies_ends_all_its_generations_at_once(other: Completion) -> None:
    """As vLLM's does, also those that wait for a token."""
    engine = scripted_engine(other, Completion(text="Doomed.", fail_after=1, failure="engine"))

    async def die() -> None:
        await engine.start()
        first, second = asking(engine, "first"), asking(engine, "second")
        await asyncio.wait({first, second}, timeout=5)
        assert isinstance(first.exception(), EngineDeadError)
        assert isinstance(second.exception(), EngineDeadError)
        with pytest.raises(EngineDeadError):
            await engine.check()

    asyncio.run(die())
    assert engine.aborts.empty()


@pytest.mark.parametrize("other", [Completion(text="Slowly.", delay_s=0.01), HASTENS])
def test_an_engine_that_hangs_says_nothing_more_and_looks_well(other: Completion) -> None:
    """No generation gets a token, no progress is made, and a check finds nothing: what a hang is like."""
    engine = scripted_engine(other, Completion(text="Stuck.", hang_after=0, hang="engine"))

    async def hang() -> None:
        await engine.start()
        first, second = asking(engine, "first"), asking(engine, "second")
        await begun(engine, 2)
        await asyncio.sleep(0.05)
        before = engine.last_progress
        late = asking(engine, "late")
        done, _ = await asyncio.wait({first, second, late}, timeout=0.2)
        assert not done
        assert engine.last_progress == before
        await engine.check()
        await engine.stop(grace_s=0.0)
        await asyncio.wait({first, second, late}, timeout=5)
        assert all(isinstance(one.exception(), EngineDeadError) for one in (first, second, late))

    asyncio.run(hang())


def test_a_generation_that_hangs_alone_hangs_alone() -> None:
    """The others go on."""
    engine = scripted_engine(Completion(text="Stuck.", hang_after=1), Completion(text="Well."))

    async def hang() -> None:
        await engine.start()
        stuck = asking(engine, "stuck")
        await begun(engine)
        assert await deltas_of(engine, PROMPT, Sampling(max_tokens=3), "other")
        assert not stuck.done()
        stuck.cancel()
        await asyncio.wait({stuck})

    asyncio.run(hang())
    assert engine.aborts.get(timeout=1) == "stuck"


def test_it_counts_how_many_ran_together_but_not_the_server_s_own() -> None:
    """A test of a queue reads who was let in."""
    engine = scripted_engine(WAITS, warm_up=WAITS)

    async def three_at_once() -> None:
        await engine.start()
        asked = [asking(engine, name) for name in ("a", "b", "c", "warm-up", "canary-1")]
        await begun(engine, len(asked))
        for one in asked:
            one.cancel()
        await asyncio.wait(asked)

    asyncio.run(three_at_once())
    assert engine.most_running == 3


def test_the_priority_is_on_record() -> None:
    """A test of the classes reads it."""
    engine = scripted_engine(HASTENS)

    async def ask() -> None:
        await engine.start()
        await deltas_of(engine, PROMPT, Sampling(max_tokens=1), "a", priority=2)

    asyncio.run(ask())
    assert engine.generations[0].priority == 2
