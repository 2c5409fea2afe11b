"""Turns: equal in tokens, whatever the size of the requests."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.admission.deficit_round_robin import DeficitRoundRobin, Share

QUANTUM = 100
LARGEST = 1000


class Backlog:
    """Requests without end; each key's sizes come round again and again."""

    def __init__(self, sizes: dict[str, list[int]], quanta: dict[str, int] | None = None) -> None:
        self.turns: DeficitRoundRobin[str] = DeficitRoundRobin(lambda key: (quanta or {}).get(key, QUANTUM))
        self.sizes = sizes
        self.taken = Counter[str]()
        self.numbers = Counter[str]()
        self.num_asked = 0
        for key in sizes:
            self.turns.add(key)

    def wanted(self, key: str) -> int:
        self.num_asked += 1
        return self.sizes[key][self.numbers[key] % len(self.sizes[key])]

    def take(self) -> tuple[str, int]:
        key, tokens, _ = self.pay()
        return key, tokens

    def pay(self) -> tuple[str, int, Share[str]]:
        key = self.turns.choose(self.wanted)
        tokens = self.wanted(key)
        payer = self.turns.charge(key, tokens)
        assert payer is not None
        self.taken[key] += tokens
        self.numbers[key] += 1
        return key, tokens, payer


@given(st.lists(st.lists(st.integers(1, LARGEST), min_size=1, max_size=5), min_size=2, max_size=6), st.integers(1, 200))
def test_tokens_are_shared_equally_within_a_quantum_and_a_request(sizes: list[list[int]], num_taken: int) -> None:
    """After any number of requests no two of those who always wait are further apart, large requests or small."""
    backlog = Backlog({str(number): each for number, each in enumerate(sizes)})

    for _ in range(num_taken):
        backlog.take()
        shares = [backlog.taken[key] for key in backlog.sizes]
        assert max(shares) - min(shares) <= QUANTUM + max(max(each) for each in sizes)


def test_shares_go_by_the_quantum() -> None:
    """4 to 4 to 1, also where a request is larger than a quantum."""
    backlog = Backlog({"a": [700], "b": [90], "c": [300]}, {"a": 400, "b": 400, "c": 100})

    for _ in range(3000):
        backlog.take()

    assert 0.95 < backlog.taken["a"] / backlog.taken["b"] < 1.05
    assert 3.8 < backlog.taken["b"] / backlog.taken["c"] < 4.2


def test_what_was_not_used_is_given_back() -> None:
    """Who reserves 1,000 tokens and uses 100 gets as many used tokens as who reserves 100 and uses them."""
    backlog, used = Backlog({"careful": [100], "careless": [1000]}), Counter[str]()

    for _ in range(1000):
        key, tokens, payer = backlog.pay()
        used[key] += 100
        payer.credit += tokens - 100

    assert used["careless"] == pytest.approx(used["careful"], rel=0.05)


def test_no_turn_goes_on_for_ever() -> None:
    """Who gets everything back at once has it from its next turn on: others come in between."""
    backlog, order = Backlog({"a": [100], "b": [100]}), ""

    for _ in range(40):
        key, tokens, payer = backlog.pay()
        order += key
        if key == "a":
            payer.credit += tokens

    assert order[:9] == "abaabaaab"


def test_who_stops_waiting_saves_nothing() -> None:
    """A tenant that went and came again starts at nothing, and last."""
    backlog = Backlog({"a": [100], "b": [100], "c": [100]})
    payers = [backlog.pay()[2] for _ in range(3)]
    for payer in payers:
        payer.credit += 100_000
    for key in "cba":
        backlog.turns.remove(key)
    for key in "ab":
        backlog.turns.add(key)
    payers[0].credit += 100_000

    assert [backlog.take()[0] for _ in range(4)] == ["a", "b", "a", "b"]


def test_who_is_alone_pays_nothing() -> None:
    """And neither owes nor has anything when others come again."""
    backlog = Backlog({"a": [1000], "b": [1000]})
    payers = [backlog.pay()[2] for _ in range(2)]
    backlog.turns.remove("b")
    payers[0].credit += 100_000
    assert backlog.turns.charge(backlog.turns.choose(backlog.wanted), 1000) is None

    backlog.turns.add("b")

    assert sorted(backlog.take()[0] for _ in range(4)) == ["a", "a", "b", "b"]


def test_a_choice_stands_until_it_is_charged() -> None:
    """Who was chosen and does not fit yet is chosen again, and newcomers change nothing."""
    backlog = Backlog({"a": [1000], "b": [1000]})
    chosen = backlog.turns.choose(backlog.wanted)
    backlog.sizes["c"] = [1]
    backlog.turns.add("c")

    assert [backlog.turns.choose(backlog.wanted) for _ in range(3)] == [chosen] * 3


def test_a_large_request_costs_no_more_to_choose() -> None:
    """A thousand quanta are given at once, not a round each."""
    backlog = Backlog({str(number): [1000 * QUANTUM] for number in range(20)})

    backlog.take()

    assert backlog.num_asked < 100
