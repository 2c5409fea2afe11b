"""What a run took: tokens and time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any, NamedTuple

from benchmarks.accuracy.answer import Answer


@dataclass(frozen=True, slots=True)
class Cost:
    """num_answered, num_failed: questions. num_cut: answers that ended at the limit of tokens.

    prompt_tokens, completion_tokens: sums, of the num_counted answers whose tokens the server told.
    mean_s, median_s: seconds that a request took, which hold its turn behind others; None without an answer.
    wall_s: of the sessions that have an end on record. questions_per_s: asked in these, over wall_s; None without one.
    num_sessions, num_lost: all sessions, and those killed before they could write how long they took.
    """

    num_answered: int
    num_failed: int
    num_cut: int
    num_counted: int
    prompt_tokens: int
    completion_tokens: int
    mean_s: float | None
    median_s: float | None
    wall_s: float
    questions_per_s: float | None
    num_sessions: int
    num_lost: int


class _Request(NamedTuple):
    seconds: float
    tokens: tuple[int, int] | None
    is_cut: bool


def cost(about: Mapping[str, Any], answers: Iterable[Answer]) -> Cost:
    """about: what `run.json` says."""
    found = [_request(answer) for answer in answers]
    requests = [request for request in found if request is not None]
    tokens = [request.tokens for request in requests if request.tokens is not None]
    seconds = [request.seconds for request in requests]
    ended = [session for session in about["sessions"] if session["ended"] is not None]
    wall_s = sum(session["seconds"] for session in ended)
    return Cost(
        num_answered=len(requests),
        num_failed=len(found) - len(requests),
        num_cut=sum(request.is_cut for request in requests),
        num_counted=len(tokens),
        prompt_tokens=sum(prompt for prompt, _ in tokens),
        completion_tokens=sum(completion for _, completion in tokens),
        mean_s=fmean(seconds) if seconds else None,
        median_s=median(seconds) if seconds else None,
        wall_s=wall_s,
        questions_per_s=sum(session["asked"] for session in ended) / wall_s if wall_s else None,
        num_sessions=len(about["sessions"]),
        num_lost=len(about["sessions"]) - len(ended),
    )


def _request(answer: Answer) -> _Request | None:
    """None where it failed."""
    if answer.error is not None:
        return None
    told = answer.prompt_tokens is not None and answer.completion_tokens is not None
    tokens = (answer.prompt_tokens or 0, answer.completion_tokens or 0) if told else None
    return _Request(answer.seconds, tokens, answer.finish_reason == "length")
