"""What one run of one workload against one side yields; written as JSON, so that a report needs no second run.

TTFT: from the sending of a request to its first token's arrival. E2E: to its last. TPOT: (E2E - TTFT) / (output tokens
- 1), so the first token is not in it. Output tokens are what the server counted in its usage.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, Self

import numpy as np

SideName = Literal["ours", "stock"]


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, as the load generator saw it."""

    turn: int
    """0 is the first of its conversation."""
    sent_s: float
    """Since the run's first request."""
    ttft_s: float
    e2e_s: float
    prompt_tokens: int
    output_tokens: int
    chunks: int
    """With text in them: neither the role's, the finish_reason's nor the usage's."""
    lag_s: float
    """How long after the moment it was due the generator sent it: the generator's own."""

    @property
    def tpot_s(self) -> float:
        """Seconds a token after the first; 0 where there is one alone."""
        return (self.e2e_s - self.ttft_s) / (self.output_tokens - 1) if self.output_tokens > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """How requests come: closed, a new one for each that ends; open, by a clock that waits for nobody."""

    concurrency: int
    """Closed: so many at once. Open: 0."""
    rate_per_s: float = 0.0
    """Open: the mean of a Poisson process. Closed: 0."""

    @property
    def is_open(self) -> bool:
        """Whether a clock sends."""
        return self.rate_per_s > 0


@dataclass(frozen=True, slots=True)
class Processor:
    """Seconds of processor time during the run, user and system, from /proc."""

    server_s: float
    """The process that speaks HTTP: ours, or stock vLLM's API process."""
    image_workers_s: float
    """Ours alone; stock's pictures are made in threads of its server."""
    engine_s: float
    """The engine's processes, the same for both sides: no part of the front end."""
    generator_s: float
    """The load generator, all its processes."""

    @property
    def front_end_s(self) -> float:
        """The server and its image workers together."""
        return self.server_s + self.image_workers_s


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident bytes after the run; what processes share is counted in each."""

    server_bytes: int
    image_workers_bytes: int
    engine_bytes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One run: one workload, one side, one load."""

    workload: str
    side: SideName
    pair: int
    """Runs of the same pair are neighbours in time, one of each side: ratios are taken within a pair."""
    load: Load
    generator: str
    """Which one, with its version: "aiperf 0.13.0"."""
    command: str
    """The generator's."""
    wall_s: float
    """From the first request to the last answer."""
    completions: tuple[Completion, ...]
    failed: int
    """Requests that had no whole answer."""
    processor: Processor
    memory: Memory

    @property
    def requests_per_s(self) -> float:
        """Whole answers a second."""
        return len(self.completions) / self.wall_s

    @property
    def output_tokens(self) -> int:
        """Of all answers."""
        return sum(one.output_tokens for one in self.completions)

    @property
    def output_tokens_per_s(self) -> float:
        """Over the whole run, its beginning and end included."""
        return self.output_tokens / self.wall_s

    @property
    def chunks_per_completion(self) -> float:
        """Mean."""
        return fmean(one.chunks for one in self.completions)

    @property
    def server_ms_per_request(self) -> float:
        """Processor time of the server process alone."""
        return 1e3 * self.processor.server_s / len(self.completions)

    @property
    def image_workers_ms_per_request(self) -> float:
        """Processor time of our image workers; 0 of stock."""
        return 1e3 * self.processor.image_workers_s / len(self.completions)

    @property
    def front_end_ms_per_request(self) -> float:
        """Processor time of the server and its image workers."""
        return 1e3 * self.processor.front_end_s / len(self.completions)

    @property
    def front_end_us_per_token(self) -> float:
        """The same over the output tokens: what a request costs besides is in it."""
        return 1e6 * self.processor.front_end_s / self.output_tokens

    @property
    def front_end_share(self) -> float:
        """The front end's part of the processor time of front end and engine: between 0 and 1."""
        return self.processor.front_end_s / (self.processor.front_end_s + self.processor.engine_s)

    def ttft_ms(self, percent: float, turn: int | None = None) -> float:
        """A percentile; of one turn of the conversations, or of all."""
        return 1e3 * _percentile(self._of(lambda one: one.ttft_s, turn), percent)

    def tpot_ms(self, percent: float) -> float:
        """A percentile over completions."""
        return 1e3 * _percentile(self._of(lambda one: one.tpot_s), percent)

    def e2e_ms(self, percent: float) -> float:
        """A percentile."""
        return 1e3 * _percentile(self._of(lambda one: one.e2e_s), percent)

    def lag_ms(self, percent: float) -> float:
        """A percentile of the generator's own lag."""
        return 1e3 * _percentile(self._of(lambda one: one.lag_s), percent)

    def goodput_per_s(self, *, ttft_s: float, tpot_s: float) -> float:
        """Answers a second that kept to both."""
        kept = sum(one.ttft_s <= ttft_s and one.tpot_s <= tpot_s for one in self.completions)
        return kept / self.wall_s

    def _of(self, value: Callable[[Completion], float], turn: int | None = None) -> list[float]:
        return [value(one) for one in self.completions if turn is None or one.turn == turn]

    def as_json(self) -> dict[str, Any]:
        """Plain values; `of_json` is the way back."""
        return asdict(self)

    @classmethod
    def of_json(cls, plain: dict[str, Any]) -> Self:
        """What `as_json` gave. KeyError, TypeError: it is not that."""
        return cls(
            **{
                **plain,
                "load": Load(**plain["load"]),
                "completions": tuple(Completion(**one) for one in plain["completions"]),
                "processor": Processor(**plain["processor"]),
                "memory": Memory(**plain["memory"]),
            }
        )


def write(path: Path, measurements: Sequence[Measurement]) -> None:
    """As a JSON array; the folder must be there."""
    path.write_text(json.dumps([one.as_json() for one in measurements]) + "\n", encoding="utf-8")


def read(path: Path) -> list[Measurement]:
    """What `write` wrote."""
    return [Measurement.of_json(one) for one in json.loads(path.read_text(encoding="utf-8"))]


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent))
