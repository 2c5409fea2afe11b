"""What was promised against stock vLLM: the table of bars, each with the workload and the figure that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TEXT = "text"
FILM = "film"
FILM_LONG = "film-long"
FILM_LATENCY = "film-latency"
LARGE = "large"
"""Workloads, as their files are called, that a bar of its own is about."""


@dataclass(frozen=True, slots=True)
class Bound:
    """side: on which side of the limit a figure has to be; the limit itself will do. unit: behind the figure."""

    side: Literal["at most", "at least"]
    limit: float
    unit: str = ""

    def holds(self, value: float) -> bool:
        """Whether the promise is kept."""
        return value <= self.limit if self.side == "at most" else value >= self.limit

    def __str__(self) -> str:
        return f"{self.side} {self.limit:g}{self.unit}"


@dataclass(frozen=True, slots=True)
class Bar:
    """figure: of `Run`. against_stock: the bound is of the ratio to stock vLLM's in the same pair, else of ours alone.

    least_requests: a percentile far out is taken over all pairs together, and says nothing of fewer answers than these.
    """

    work: str
    workload: str
    figure: str
    bound: Bound
    against_stock: bool = True
    least_requests: int = 0


BARS = (
    Bar(
        "front-end CPU a request: 1000x700 JPEG, 32 tokens out, 32 concurrent",
        FILM,
        "front_end_ms_per_request",
        Bound("at most", 0.6),
    ),
    Bar(
        "front-end CPU a request: 3000x2500 JPEG, 32 concurrent",
        LARGE,
        "front_end_ms_per_request",
        Bound("at most", 0.6),
    ),
    Bar(
        "CPU of the server process alone: 1000x700 JPEG, 200 tokens out, 64 concurrent",
        FILM_LONG,
        "server_ms_per_request",
        Bound("at most", 15.0, " ms"),
        against_stock=False,
    ),
    Bar(
        "front-end CPU a streamed token: text, 256 tokens out, 64 concurrent",
        TEXT,
        "front_end_us_per_token",
        Bound("at most", 0.5),
    ),
    Bar("TTFT p50: 3000x2500 JPEG, 32 concurrent", LARGE, "ttft_ms_p50", Bound("at most", 0.6)),
    Bar("TTFT p50: 1000x700 JPEG, 8 concurrent", FILM_LATENCY, "ttft_ms_p50", Bound("at most", 0.85)),
    Bar(
        "TTFT p99: 1000x700 JPEG, 8 concurrent",
        FILM_LATENCY,
        "ttft_ms_p99",
        Bound("at most", 0.85),
        least_requests=400,
    ),
    Bar(
        "output tokens/s: text, 256 tokens out, 64 concurrent",
        TEXT,
        "output_tokens_per_s",
        Bound("at least", 1.25),
    ),
)
"""Medians of the pairs. Of every other workload THROUGHPUT is judged, and of all CHUNKS."""

THROUGHPUT = ("requests_per_s", "output_tokens_per_s")
"""The lesser ratio of the two is judged; answers of a fixed length make them one. Text has a bar of its own."""
NOTHING_LOST = Bound("at least", 1.0)
WON = Bound("at least", 1.15)
BUSY_FRONT_END = 0.3
"""Of the processor time of stock's front end and engine: from here on WON is asked for, below NOTHING_LOST."""

CHUNKS = Bound("at least", 0.9)
"""Ours to stock's chunks a completion: below, we would save by saying less often."""

NONE_FAILED = Bound("at most", 0.0)

FOLLOW_UP = Bound("at most", 0.4)
"""TTFT of the second turn on the same image to the first turn's."""

LONGEST_CALLBACK = Bound("at most", 20.0, " ms")
ADDED_LATENCY = Bound("at most", 5.0, " ms")
"""TTFT p50 at 1 concurrent, text, over the bare AsyncLLM's."""
