"""Whose turn it is, what is kept for whom, and what a full queue says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from huatuo_server.admission.capacity import Capacity
from huatuo_server.admission.fair_queue import FairQueue
from huatuo_server.admission.flow import Flow
from huatuo_server.errors import DeadlineExceeded, ServerBusy
from huatuo_server.lane import LANES, Lane
from tests.server.admission.fair_queues import Scene, settled


def on_a_loop(scene: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(scene)
    def run(**arguments: Any) -> None:
        asyncio.run(scene(**arguments))

    return run


def engine(num_seqs: int = 2, kv_tokens: int = 100_000) -> Capacity:
    return Capacity(num_seqs=num_seqs, kv_tokens=kv_tokens, block_tokens=10, context_tokens=1000)


def filled(scene: Scene, lane: Lane) -> ServerBusy:
    """What the queue says to a tenant that takes one place after another."""
    while True:
        try:
            scene.queue.place(Flow("a", lane))
        except ServerBusy as busy:
            return busy


# ---------------------------------------------------------------- what goes in


@on_a_loop
async def test_no_more_go_in_than_the_engine_has_sequences() -> None:
    """The third of two waits, and goes in when one leaves."""
    scene = Scene(engine(num_seqs=2))
    first, _, third = [await scene.ask("a") for _ in range(3)]
    assert (scene.queue.num_running, scene.queue.num_waiting("routine"), third.inside) == (2, 1, False)

    await scene.end(first)

    assert third.inside
    assert (scene.queue.num_running, scene.queue.num_waiting("routine")) == (2, 0)


@on_a_loop
async def test_tokens_are_set_aside_for_the_longest_answer() -> None:
    """A prompt and all that may follow it, in whole blocks, are counted until it leaves, however short the answer."""
    scene = Scene(engine(num_seqs=8, kv_tokens=1000))
    first = await scene.ask("a", 495, prompt=95)
    second = await scene.ask("a", 501, prompt=1)
    assert (scene.queue.tokens_running, second.inside) == (500, False)

    await scene.end(first, completion_tokens=1)

    assert (scene.queue.tokens_running, second.inside) == (510, True)


@on_a_loop
async def test_what_is_larger_than_the_engine_goes_in_alone() -> None:
    """Not before all have left, and nobody beside it."""
    scene = Scene(engine(num_seqs=8, kv_tokens=1000))
    small, large, next_one = [await scene.ask("a", tokens) for tokens in (100, 1500, 100)]
    assert not large.inside

    await scene.end(small)
    assert large.inside
    assert not next_one.inside

    await scene.end(large)
    assert next_one.inside


@on_a_loop
async def test_a_small_request_does_not_pass_a_large_one() -> None:
    """The head that does not fit yet holds up those behind it: else it would wait for ever."""
    scene = Scene(engine(num_seqs=8, kv_tokens=1000))
    await scene.ask("a", 600)
    large, small = await scene.ask("a", 500), await scene.ask("a", 100)

    assert not large.inside
    assert not small.inside


@on_a_loop
async def test_a_request_may_take_several_sequences() -> None:
    """Four of eight, with the tokens of four: five more wait until they have left, and one goes in beside the five."""
    scene = Scene(engine(num_seqs=8, kv_tokens=10_000))
    four = await scene.ask("a", 500, num_seqs=4)
    assert (scene.queue.num_running, scene.queue.tokens_running) == (4, 2000)

    five, one = await scene.ask("a", 500, num_seqs=5), await scene.ask("a", 500)
    assert (five.inside, one.inside) == (False, False)

    await scene.end(four)
    assert (five.inside, one.inside) == (True, True)
    assert (scene.queue.num_running, scene.queue.tokens_running) == (6, 3000)
    await scene.end_all()
    assert (scene.queue.num_running, scene.queue.tokens_running) == (0, 0)


@on_a_loop
async def test_more_sequences_than_the_engine_has_go_in_alone() -> None:
    """Four of two: not beside another, and nobody beside them; the engine runs them one after another."""
    scene = Scene(engine(num_seqs=2))
    small, large, next_one = await scene.ask("a"), await scene.ask("a", num_seqs=4), await scene.ask("a")
    assert not large.inside

    await scene.end(small)
    assert (large.inside, next_one.inside) == (True, False)

    await scene.end(large)
    assert next_one.inside


# ---------------------------------------------------------------- whose turn it is


@on_a_loop
async def test_tenants_take_turns_however_many_requests_one_brings() -> None:
    """Forty of one and four of another: the four do not wait for the forty."""
    scene = Scene(engine(num_seqs=1))
    for tenant, number in (("a", 40), ("b", 4)):
        for _ in range(number):
            await scene.ask(tenant, 1000)

    await scene.end_all()

    assert scene.order().startswith("aabababab")


@on_a_loop
async def test_turns_are_counted_in_tokens() -> None:
    """Who asks for a quarter of the tokens is asked four times as often."""
    scene = Scene(engine(num_seqs=1, kv_tokens=100_000))
    for _ in range(40):
        await scene.ask("a", 2000)
        await scene.ask("b", 500)

    await scene.end_all()

    assert scene.order()[:50].count("b") == pytest.approx(40, abs=4)


@on_a_loop
async def test_unused_tokens_are_given_back() -> None:
    """Prompts and answers of the same length, and one tenant set aside six times the room: both get as many."""
    scene = Scene(engine(num_seqs=4))
    for tenant, tokens in (("a", 6700), ("b", 1700)):
        for _ in range(100):
            await scene.ask(tenant, tokens, prompt=700)

    while len(scene.entered) < 100:
        await scene.end(next(asked for asked in scene.entered if asked.inside), completion_tokens=300)

    assert scene.order()[:100].count("a") == pytest.approx(50, abs=5)


@on_a_loop
async def test_several_sequences_cost_as_many_turns() -> None:
    """Who asks for four at once is asked a quarter as often; what none of the four used is given back."""
    scene = Scene(engine(num_seqs=4))
    for _ in range(100):
        await scene.ask("a", 2000, num_seqs=4)
        await scene.ask("b", 500)

    while len(scene.entered) < 100:
        asked = next(asked for asked in scene.entered if asked.inside)
        await scene.end(asked, completion_tokens=asked.num_seqs * 500)

    assert scene.order().count("b") == pytest.approx(80, abs=8)


@on_a_loop
async def test_lanes_share_4_to_4_to_1_and_batch_is_never_starved() -> None:
    """Stat beyond its half takes turns with routine, batch gets an eighth of either."""
    scene = Scene(engine(num_seqs=1))
    for _ in range(100):
        await scene.ask("s", 1000, "stat")
        await scene.ask("r", 1000, "routine")
        await scene.ask("b", 1000, "batch")

    await scene.end_all()

    order = scene.order()[:91]
    assert (order.count("s"), order.count("r"), order.count("b")) == pytest.approx((40, 40, 10), abs=2)


@on_a_loop
async def test_stat_goes_first_up_to_half_of_the_engine() -> None:
    """Four of eight sequences go to stat at once, in front of those who waited longer; a fifth takes turns."""
    scene = Scene(engine(num_seqs=8))
    running = [await scene.ask("r", 1000) for _ in range(8)]
    for _ in range(20):
        await scene.ask("r", 1000)
    for _ in range(6):
        await scene.ask("s", 1000, "stat")

    for asked in running[:6]:
        await scene.end(asked)

    assert scene.order()[8:12] == "ssss"
    assert "r" in scene.order()[12:14]


@on_a_loop
async def test_places_inside_are_kept_for_stat_where_a_key_has_that_class() -> None:
    """Of 8 sequences one stays free under any load of others, and stat is inside at once; without such a key all go."""
    scene = Scene(engine(num_seqs=8), keeps_stat=True)
    for _ in range(20):
        await scene.ask("b", 100, "batch")
    assert scene.queue.num_running == 7

    stat = await scene.ask("s", 100, "stat")
    assert stat.inside

    scene.keeps_stat = False
    await scene.end(stat)
    assert scene.queue.num_running == 8


@on_a_loop
async def test_a_large_request_gets_in_under_endless_stat() -> None:
    """Stat passes a head that does not fit until half of the engine's tokens have passed it, then it waits, too."""
    scene = Scene(engine(num_seqs=16, kv_tokens=1000), keeps_stat=True)
    blocker = await scene.ask("x", 500)
    stat = [await scene.ask("s", 100, "stat") for _ in range(5)]
    large = await scene.ask("r", 2000)
    stat += [await scene.ask("s", 100, "stat") for _ in range(20)]

    while inside := [asked for asked in stat if asked.inside]:
        await scene.end(inside[0])
        stat.append(await scene.ask("s", 100, "stat"))
        assert len(scene.entered) < 100
    await scene.end(blocker)

    assert large.inside
    # Five were inside, five passed, and ten or eleven went while it was their lane's turn.
    assert len(scene.entered) - len([blocker, large]) <= 5 + 5 + 11


@on_a_loop
async def test_one_sequence_is_shared_by_stat_and_routine() -> None:
    """Where there is but one sequence stat has no half of it, and takes turns."""
    scene = Scene(engine(num_seqs=1), keeps_stat=True)
    for _ in range(10):
        await scene.ask("s", 1000, "stat")
        await scene.ask("r", 1000)

    await scene.end_all()

    assert 4 <= scene.order()[:10].count("r") <= 6


# ---------------------------------------------------------------- how many may wait


@on_a_loop
async def test_a_full_queue_says_so_at_the_door() -> None:
    """429 with OpenAI's headers before anything is claimed; `check` and `place` agree."""
    scene = Scene(engine(num_seqs=1), max_waiting=4)
    for _ in range(3):
        await scene.ask("a")

    with pytest.raises(ServerBusy) as checked:
        scene.queue.check(Flow("a", "routine"))
    with pytest.raises(ServerBusy) as placed:
        scene.queue.place(Flow("a", "routine"))

    assert (checked.value.status, checked.value.code, checked.value.reason) == (429, "server_busy", "queue_full")
    assert checked.value.headers == placed.value.headers
    assert checked.value.headers == {
        "Retry-After": "1",
        "x-ratelimit-limit-requests": "4",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1s",
    }
    assert scene.queue.num_waiting("routine") == 2


@on_a_loop
async def test_a_newcomer_finds_a_place_in_front_of_a_noisy_tenant() -> None:
    """One tenant alone gets half of the places, two a third each, and who has none gets one even if all are taken;
    other lanes are not touched by it.
    """
    scene = Scene(engine(num_seqs=1), max_waiting=12)
    await scene.ask("x")

    async def places(tenant: str) -> int:
        asked = [await scene.ask(tenant) for _ in range(20)]
        return sum(each.error is None for each in asked)

    assert [await places(tenant) for tenant in "abcd"] == [6, 3, 2, 1]
    assert [await places(tenant) for tenant in "efg"] == [1, 1, 1]
    assert (await scene.ask("a", lane="batch")).error is None


@on_a_loop
async def test_an_idle_engine_is_not_waited_for() -> None:
    """Eight at once, all of one tenant, are no queue where the engine has eight free sequences."""
    scene = Scene(engine(num_seqs=8), max_waiting=8)

    places = [scene.queue.place(Flow("a", "routine")) for _ in range(8)]

    for place in places:
        await place.enter(50, 50, None)
    assert scene.queue.num_running == 8


@on_a_loop
async def test_a_newcomer_finds_a_place_when_an_idle_engine_has_filled_up() -> None:
    """One tenant prepares as many as were idle, then others fill the engine: whoever has no place still gets one."""
    scene = Scene(engine(num_seqs=8), max_waiting=8)
    places = [scene.queue.place(Flow("a", "routine")) for _ in range(8)]
    for _ in range(8):
        await scene.ask("c", lane="batch")

    newcomers = [scene.queue.place(Flow(tenant, "routine")) for tenant in "bd"]

    for tenant in "abd":
        with pytest.raises(ServerBusy):
            scene.queue.place(Flow(tenant, "routine"))
    assert scene.queue.num_waiting("routine") == len(places + newcomers)


@on_a_loop
async def test_retry_after_is_what_waits_by_what_leaves() -> None:
    """One of 100 tokens leaves a second, and 15 wait in each lane: 15 s, and those of the lanes before it."""
    scene = Scene(engine(num_seqs=1), max_waiting=30)
    for _ in range(12):
        await scene.ask("a")
    for _ in range(2):
        scene.clock.now += 1
        await scene.end(scene.entered[-1])
        await scene.ask("a")

    # Each lane is filled up with requests of unknown size to 15 of one tenant.
    headers = {lane: filled(scene, lane).headers for lane in LANES}

    assert {lane: of_lane["Retry-After"] for lane, of_lane in headers.items()} == {
        "stat": "15",
        "routine": "30",
        "batch": "45",
    }
    assert headers["batch"]["x-ratelimit-reset-requests"] == "45s"


@on_a_loop
async def test_retry_after_is_never_more_than_a_minute() -> None:
    """However slow the engine is: by then all may be different."""
    scene = Scene(engine(num_seqs=1), max_waiting=20)
    for _ in range(3):
        await scene.ask("a")
    scene.clock.now += 100
    await scene.end(scene.entered[-1])

    assert filled(scene, "routine").headers["Retry-After"] == "60"


@on_a_loop
async def test_who_looks_on_hears_how_many_wait() -> None:
    """Each change of a lane's number, down to 0."""
    scene = Scene(engine(num_seqs=1))
    first = await scene.ask("a")
    second = await scene.ask("a")
    await scene.ask("b", lane="batch")
    assert scene.waiting == {"routine": 1, "batch": 1}

    await scene.end(first)
    await scene.end(second)

    assert scene.waiting == {"routine": 0, "batch": 0}


# ---------------------------------------------------------------- places are given back


@on_a_loop
async def test_a_place_is_given_back_however_its_block_ends() -> None:
    """By an error before the line, in it, and inside."""
    scene = Scene(engine(num_seqs=1), max_waiting=4)
    with pytest.raises(ValueError, match="an image"), scene.queue.place(Flow("a", "routine")):
        raise ValueError("an image is bad")
    inside, in_line = await scene.ask("a"), await scene.ask("a")
    for asked in (in_line, inside):
        assert asked.task is not None
        asked.task.cancel()
        await settled()

    assert (scene.queue.num_waiting("routine"), scene.queue.num_running, scene.queue.tokens_running) == (0, 0, 0)


@on_a_loop
async def test_who_is_cancelled_in_the_moment_of_its_turn_holds_nothing() -> None:
    """Its turn came, and before it could go on it was cancelled: the next one goes in."""
    scene = Scene(engine(num_seqs=1))
    first, second, third = [await scene.ask("a") for _ in range(3)]
    assert first.leave is not None
    assert second.task is not None

    first.leave.set_result(10)
    await asyncio.sleep(0)
    second.task.cancel()
    await settled()

    assert second.task.cancelled()
    assert third.inside
    assert scene.queue.num_running == 1


@on_a_loop
async def test_a_head_that_gives_up_lets_those_behind_it_in() -> None:
    """A large one that waits for room holds up a small one, until its client is gone."""
    scene = Scene(engine(num_seqs=8, kv_tokens=1000))
    await scene.ask("a", 600)
    large, small = await scene.ask("a", 500), await scene.ask("b", 100)
    assert large.task is not None

    large.task.cancel()
    await settled()

    assert small.inside


@on_a_loop
async def test_leaving_twice_is_leaving_once() -> None:
    """The block's end comes after the answer's."""
    queue = FairQueue(4, keeps_stat=lambda: False)
    queue.open(engine(num_seqs=2))
    with queue.place(Flow("a", "routine")) as place:
        await place.enter(10, 10, None)
        place.leave(10)
        place.leave(10)

    assert (queue.num_running, queue.tokens_running) == (0, 0)


# ---------------------------------------------------------------- deadlines


async def paced(num_seqs: int = 1, *, to_first_token_s: float) -> Scene:
    """An engine that was seen to take so long for every answer, and is full now with one that waits for nothing."""
    scene = Scene(engine(num_seqs))
    for _ in range(32):
        asked = await scene.ask("a")
        scene.clock.now += to_first_token_s
        await scene.end(asked)
    for _ in range(num_seqs):
        await scene.ask("a")
    return scene


@on_a_loop
async def test_a_deadline_that_has_passed_is_refused_even_by_an_idle_engine() -> None:
    """504 at once, and nothing is held."""
    scene = Scene(engine())
    scene.clock.now = 10

    asked = await scene.ask("a", deadline=9.9)

    assert isinstance(asked.error, DeadlineExceeded)
    assert (scene.queue.num_running, scene.queue.num_waiting("routine")) == (0, 0)


@on_a_loop
async def test_who_cannot_make_it_any_more_is_refused_at_once() -> None:
    """Answers take 2 s: one that has 1.9 s left does not join the line, one that has more does."""
    scene = await paced(to_first_token_s=2)

    hopeless = await scene.ask("a", deadline=scene.clock.now + 1.9)
    hopeful = await scene.ask("a", deadline=scene.clock.now + 3)

    assert isinstance(hopeless.error, DeadlineExceeded)
    assert hopeful.task is not None
    assert not hopeful.task.done()


@on_a_loop
async def test_who_cannot_make_it_when_its_turn_comes_is_left_out() -> None:
    """It was in time when it came, and costs the engine nothing now; the next one goes in."""
    scene = await paced(to_first_token_s=2)
    late = await scene.ask("a", deadline=scene.clock.now + 5)
    following = await scene.ask("a", deadline=scene.clock.now + 50)
    scene.clock.now += 4

    await scene.end(scene.entered[-1])

    assert isinstance(late.error, DeadlineExceeded)
    assert following.inside


@on_a_loop
async def test_sequences_side_by_side_are_each_as_slow_as_all() -> None:
    """Four that made 400 tokens in 10 s made 100 each: whoever wants 100 more needs 10 s, not 2.5."""
    scene = Scene(engine(num_seqs=4))
    with scene.queue.place(Flow("a", "routine")) as place:
        await place.enter(0, 100, None, num_seqs=4)
        place.first_token()
        scene.clock.now += 9.9
        place.leave(400)
    await scene.ask("a", num_seqs=4)

    hopeless = await scene.ask("a", deadline=scene.clock.now + 9.9)
    hopeful = await scene.ask("a", deadline=scene.clock.now + 10.1)

    assert isinstance(hopeless.error, DeadlineExceeded)
    assert not hopeful.task_done


@on_a_loop
async def test_an_idle_engine_is_tried() -> None:
    """What it took when it was busy says little of an idle one, and nobody else needs it."""
    scene = await paced(to_first_token_s=2)
    await scene.end(scene.entered[-1])

    asked = await scene.ask("a", deadline=scene.clock.now + 1)

    assert asked.inside


@on_a_loop
async def test_the_past_is_forgotten_so_that_somebody_is_let_in_again() -> None:
    """Half a minute without an answer, and a deadline that looked hopeless is given its chance."""
    scene = await paced(num_seqs=2, to_first_token_s=2)
    scene.clock.now += 31
    gone = scene.entered[-1]
    assert gone.task is not None
    gone.task.cancel()
    await settled()

    asked = await scene.ask("a", deadline=scene.clock.now + 1)

    assert asked.inside


def test_one_that_waits_is_told_as_soon_as_its_time_is_over() -> None:
    """On the real clock: not when its turn would come, but 0.2 s after it asked, and early by nothing."""
    came_after: list[float] = []

    async def scene() -> None:
        queue = FairQueue(8, keeps_stat=lambda: False)
        queue.open(engine(num_seqs=1))
        await queue.place(Flow("a", "routine")).enter(10, 10, None)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded), queue.place(Flow("a", "routine")) as place:
            await place.enter(10, 10, began + 0.2)
        came_after.append(time.monotonic() - began)
        assert queue.num_waiting("routine") == 0

    asyncio.run(scene())

    print(f"told after {came_after[0]:.3f} s; 0.2 s were given")
    assert 0.2 <= came_after[0] < 1.2


# ---------------------------------------------------------------- what the engine reads at a time


@on_a_loop
async def test_where_stat_is_kept_room_for_others_prompts_are_read_a_few_at_a_time() -> None:
    """A second picture of a batch goes in when the first has been read; stat does not wait for either."""
    scene = Scene(engine(num_seqs=16), keeps_stat=True)
    first, second = [await scene.ask("a", 750, "batch", prompt=700) for _ in range(2)]
    short = await scene.ask("b", 100, "stat", prompt=50)
    assert (first.inside, second.inside, short.inside) == (True, False, True)

    await scene.end(first)

    assert second.inside


@on_a_loop
async def test_what_was_read_makes_room_before_it_has_left() -> None:
    """It is the first token that counts, and an abort before it."""
    scene = Scene(engine(num_seqs=16), keeps_stat=True)
    place = scene.queue.place(Flow("a", "batch"))
    await place.enter(700, 50, None)
    waiting = await scene.ask("a", 750, "batch", prompt=700)
    assert not waiting.inside

    place.first_token()
    await settled()
    assert waiting.inside

    third = await scene.ask("a", 750, "batch", prompt=700)
    assert waiting.task is not None
    waiting.task.cancel()
    await settled()
    assert third.inside


@on_a_loop
async def test_sequences_of_one_request_read_their_prompt_once() -> None:
    """Four answers to a question of 400 tokens are 400 to be read, so that another such question goes in beside it."""
    scene = Scene(engine(num_seqs=16), keeps_stat=True)

    first, second, third = [await scene.ask("a", 450, "batch", prompt=400, num_seqs=4) for _ in range(3)]

    assert (first.inside, second.inside, third.inside) == (True, True, False)


@on_a_loop
async def test_without_stat_keys_nobody_waits_for_others_to_be_read() -> None:
    """What is kept for nobody is lost to all."""
    scene = Scene(engine(num_seqs=16))

    asked = [await scene.ask("a", 750, "batch", prompt=700) for _ in range(8)]

    assert all(one.inside for one in asked)
