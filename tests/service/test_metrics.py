"""`/metrics`, as a real Prometheus asks for it."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from tests.service.supervised import scripted

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
QUESTION = {"model": "checkpoint", "messages": [{"role": "user", "content": "What is this?"}]}


def test_one_page_has_our_metrics_and_those_of_the_process(tmp_path: Path) -> None:
    """The registry is the process-wide one, in which vLLM's live, in both formats; an answered request is on it."""
    with scripted({}, tmp_path) as server:
        server.listening()
        server.until_ready()
        server.post("/v1/chat/completions", QUESTION).raise_for_status()
        plain = server.get("/metrics")
        openmetrics = server.get("/metrics", headers={"Accept": OPENMETRICS})

    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert openmetrics.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    with_types = parse_openmetrics(openmetrics.text)  # type: ignore[no-untyped-call]  # the parser has no types
    for families in (parse_plain(plain.text), with_types):
        values = {
            (sample.name, *sorted(sample.labels.items())): sample.value for one in families for sample in one.samples
        }
        assert values[("hgv_requests_total", ("outcome", "ok"), ("route", "/v1/chat/completions"))] == 1
        assert values[("hgv_time_to_first_token_seconds_count",)] == 1
        assert values[("hgv_requests_in_flight",)] == 0
        assert values[("process_resident_memory_bytes",)] > 0
