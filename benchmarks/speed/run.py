"""What a record keeps of one measurement: figures, and of the single answers no more than when they began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from benchmarks.speed.measurement import Measurement, SideName


@dataclass(frozen=True, slots=True)
class Slo:
    """What a clinician is promised of an answer: goodput counts the answers that keep to both."""

    ttft_s: float
    tpot_s: float


SLO = Slo(ttft_s=2.0, tpot_s=0.1)
"""Text that begins within two seconds and then comes at ten tokens a second, twice as fast as people read."""


@dataclass(frozen=True, slots=True)
class Run:
    """One workload, one side, one load. Units are in the names; percentiles are over requests.

    concurrency: of a closed loop, 0 of an open one; rate_per_s the other way round. *_ms_per_request, us_per_token: of
    the front end's processor time. front_end_share: of the front end's and the engine's processor time together.
    first_turn_ttft_ms, follow_up_ttft_ms: medians, None where the workload has no second turn.
    lag_ms_p99: the load generator's own. ttfts_ms: of every answer, so that percentiles can be taken over several runs.
    """

    workload: str
    side: SideName
    pair: int
    concurrency: int
    rate_per_s: float
    requests: int
    failed: int
    wall_s: float
    requests_per_s: float
    output_tokens_per_s: float
    goodput_per_s: float
    prompt_tokens: int
    output_tokens: int
    chunks_per_completion: float
    server_ms_per_request: float
    image_workers_ms_per_request: float
    front_end_ms_per_request: float
    server_us_per_token: float
    front_end_us_per_token: float
    front_end_share: float
    ttft_ms_p50: float
    ttft_ms_p99: float
    tpot_ms_p50: float
    e2e_ms_p50: float
    e2e_ms_p99: float
    first_turn_ttft_ms: float | None
    follow_up_ttft_ms: float | None
    lag_ms_p99: float
    generator_s: float
    engine_s: float
    server_mib: float
    image_workers_mib: float
    ttfts_ms: tuple[float, ...]

    @classmethod
    def of(cls, one: Measurement, slo: Slo = SLO) -> Self:
        """Raises ZeroDivisionError or IndexError where no request was answered."""
        has_turns = any(each.turn for each in one.completions)
        return cls(
            workload=one.workload,
            side=one.side,
            pair=one.pair,
            concurrency=one.load.concurrency,
            rate_per_s=one.load.rate_per_s,
            requests=len(one.completions),
            failed=one.failed,
            wall_s=one.wall_s,
            requests_per_s=one.requests_per_s,
            output_tokens_per_s=one.output_tokens_per_s,
            goodput_per_s=one.goodput_per_s(ttft_s=slo.ttft_s, tpot_s=slo.tpot_s),
            prompt_tokens=sum(each.prompt_tokens for each in one.completions),
            output_tokens=one.output_tokens,
            chunks_per_completion=one.chunks_per_completion,
            server_ms_per_request=one.server_ms_per_request,
            image_workers_ms_per_request=one.image_workers_ms_per_request,
            front_end_ms_per_request=one.front_end_ms_per_request,
            server_us_per_token=1e6 * one.processor.server_s / one.output_tokens,
            front_end_us_per_token=one.front_end_us_per_token,
            front_end_share=one.front_end_share,
            ttft_ms_p50=one.ttft_ms(50),
            ttft_ms_p99=one.ttft_ms(99),
            tpot_ms_p50=one.tpot_ms(50),
            e2e_ms_p50=one.e2e_ms(50),
            e2e_ms_p99=one.e2e_ms(99),
            first_turn_ttft_ms=one.ttft_ms(50, turn=0) if has_turns else None,
            follow_up_ttft_ms=_follow_up_ttft_ms(one) if has_turns else None,
            lag_ms_p99=one.lag_ms(99),
            generator_s=one.processor.generator_s,
            engine_s=one.processor.engine_s,
            server_mib=one.memory.server_bytes / 2**20,
            image_workers_mib=one.memory.image_workers_bytes / 2**20,
            ttfts_ms=tuple(round(1e3 * each.ttft_s, 1) for each in one.completions),
        )

    @classmethod
    def of_json(cls, plain: dict[str, Any]) -> Self:
        """What `as_json` gave. Raises TypeError where it is not that."""
        return cls(**{**plain, "ttfts_ms": tuple(plain.get("ttfts_ms", ()))})

    def figure(self, name: str) -> float:
        """A field that is a number of this run."""
        value: float = getattr(self, name)
        return value

    def as_json(self) -> dict[str, Any]:
        """Plain values, of six digits: more than any of them is good for."""
        return {
            name: float(f"{value:.6g}") if isinstance(value, float) else value for name, value in asdict(self).items()
        }


def runs_of(measurements: Sequence[Measurement]) -> tuple[Run, ...]:
    """In their order."""
    return tuple(map(Run.of, measurements))


def _follow_up_ttft_ms(one: Measurement) -> float:
    """The second turn's: later ones carry more text."""
    return one.ttft_ms(50, turn=1)
