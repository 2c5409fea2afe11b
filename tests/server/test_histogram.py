"""The histogram says what prometheus_client's own says."""

from __future__ import annotations

import random
from collections.abc import Callable

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from huatuo_server.histogram import Histogram

BUCKETS = (0.001, 0.01, 0.1, 1.0)

AMOUNTS = [-1.0, 0.0, *BUCKETS, 2.0, *(random.Random(0).expovariate(20) for _ in range(500))]


def page(kind: type[prometheus_client.Histogram], write: Callable[[CollectorRegistry], bytes]) -> list[str]:
    """A page of one histogram with two labelled series, without the times of their creation."""
    registry = CollectorRegistry()
    histogram = kind("gap_seconds", "A gap.", ("engine",), registry=registry, buckets=BUCKETS)
    for number, amount in enumerate(AMOUNTS):
        histogram.labels(number % 2).observe(amount)
    return [line for line in write(registry).decode().splitlines() if not line.startswith("gap_seconds_created{")]


@pytest.mark.parametrize("write", [generate_latest, openmetrics.generate_latest])
def test_a_page_is_the_same_as_with_the_original(write: Callable[[CollectorRegistry], bytes]) -> None:
    """Names, labels, buckets, counts and sums, in both formats; a bucket holds its own bound."""
    assert page(Histogram, write) == page(prometheus_client.Histogram, write)


def test_many_of_one_amount_count_as_each_of_them() -> None:
    """Tokens that come together share their gap."""
    registry = CollectorRegistry()
    Histogram("gap_seconds", "A gap.", registry=registry, buckets=BUCKETS).observe_each(0.05, 3)

    value = registry.get_sample_value
    assert value("gap_seconds_count") == 3
    assert value("gap_seconds_sum") == pytest.approx(0.15)
    assert (value("gap_seconds_bucket", {"le": "0.01"}), value("gap_seconds_bucket", {"le": "0.1"})) == (0, 3)


def test_it_counts_on_after_it_was_read() -> None:
    """A scrape takes nothing away and counts nothing twice."""
    registry = CollectorRegistry()
    histogram = Histogram("gap_seconds", "A gap.", registry=registry, buckets=BUCKETS)
    histogram.observe(0.05)
    assert registry.get_sample_value("gap_seconds_count") == 1

    histogram.observe(0.5)

    assert registry.get_sample_value("gap_seconds_count") == 2
    assert registry.get_sample_value("gap_seconds_sum") == pytest.approx(0.55)
