"""Metrics: the numbers mean what their names say, and vLLM's names survive every format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from huatuo_server.metrics import Metrics

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
UNDERSCORES = "application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry, clock: Clock) -> Metrics:
    return Metrics(registry, clock)


def samples(families: Iterable[Any]) -> set[str]:
    return {sample.name for family in families for sample in family.samples}


def test_ttft_itl_and_e2e_are_measured_from_received(
    metrics: Metrics, registry: CollectorRegistry, clock: Clock
) -> None:
    """TTFT from received to the first token, ITL a gap a token, E2E from received to the end."""
    meter = metrics.request("/v1/chat/completions")
    clock.now += 0.5
    meter.entered_engine()
    clock.now += 0.25
    meter.tokens(1)
    clock.now += 0.004
    meter.tokens(1)
    clock.now += 0.0045
    meter.tokens(3)
    clock.now += 1
    meter.end("ok", prompt_tokens=640, completion_tokens=5)

    value = registry.get_sample_value
    assert value("hgv_queue_time_seconds_sum") == pytest.approx(0.5)
    assert value("hgv_time_to_first_token_seconds_sum") == pytest.approx(0.75)
    assert value("hgv_time_to_first_token_seconds_count") == 1
    assert value("hgv_inter_token_latency_seconds_count") == 4
    assert value("hgv_inter_token_latency_seconds_sum") == pytest.approx(0.0085)
    assert value("hgv_inter_token_latency_seconds_bucket", {"le": "0.002"}) == 3
    assert value("hgv_e2e_latency_seconds_sum") == pytest.approx(1.7585)
    assert value("hgv_prompt_tokens_total") == 640
    assert value("hgv_generation_tokens_total") == 5


def test_the_first_inter_token_bucket_is_one_millisecond(metrics: Metrics, registry: CollectorRegistry) -> None:
    """The 7B makes a token in 3.5 ms: coarser buckets would hide everything."""
    bounds = [
        float(sample.labels["le"])
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "hgv_inter_token_latency_seconds_bucket"
    ]

    assert min(bounds) == 0.001
    assert sum(bound <= 0.01 for bound in bounds) >= 6


def test_a_failure_counts_by_its_code_and_not_as_a_latency(metrics: Metrics, registry: CollectorRegistry) -> None:
    """A flood of quick refusals does not make the server look fast."""
    metrics.request("/v1/chat/completions").end("invalid_image")

    labels = {"route": "/v1/chat/completions", "outcome": "invalid_image"}
    assert registry.get_sample_value("hgv_requests_total", labels) == 1
    assert registry.get_sample_value("hgv_e2e_latency_seconds_count") == 0


def test_in_flight_falls_once_however_often_a_request_ends(metrics: Metrics, registry: CollectorRegistry) -> None:
    """A double end, as from a disconnect during an error, leaves the gauge true."""
    first, second = metrics.request("/a"), metrics.request("/a")
    assert registry.get_sample_value("hgv_requests_in_flight") == 2

    first.end("client_closed")
    first.end("ok")

    assert registry.get_sample_value("hgv_requests_in_flight") == 1
    assert registry.get_sample_value("hgv_requests_total", {"route": "/a", "outcome": "ok"}) is None
    second.end("ok")


def test_a_stage_is_timed_even_where_it_raises(metrics: Metrics, registry: CollectorRegistry, clock: Clock) -> None:
    """A slow image that turns out to be broken was slow all the same."""
    meter = metrics.request("/a")

    def decode() -> None:
        with meter.stage("decode"):
            clock.now += 2
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        decode()

    assert registry.get_sample_value("hgv_image_stage_seconds_sum", {"stage": "decode"}) == pytest.approx(2)


@pytest.mark.parametrize("accept", [PROMETHEUS_2, PROMETHEUS_3, UNDERSCORES])
def test_openmetrics_keeps_the_names_of_vllm(metrics: Metrics, registry: CollectorRegistry, accept: str) -> None:
    """What Prometheus asks for has `vllm:` names, with and without labels, and our exemplar-capable format."""
    Counter("vllm:something", "A counter of vLLM's.", ["model_name"], registry=registry).labels("m").inc()
    Histogram("vllm:something_else_seconds", "A histogram.", registry=registry).observe(1)

    body, content_type = metrics.exposition(accept)

    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # the parser has no types
    names = samples(families)
    assert {"vllm:something_total", "vllm:something_else_seconds_bucket", "hgv_requests_in_flight"} <= names
    assert b"vllm_" not in body


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain", "application/openmetrics-text;version=0.0.1"])
def test_plain_text_is_the_answer_to_everybody_else(metrics: Metrics, registry: CollectorRegistry, accept: str) -> None:
    """curl and old scrapers read plain text, with the same names."""
    Counter("vllm:something", "A counter of vLLM's.", ["model_name"], registry=registry).labels("m").inc()

    body, content_type = metrics.exposition(accept)

    assert content_type.startswith("text/plain; version=0.0.4")
    assert {"vllm:something_total", "hgv_requests_in_flight"} <= samples(parse_plain(body.decode()))
    assert b"vllm_" not in body


def test_every_promised_name_is_on_the_page(metrics: Metrics) -> None:
    """Dashboards are written against these names."""
    meter = metrics.request("/v1/chat/completions")
    with meter.stage("prepare"):
        pass
    meter.end("length")

    families = {family.name for family in parse_plain(metrics.exposition("")[0].decode())}

    assert {
        "hgv_requests",
        "hgv_requests_in_flight",
        "hgv_time_to_first_token_seconds",
        "hgv_inter_token_latency_seconds",
        "hgv_e2e_latency_seconds",
        "hgv_queue_time_seconds",
        "hgv_prompt_tokens",
        "hgv_generation_tokens",
        "hgv_image_stage_seconds",
    } <= families
