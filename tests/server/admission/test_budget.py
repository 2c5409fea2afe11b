"""What is in flight is counted, and what is too much is told so at once; nobody takes what others need."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.admission.budget import Budget, Reservation
from huatuo_server.admission.flow import Claimant, Flow
from huatuo_server.errors import ServerBusy
from huatuo_server.lane import LANES, Lane

numbers = count()


def budget(limit: int = 100) -> Budget:
    return Budget("bytes", limit, "--max-bytes-in-flight")


def one_of(tenant: str = "a", lane: Lane = "routine") -> Claimant:
    """Another request."""
    return Claimant(Flow(tenant, lane), str(next(numbers)))


def taken(bytes_in_flight: Budget, claimant: Claimant, amount: int) -> Reservation:
    held = bytes_in_flight.reservation(claimant)
    held.grow_to(amount)
    return held


def most(bytes_in_flight: Budget, tenant: str) -> int:
    """What a tenant gets with requests of 1 each."""
    for got in count():
        try:
            taken(bytes_in_flight, one_of(tenant), 1)
        except ServerBusy:
            return got
    raise AssertionError


def test_what_is_over_the_limit_is_a_429_that_names_it() -> None:
    """The limit, its setting, and a reason for the metrics; what was held stays held."""
    bytes_in_flight = budget()
    taken(bytes_in_flight, one_of("a"), 60)

    with pytest.raises(ServerBusy, match=r"at most 100 at once \(--max-bytes-in-flight\)") as caught:
        taken(bytes_in_flight, one_of("b"), 41)

    assert (caught.value.status, caught.value.reason) == (429, "bytes_in_flight")
    assert bytes_in_flight.in_flight == 60


def test_a_reservation_grows_to_what_it_needs_and_goes_whole() -> None:
    """Growing counts the difference only; asking for less changes nothing; releasing twice is releasing once."""
    bytes_in_flight = budget()
    with bytes_in_flight.reservation(one_of()) as held:
        for amount in (10, 30, 20):
            held.grow_to(amount)
        assert bytes_in_flight.in_flight == 30
        held.release()
        assert bytes_in_flight.in_flight == 0
    assert bytes_in_flight.in_flight == 0


def test_a_newcomer_finds_room_beside_a_noisy_tenant() -> None:
    """One tenant alone gets half, two a third each, whatever they ask for; what they give back counts no more."""
    bytes_in_flight = budget(120)

    assert [most(bytes_in_flight, tenant) for tenant in "abc"] == [60, 30, 15]

    bytes_in_flight = budget(120)
    taken(bytes_in_flight, one_of("a"), 60).release()
    assert most(bytes_in_flight, "a") == 60


def test_a_tenants_classes_are_kept_apart() -> None:
    """What its batch holds does not turn its stat away."""
    bytes_in_flight = budget(120)
    of_batch = most(bytes_in_flight, "a")

    of_stat = taken(bytes_in_flight, one_of("a", "stat"), 30)

    assert (of_batch, of_stat.amount) == (60, 30)
    assert bytes_in_flight.in_flight == 90


def test_one_request_of_a_tenant_that_has_no_other_fits_whole() -> None:
    """In as many parts as it likes: settings promise that the largest one fits."""
    bytes_in_flight, request = budget(), one_of()

    parts = [taken(bytes_in_flight, request, 20) for _ in range(5)]

    assert bytes_in_flight.in_flight == 100
    parts[0].release()
    with pytest.raises(ServerBusy):
        taken(bytes_in_flight, one_of(), 1)
    taken(bytes_in_flight, one_of("b"), 1)


def test_what_is_announced_is_judged_as_if_it_came() -> None:
    """`check` refuses what `grow_to` would, and takes nothing."""
    bytes_in_flight = budget()
    taken(bytes_in_flight, one_of(), 40)
    held = bytes_in_flight.reservation(one_of())

    held.check(20)
    with pytest.raises(ServerBusy):
        held.check(21)

    assert bytes_in_flight.in_flight == 40


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(LANES), st.integers(0, 60), st.booleans())))
def test_whatever_comes_and_goes_the_count_is_that_of_who_is_there(steps: list[tuple[str, Lane, int, bool]]) -> None:
    """Never more than the limit, and nothing when all are gone."""
    bytes_in_flight = budget()
    with ExitStack() as everybody:
        held: list[Reservation] = []
        for tenant, lane, amount, leaves in steps:
            if leaves and held:
                held.pop(amount % len(held)).release()
            held.append(everybody.enter_context(bytes_in_flight.reservation(one_of(tenant, lane))))
            with suppress(ServerBusy):
                held[-1].grow_to(amount)
            assert bytes_in_flight.in_flight == sum(each.amount for each in held) <= 100
    assert bytes_in_flight.in_flight == 0
    taken(bytes_in_flight, one_of("a"), 100)
