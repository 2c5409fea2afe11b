"""The table of generated ids says what vLLM's lists say."""

from __future__ import annotations

import numpy as np
import torch

from huatuo_vllm.generated import FIRST_COLUMNS, UNKNOWN, GeneratedIds

CPU = torch.device("cpu")


def check(generated: GeneratedIds, lists: list[list[int]]) -> None:
    """Follow the lists, which are slots 0, 1, ...; each row holds its list, and past it nothing else than its ids."""
    known = [[token_id for token_id in ids if token_id != UNKNOWN] for ids in lists]
    width = max(map(len, known)) + 3
    generated.follow(np.arange(len(lists)), lists)
    rows = generated.rows(torch.arange(len(lists)), width).tolist()
    assert generated.num_tokens[: len(lists)].tolist() == list(map(len, known))
    for row, ids in zip(rows, known, strict=True):
        if ids:
            assert row[: len(ids)] == ids
            assert set(row) == set(ids)


def test_rows_follow_lists_that_grow_by_any_number_and_shrink() -> None:
    """One token each, none, several, or fewer than before, in any mixture."""
    random = np.random.default_rng(2)
    generated = GeneratedIds(6, CPU)
    lists: list[list[int]] = [[] for _ in range(6)]
    for _ in range(200):
        for ids in lists:
            kind = random.integers(8)
            if kind == 0:
                del ids[len(ids) // 2 :]
            elif kind == 1:
                ids.extend(map(int, random.integers(1000, size=3)))
            elif kind > 2:
                ids.append(int(random.integers(1000)))
        check(generated, lists)


def test_an_answer_may_be_longer_than_the_first_table() -> None:
    """It grows for one answer, and the others keep what they have."""
    generated = GeneratedIds(2, CPU)
    long, short = [1], [2, 3]
    check(generated, [long, short])

    for number in range(2 * FIRST_COLUMNS):
        long.append(number)
        check(generated, [long, short])
    long += range(4 * FIRST_COLUMNS)

    check(generated, [long, short])


def test_a_token_that_is_not_known_yet_is_read_when_it_is() -> None:
    """Neither the stand-in nor what it stands for is in the row before."""
    generated = GeneratedIds(2, CPU)
    lists = [[5], [6]]
    check(generated, lists)

    for ids in lists:
        ids.append(UNKNOWN)
    check(generated, lists)
    lists[0][1:] = [7, UNKNOWN]
    check(generated, lists)
    lists[0][2], lists[1][1] = 8, 9

    check(generated, lists)


def test_a_slot_is_taken_over_without_what_was_in_it() -> None:
    """A shorter answer in the slot of a longer one has its own tokens alone."""
    generated = GeneratedIds(1, CPU)
    check(generated, [[1, 2, 3, 4]])

    generated.forget(0)

    check(generated, [[9]])


def test_slots_are_followed_in_any_order_and_number() -> None:
    """The order is the batch's, which vLLM changes as it likes."""
    generated = GeneratedIds(4, CPU)
    check(generated, [[1], [2], [3], [4]])

    generated.follow(np.array([3, 1]), [[4, 40], [2, 20]])

    rows = generated.rows(torch.tensor([1, 3, 0]), 2)
    assert rows.tolist() == [[2, 20], [4, 40], [1, 1]]
