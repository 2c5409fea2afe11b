"""What fits into the engine."""

from __future__ import annotations

import pytest

from huatuo_server.admission.capacity import Capacity, Load


def test_a_request_holds_whole_blocks() -> None:
    """The last block counts whole, as the engine counts it."""
    capacity = Capacity(num_seqs=4, kv_tokens=1000, block_tokens=16, context_tokens=100)

    assert [capacity.tokens_of(10, max_tokens) for max_tokens in (5, 6, 7)] == [16, 16, 32]


@pytest.mark.parametrize(("num_seqs", "kept"), [(1, 0), (2, 1), (15, 1), (16, 2), (256, 32)])
def test_an_eighth_of_the_sequences_is_kept(num_seqs: int, kept: int) -> None:
    """At least one, and none where there is but one."""
    assert Capacity(num_seqs, 1_000_000, 16, 100).kept_seqs == kept


@pytest.mark.parametrize(("kv_tokens", "kept"), [(1_000_000, 3200), (8000, 2000)])
def test_the_kept_sequences_have_tokens_kept(kv_tokens: int, kept: int) -> None:
    """A longest request each, at most a quarter of all."""
    assert Capacity(256, kv_tokens, 16, 100).kept_tokens == kept


def test_others_leave_room_for_stat() -> None:
    """Of 8 sequences and 800 tokens 1 and 100 are kept; stat itself may have all, and what it holds is kept no more."""
    load = Load(Capacity(num_seqs=8, kv_tokens=800, block_tokens=10, context_tokens=100))
    for _ in range(6):
        load.add("batch", 100)

    assert load.fits("routine", 100, keep=True)
    assert not load.fits("routine", 110, keep=True)
    assert load.fits("routine", 200, keep=False)
    load.add("routine", 100)
    assert not load.fits("routine", 10, keep=True)
    assert load.fits("stat", 100, keep=True)
    load.remove("batch", 100)
    load.add("stat", 100)
    assert load.fits("routine", 100, keep=True)


def test_one_may_take_several_sequences() -> None:
    """As many as are left for its lane, and no more; they are all free again when it has left."""
    load = Load(Capacity(num_seqs=8, kv_tokens=800, block_tokens=10, context_tokens=100))
    load.add("routine", 200, num_seqs=4)

    assert load.fits("routine", 300, num_seqs=3, keep=True)
    assert not load.fits("routine", 100, num_seqs=4, keep=True)
    assert load.fits("stat", 400, num_seqs=4, keep=True)
    load.remove("routine", 200, num_seqs=4)
    assert (load.seqs, load.tokens) == (0, 0)


def test_what_is_larger_than_all_goes_alone() -> None:
    """Into an empty engine anything fits; beside another it does not."""
    load = Load(Capacity(num_seqs=8, kv_tokens=800, block_tokens=10, context_tokens=1000))

    assert load.fits("batch", 1000, keep=True)
    assert load.fits("batch", 100, num_seqs=9, keep=True)
    load.add("stat", 10)
    assert not load.fits("batch", 1000, keep=True)
    assert not load.fits("batch", 100, num_seqs=9, keep=True)


@pytest.mark.parametrize(("num_seqs", "running", "within"), [(1, 0, False), (2, 0, True), (2, 1, False), (8, 3, True)])
def test_stat_goes_first_within_half(num_seqs: int, running: int, within: bool) -> None:
    """Of the sequences, and of the tokens; one more included."""
    load = Load(Capacity(num_seqs, 1000, 10, 100))
    for _ in range(running):
        load.add("stat", 100)

    assert load.stat_within_half(100) is within
    assert not load.stat_within_half(510)


def test_stats_half_counts_every_sequence() -> None:
    """One that takes four of eight is half of them, one that takes five is more."""
    load = Load(Capacity(num_seqs=8, kv_tokens=1000, block_tokens=10, context_tokens=100))

    assert load.stat_within_half(100, num_seqs=4)
    assert not load.stat_within_half(100, num_seqs=5)
