"""Figures beside their rooflines, and verdicts that a table tells as the record does."""

from __future__ import annotations

import pytest

from benchmarks.speed.device.figure import Figure, Promise, table


@pytest.mark.parametrize(
    ("value", "promise", "kept"),
    [
        (4.2, Promise("ratio", "at most", 1.3), True),
        (4.3, Promise("ratio", "at most", 1.3), False),
        (2.0, Promise("ratio", "at least", 0.6), True),
        (90.0, Promise("value", "at most", 90.0), True),
        (94.9, Promise("value", "at least", 95.0), False),
        (1.0, None, None),
    ],
)
def test_a_promise_is_of_the_value_or_of_its_ratio(value: float, promise: Promise | None, kept: bool | None) -> None:
    """The limit itself will do, and where nothing was promised nothing is judged."""
    assert Figure("decode", value, "ms", roofline=3.3, promise=promise).kept is kept


def test_a_promise_of_a_ratio_needs_a_roofline() -> None:
    """Without one nothing is judged."""
    assert Figure("decode", 4.0, "ms", promise=Promise("ratio", "at most", 1.3)).kept is None


def test_a_missed_promise_stands_out_in_the_table() -> None:
    """One line a figure, the ratio and the verdict in it, and thousands with commas."""
    figures = [
        Figure("decode", 6.6, "ms", 3.3, Promise("ratio", "at most", 1.3)),
        Figure("KV capacity", 1_900_000, "tokens", 2_000_000),
    ]
    _, _, decode, capacity = table(figures).splitlines()
    assert decode == "| decode | 6.6 ms | 3.3 ms | 2.00 | at most 1.3 of the roofline: **missed** |  |"
    assert capacity == "| KV capacity | 1,900,000 tokens | 2,000,000 tokens | 0.95 |  |  |"


def test_the_record_holds_the_verdict() -> None:
    """Ratio, promise in words and whether it was kept, beside the figure."""
    plain = Figure("ready", 80.0, "s", promise=Promise("value", "at most", 90)).as_json()
    assert (plain["value"], plain["ratio"], plain["promise"], plain["kept"]) == (80.0, None, "at most 90", True)
