"""A body and its part of the budget."""

from __future__ import annotations

import pytest

from huatuo_server.admission.body import Body
from huatuo_server.admission.budget import Budget
from huatuo_server.admission.flow import Claimant, Flow
from huatuo_server.errors import ServerBusy

CLAIMANT = Claimant(Flow("a", "routine"), "1")


def budget(limit: int = 100) -> Budget:
    return Budget("bytes", limit, "--max-bytes-in-flight")


def test_a_body_gives_back_what_it_held_even_where_it_fails() -> None:
    """Bytes and budget go with the block."""
    bytes_in_flight = budget()
    body = Body(bytes_in_flight, CLAIMANT)
    body.reserved.grow_to(100)
    body.received += b"x" * 100
    with pytest.raises(ServerBusy), body:
        body.reserved.grow_to(101)

    assert bytes_in_flight.in_flight == 0
    assert not body.received


def test_a_body_is_taken_by_one_alone() -> None:
    """Whoever takes the bytes is the only one to hold them."""
    with Body(budget(), CLAIMANT) as body:
        body.received += b"x"
        assert bytes(body.take()) == b"x"
        assert not body.take()
