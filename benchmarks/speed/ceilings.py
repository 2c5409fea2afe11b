"""What one core of the front end carries, and how many cores an H200 needs in front of it.

On a GPU the engine takes no processor time, so the front end's time a request and a token is what bounds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.speed.bars import FILM, FILM_LONG, TEXT
from benchmarks.speed.measurement import SideName
from benchmarks.speed.run import Run
from benchmarks.speed.spread import Spread

H200_REQUESTS_PER_S = 60.0
"""The 7B's ceiling by the roofline: 640 tokens in, 200 out."""
H200_TOKENS_PER_S = 10_000.0
"""What its decoding can reach at saturation, streamed."""
H200_ANSWER_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Of one side. server_*: of the one process that speaks HTTP, which is what cannot be multiplied but by replicas.

    h200_cores: for requests with a picture at the H200's ceiling. h200_text_cores: for text at its.
    h200_server_share: of one core, that the server process alone takes at the H200's ceiling; above 1 it is too slow.
    None: the workload was not measured.
    """

    image_requests_per_s: float | None
    server_image_requests_per_s: float | None
    streamed_tokens_per_s: float | None
    h200_cores: float | None
    h200_server_share: float | None
    h200_text_cores: float | None

    @classmethod
    def of(cls, runs: Sequence[Run], side: SideName) -> Ceilings:
        """From the medians over the pairs."""
        film_ms = _median(runs, side, FILM, "front_end_ms_per_request")
        long_ms = _median(runs, side, FILM_LONG, "front_end_ms_per_request")
        server_ms = _median(runs, side, FILM_LONG, "server_ms_per_request")
        token_us = _median(runs, side, TEXT, "front_end_us_per_token")
        return cls(
            image_requests_per_s=_a_second(film_ms, 1e3),
            server_image_requests_per_s=_a_second(server_ms, 1e3),
            streamed_tokens_per_s=_a_second(token_us, 1e6),
            h200_cores=_cores(long_ms, H200_REQUESTS_PER_S, 1e3),
            h200_server_share=_cores(server_ms, H200_REQUESTS_PER_S, 1e3),
            h200_text_cores=_cores(token_us, H200_TOKENS_PER_S, 1e6),
        )


def _median(runs: Sequence[Run], side: SideName, workload: str, figure: str) -> float | None:
    taken = [run.figure(figure) for run in runs if (run.side, run.workload) == (side, workload) and run.concurrency]
    return Spread.of(taken).median if taken else None


def _a_second(each: float | None, units: float) -> float | None:
    return units / each if each else None


def _cores(each: float | None, per_s: float, units: float) -> float | None:
    return each * per_s / units if each is not None else None
