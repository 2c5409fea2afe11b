"""Our metrics (`hgv_*`), beside vLLM's own (`vllm:*`) in the same registry and on the same page.

TTFT is received -> first token, ITL each gap between tokens, E2E received -> the end of an answer. E2E leaves failures
out, so that quick refusals make nothing look fast; `hgv_requests_total` counts them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import prometheus_client
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge
from prometheus_client import exposition as plain_text
from prometheus_client.openmetrics import exposition as openmetrics

from huatuo_server.histogram import Histogram

FINISHED = frozenset({"ok", "length"})
"""The outcomes that are answers; every other outcome is a failure's code."""

TTFT_BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 40)
# The 7B's floor on one H200 is 3.5 ms a token and the 34B's 16 ms: vLLM's own first bucket, 10 ms, would hide the 7B.
ITL_BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.0175, 0.02, 0.025, 0.03, 0.04, 0.05),
    *(0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5),
)
E2E_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300)
QUEUE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
STAGE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The server's collectors. Make one a registry: a second one in the same registry is a ValueError.

    clock: seconds, monotonic.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY, clock: Callable[[], float] = time.perf_counter) -> None:
        self._registry = registry
        self.clock = clock
        self.requests = self._counter(
            "hgv_requests_total",
            "Requests that ended, by outcome: ok, length (cut at max_tokens), client_closed, or an error's code.",
            "route",
            "outcome",
        )
        self.in_flight = self._gauge("hgv_requests_in_flight", "Requests received and not ended.")
        self.waiting = self._gauge(
            "hgv_requests_waiting",
            "Requests that have a place and are not in the engine yet, by class of key.",
            "class",
        )
        self.keys_failing = self._gauge(
            "hgv_keys_file_failing",
            "1 while the file of keys cannot be read and the last good keys hold.",
        )
        self.audit_failing = self._gauge(
            "hgv_audit_log_failing",
            "1 while the audit log cannot be written and requests are refused.",
        )
        self.engine_silent = self._gauge(
            "hgv_engine_silent_seconds",
            "How long an engine with work has shown no progress; 0 while it is idle.",
        )
        self.prompt_tokens = self._counter(
            "hgv_prompt_tokens_total", "Prompt tokens of ended requests, images included."
        )
        self.generation_tokens = self._counter("hgv_generation_tokens_total", "Tokens generated.")
        self.time_to_first_token = self._histogram(
            "hgv_time_to_first_token_seconds", "From received to the first token.", TTFT_BUCKETS_S
        )
        self.inter_token_latency = self._histogram(
            "hgv_inter_token_latency_seconds",
            "Each gap between tokens; tokens that come together share theirs equally.",
            ITL_BUCKETS_S,
        )
        self.e2e_latency = self._histogram(
            "hgv_e2e_latency_seconds", "From received to the end of an answer; failures are left out.", E2E_BUCKETS_S
        )
        self.queue_time = self._histogram(
            "hgv_queue_time_seconds",
            "From received to let into the engine: reading, preparing images, waiting for the turn.",
            QUEUE_BUCKETS_S,
        )
        # The image stages are observed from many threads, the others from the event loop's alone.
        self.image_stage = prometheus_client.Histogram(
            "hgv_image_stage_seconds",
            "Work before the engine, by stage: body (a request's); of an image read, fetch, inspect, wait, "
            "decode, prepare, render.",
            ("stage",),
            registry=self._registry,
            buckets=STAGE_BUCKETS_S,
        )
        self.image_bytes = self._counter("hgv_image_bytes_total", "Bytes of image files that were decoded.")
        self.image_pixels = self._counter("hgv_image_pixels_total", "Pixels that were decoded, by the files' headers.")
        self.image_cache = self._counter(
            "hgv_image_cache_total", "Pictures asked of the cache of prepared ones, by result: hit, miss.", "result"
        )
        self.rejections = self._counter(
            "hgv_rejections_total",
            "Requests turned away before the engine, or cut off for not reading, by reason: bytes_in_flight, "
            "pixels_in_flight, queue_full, requests_per_min, tokens_per_min, images_per_min, max_concurrent, "
            "send_timeout, evicted (a connection, to make room), or an error's code.",
            "reason",
        )
        self.workers_busy = self._gauge("hgv_image_workers_busy", "Image workers at work.")
        self.workers_replaced = self._counter(
            "hgv_image_workers_replaced_total",
            "Image workers that had to be replaced, by cause: crash, cpu time, timeout, died, lied, died idle.",
            "cause",
        )

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(name, documentation, labels, registry=self._registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(name, documentation, labels, registry=self._registry)

    def _histogram(self, name: str, documentation: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, documentation, registry=self._registry, buckets=buckets)

    def request(self, route: str) -> RequestMeter:
        """The meter of a request received now. route: the template (`/v1/chat/completions`), never the path sent."""
        return RequestMeter(self, route)

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The page for an Accept header: (body, content type); OpenMetrics 1.0 where it is accepted, else plain text.

        Not prometheus_client's `choose_encoder`: for a real Prometheus it renames `vllm:*` to `vllm_*`, which empties
        every panel and alert on vLLM's names while curl still shows them right (seen with 0.23 to 0.26).
        """
        if _accepts_openmetrics(accept):
            # The function has no types in prometheus_client.
            body: bytes = openmetrics.generate_latest(  # type: ignore[no-untyped-call]
                self._registry, escaping=openmetrics.ALLOWUTF8
            )
            return body, openmetrics.CONTENT_TYPE_LATEST
        return plain_text.generate_latest(self._registry), plain_text.CONTENT_TYPE_PLAIN_0_0_4


class RequestMeter:
    """One request's times and counts, from received to ended. Used from one event loop; `stage` from any thread."""

    def __init__(self, metrics: Metrics, route: str) -> None:
        self._metrics = metrics
        self._route = route
        self._received = metrics.clock()
        self._last_tokens: dict[int, float] = {}
        self._ended = False
        metrics.in_flight.inc()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block as one image's stage `name`."""
        began = self._metrics.clock()
        try:
            yield
        finally:
            self._metrics.image_stage.labels(name).observe(self._metrics.clock() - began)

    def entered_engine(self) -> None:
        """The request is handed to the engine: its queue time ends."""
        self._metrics.queue_time.observe(self._metrics.clock() - self._received)

    def tokens(self, count: int, choice: int = 0) -> None:
        """`count` tokens (at least one) of a choice came out just now."""
        now = self._metrics.clock()
        last = self._last_tokens.get(choice)
        if last is not None:
            self._metrics.inter_token_latency.observe_each((now - last) / count, count)
        elif not self._last_tokens:
            self._metrics.time_to_first_token.observe(now - self._received)
        self._last_tokens[choice] = now

    def rejected(self, reason: str) -> None:
        """The request was turned away for a fault of its own, or because too much was in flight."""
        self._metrics.rejections.labels(reason).inc()

    def end(self, outcome: str, *, prompt_tokens: int = 0, completion_tokens: int = 0) -> None:
        """The request ended; calls after the first change nothing.

        outcome: "ok", "length", "client_closed" or an error's code.
        """
        if self._ended:
            return
        self._ended = True
        self._metrics.in_flight.dec()
        self._metrics.requests.labels(self._route, outcome).inc()
        self._metrics.prompt_tokens.inc(prompt_tokens)
        self._metrics.generation_tokens.inc(completion_tokens)
        # An answer has tokens; a rendering or an upload has none, and would make answers look fast.
        if outcome in FINISHED and self._last_tokens:
            self._metrics.e2e_latency.observe(self._metrics.clock() - self._received)


def _accepts_openmetrics(accept: str) -> bool:
    """Whether an Accept header takes OpenMetrics 1.0; one that names no version takes any."""
    for entry in accept.split(","):
        kind, *parameters = (part.strip() for part in entry.split(";"))
        named = dict(one.split("=", 1) for one in parameters if "=" in one)
        if kind == "application/openmetrics-text" and named.get("version", "1.0.0") == "1.0.0":
            return True
    return False
