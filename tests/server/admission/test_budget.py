"""What is in flight is counted, and what is too much is told so at once."""

from __future__ import annotations

import pytest

from huatuo_server.admission.budget import Budget
from huatuo_server.errors import ServerBusy


def budget(limit: int = 100) -> Budget:
    return Budget("bytes", limit, "--max-bytes-in-flight")


def test_what_is_over_the_limit_is_a_429_that_names_it() -> None:
    """The limit, its setting, and a reason for the metrics; what was held stays held."""
    bytes_in_flight = budget()
    held = bytes_in_flight.reservation()
    held.grow_to(60)

    with pytest.raises(ServerBusy, match=r"at most 100 at once \(--max-bytes-in-flight\)") as caught:
        bytes_in_flight.reservation().grow_to(41)

    assert (caught.value.status, caught.value.reason) == (429, "bytes_in_flight")
    assert bytes_in_flight.in_flight == 60


def test_a_reservation_grows_to_what_it_needs_and_goes_whole() -> None:
    """Growing counts the difference only; asking for less changes nothing; releasing twice is releasing once."""
    bytes_in_flight = budget()
    with bytes_in_flight.reservation() as held:
        for amount in (10, 30, 20):
            held.grow_to(amount)
        assert bytes_in_flight.in_flight == 30
        held.release()
        assert bytes_in_flight.in_flight == 0
    assert bytes_in_flight.in_flight == 0
