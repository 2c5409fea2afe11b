"""What a load generator saw, whichever it was: moments of the wall clock, made into completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.speed.measurement import Completion


@dataclass(frozen=True, slots=True)
class Answer:
    """sent_ns, ended_ns: by the wall clock. due_ns: when a schedule had it; None in a closed loop."""

    sent_ns: int
    ended_ns: int
    ttft_s: float
    turn: int
    prompt_tokens: int
    output_tokens: int
    chunks: int
    due_ns: int | None = None


def completions(answers: Sequence[Answer], concurrency: int) -> tuple[Completion, ...]:
    """In the order in which they were sent. concurrency: of a closed loop; 0 where a schedule sent."""
    ordered = sorted(answers, key=lambda one: one.sent_ns)
    begin = ordered[0].sent_ns
    lags = _closed_lags(ordered, concurrency) if concurrency else _open_lags(ordered)
    return tuple(
        Completion(
            turn=one.turn,
            sent_s=(one.sent_ns - begin) / 1e9,
            ttft_s=one.ttft_s,
            e2e_s=(one.ended_ns - one.sent_ns) / 1e9,
            prompt_tokens=one.prompt_tokens,
            output_tokens=one.output_tokens,
            chunks=one.chunks,
            lag_s=lag_s,
        )
        for one, lag_s in zip(ordered, lags, strict=True)
    )


def _closed_lags(ordered: Sequence[Answer], concurrency: int) -> list[float]:
    """With so many at once, the n-th request is due when the (n - concurrency)-th answer has ended; the first at once.

    Late: how long a client was missing from the load.
    """
    begin = ordered[0].sent_ns
    ends = sorted(one.ended_ns for one in ordered)
    due = [begin] * concurrency + ends
    return [max(0.0, (one.sent_ns - at) / 1e9) for one, at in zip(ordered, due, strict=False)]


def _open_lags(ordered: Sequence[Answer]) -> list[float]:
    """Against the least late one, whose own lateness no clock of ours tells."""
    late = [one.sent_ns - (one.due_ns or 0) for one in ordered]
    return [(each - min(late)) / 1e9 for each in late]
