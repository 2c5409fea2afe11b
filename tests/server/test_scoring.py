"""Options and their log-probabilities: what the engine is asked, how often, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.engine.base import TokenDelta
from huatuo_server.errors import ContextLengthExceeded, EngineRequestError, InvalidRequest
from huatuo_server.protocol.choices_request import MAX_CHOICES
from huatuo_server.sampling import Room
from huatuo_server.scoring import (
    MAX_TOKENS,
    Fork,
    NextLogprobs,
    Option,
    Scores,
    forks,
    next_logprobs,
    require_room,
    scored,
    softmax,
    tokenised,
)
from huatuo_server.tokenizer import Tokenizer
from tests import golden

Ids = tuple[int, ...]
SETS_OF_IDS = st.sets(st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple), min_size=2, max_size=MAX_CHOICES)


def options_of(*all_ids: Sequence[int]) -> list[Option]:
    return [Option(str(ids), tuple(ids)) for ids in all_ids]


def logprob(prefix: Ids, token_id: int) -> float:
    """Some number of its own for each place."""
    return -0.001 * hash((prefix, token_id)) % 7 - 8


class Engine:
    """Answers at once, or when it is told to. asked: the forks, in order. most_at_once: of questions."""

    def __init__(self, *, waits: bool = False) -> None:
        self.asked: list[Fork] = []
        self.most_at_once = self.cancelled = self._at_once = 0
        self.go_on = asyncio.Event()
        self._waits = waits
        self.fails_at: Ids | None = None

    async def ask(self, fork: Fork) -> NextLogprobs:
        self.asked.append(fork)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            if fork.prefix == self.fails_at:
                raise EngineRequestError("This one fails.")
            if fork.length and self._waits:
                await self.go_on.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self._at_once -= 1
        return NextLogprobs({one: logprob(fork.prefix, one) for one in fork.next_ids}, 16 + fork.length)


def score(engine: Engine, options: Sequence[Option], at_once: int = 8) -> Scores:
    return asyncio.run(scored(options, engine.ask, at_once=at_once))


def told(logprobs: Sequence[Mapping[int, float]], next_ids: Sequence[int]) -> NextLogprobs:
    """What is read of a generation that says so."""
    fork = Fork(Option("", ()), 0, {one: Fork(Option("", ()), 1) for one in next_ids})
    return next_logprobs([TokenDelta((5,), "length", tuple(logprobs), 32)], fork)


# ---------------------------------------------------------------- what is asked


def test_options_of_one_token_are_one_question() -> None:
    """Twenty-six letters: one step of the engine tells them all."""
    engine = Engine()

    scores = score(engine, options_of(*([one] for one in range(MAX_CHOICES))))

    (fork,) = engine.asked
    assert (fork.prefix, fork.next_ids) == ((), tuple(range(MAX_CHOICES)))
    assert [one.logprobs for one in scores.options] == [(logprob((), one),) for one in range(MAX_CHOICES)]


def test_what_options_share_is_asked_once() -> None:
    """Each place where an option goes on is one question, about the tokens that follow there and no others."""
    engine = Engine()

    score(engine, options_of([1, 2, 3], [1, 2, 4], [1, 5], [6]))

    assert {fork.prefix: fork.next_ids for fork in engine.asked} == {(): (1, 6), (1,): (2, 5), (1, 2): (3, 4)}
    assert len(engine.asked) == 3


def test_an_option_may_begin_another() -> None:
    """The short one ends where the long one goes on; nothing is asked behind an end."""
    engine = Engine()

    scores = score(engine, options_of([1], [1, 2], [1, 2, 3]))

    assert [fork.prefix for fork in engine.asked] == [(), (1,), (1, 2)]
    first, second, third = (logprob((), 1), logprob((1,), 2), logprob((1, 2), 3))
    assert [one.logprobs for one in scores.options] == [(first,), (first, second), (first, second, third)]


@given(SETS_OF_IDS)
def test_every_token_has_the_log_probability_of_its_place(all_ids: set[Ids]) -> None:
    """Of whatever options: what stands behind a token is what the engine says of exactly that prefix."""
    engine = Engine()

    scores = score(engine, options_of(*all_ids))

    for one in scores.options:
        ids = one.option.token_ids
        assert one.logprobs == tuple(logprob(ids[:length], ids[length]) for length in range(len(ids)))
        assert one.logprob_sum == pytest.approx(sum(one.logprobs))
        assert one.logprob_mean == pytest.approx(sum(one.logprobs) / len(ids))
    prefixes = [fork.prefix for fork in engine.asked]
    assert len(prefixes) == len(set(prefixes))
    assert scores.num_tokens == sum(map(len, all_ids))


def test_the_prompt_is_read_alone_and_the_rest_side_by_side() -> None:
    """Nothing else is asked before the first answer; then as many at once as were asked for, and no more."""

    async def scene() -> Engine:
        engine = Engine(waits=True)
        scoring = asyncio.create_task(scored(options_of(*([one, 7, 8] for one in range(10))), engine.ask, at_once=3))
        for _ in range(10):
            await asyncio.sleep(0)
        assert [fork.length for fork in engine.asked] == [0, 1, 1, 1]
        engine.go_on.set()
        await scoring
        return engine

    engine = asyncio.run(scene())

    assert engine.most_at_once == 3
    assert len(engine.asked) == 1 + 10 + 10


def test_the_prompts_cached_tokens_are_those_of_the_first_question() -> None:
    """Later ones find what the first one left there."""
    assert score(Engine(), options_of([1, 2], [3, 4])).num_cached_tokens == 16


# ---------------------------------------------------------------- how it ends before its end


def test_a_failure_gives_up_the_others() -> None:
    """The first error is the request's, and what was being asked is cancelled before it is raised."""

    async def scene() -> Engine:
        engine = Engine(waits=True)
        engine.fails_at = (3,)
        with pytest.raises(EngineRequestError, match="This one fails"):
            await scored(options_of([1, 9], [2, 9], [3, 9], [4, 9]), engine.ask, at_once=3)
        return engine

    assert asyncio.run(scene()).cancelled == 2


def test_a_cancelled_request_asks_nothing_more() -> None:
    """A client that hangs up, or a deadline: all that is being asked is given up."""

    async def scene() -> Engine:
        engine = Engine(waits=True)
        scoring = asyncio.create_task(scored(options_of(*([one, 9] for one in range(20))), engine.ask))
        for _ in range(10):
            await asyncio.sleep(0)
        scoring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await scoring
        return engine

    engine = asyncio.run(scene())

    assert (engine.cancelled, len(engine.asked)) == (8, 9)


# ---------------------------------------------------------------- what the engine says


def test_only_the_ids_that_were_asked_for_are_taken() -> None:
    """The chosen token's own stands there too, and is nobody's option."""
    found = told([{5: -0.1, 7: -3.0, 8: -9999.0}], [7, 8])

    assert found == NextLogprobs({7: -3.0, 8: -9999.0}, 32)


@pytest.mark.parametrize(
    "logprobs",
    [[], [{7: -1.0}], [{7: -1.0, 8: -math.inf}], [{7: -1.0, 8: math.nan}], [{7: -1.0, 8: -1.0}] * 2],
    ids=["nothing", "one is missing", "infinite", "no number", "two steps"],
)
def test_an_answer_that_is_not_whole_is_the_engines_failure(logprobs: list[dict[int, float]]) -> None:
    """Nothing that JSON cannot hold, and nothing made up, gets any further."""
    with pytest.raises(EngineRequestError):
        told(logprobs, [7, 8])


def test_the_most_unlikely_options_have_a_probability() -> None:
    """Sums far below what an exponential can hold are still shared out, and add up to 1."""
    assert softmax([-9999.0 * 40, -9999.0 * 40]) == [0.5, 0.5]
    assert softmax([-1000.0, -1000.0 - math.log(3)]) == pytest.approx([0.75, 0.25])
    assert softmax([0.0, -9999.0]) == [1.0, 0.0]


# ---------------------------------------------------------------- options


def test_options_are_tokenised_on_their_own() -> None:
    """The ids of the text alone, with no end of sequence behind it."""
    tokenizer = Tokenizer.load(golden.CHECKPOINT)

    options = tokenised(["A", "a fracture of the radius"], tokenizer)

    assert [option.token_ids for option in options] == [
        tuple(tokenizer.encode("A")),
        tuple(tokenizer.encode("a fracture of the radius")),
    ]


class OneTokenEach:
    """A tokenizer that reads letters, small or large alike, and nothing else."""

    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text.lower() if letter.isalpha()]


@pytest.mark.parametrize(
    ("texts", "param"),
    [(["yes", "no", "YES"], "choices.2"), (["yes", "..."], "choices.1"), (["a" * MAX_TOKENS, "b"], "choices")],
    ids=["same tokens", "no token", "too many tokens"],
)
def test_options_that_cannot_be_told_apart_or_weighed_are_refused(texts: list[str], param: str) -> None:
    """By place and without their text."""
    with pytest.raises(InvalidRequest) as refused:
        tokenised(texts, OneTokenEach())  # type: ignore[arg-type]

    assert refused.value.param == param
    assert "YES" not in str(refused.value)


def test_the_longest_option_must_fit_behind_the_prompt() -> None:
    """To the last token of the context, and the error says what does not fit."""
    options = options_of([1], [1, 2, 3])
    require_room(options, Room(prompt=97, images=0, context=100))

    with pytest.raises(ContextLengthExceeded) as refused:
        require_room(options, Room(prompt=98, images=0, context=100))

    assert refused.value.param == "choices"


def test_long_options_take_little_memory() -> None:
    """As many forks as tokens, whose prefixes are made when they are asked about."""
    found = forks(options_of(range(MAX_TOKENS - 1), [0, 0]))

    assert len(found) == MAX_TOKENS - 1
    assert found[-1].prefix == tuple(range(MAX_TOKENS - 2))
