"""The JAMA score of a run: three ratings of 0 to 5 an answer, 0.5 for each entry of the rubric that it contains.

From SemiHVision (arXiv 2410.14948), which reports one "GPT-4 score" a model: 1.29 for PMC-Cambrian-8B-AN, 1.17 for
Claude3-Opus, 1.13 for HuatuoGPT-Vision-34B. Its evaluation code and prompts were never released, and what we could read
does not say which GPT-4 judged, how many cases it saw, whether the options were shown, or how the three ratings become
that one number. We report each rating's mean and the mean of the three; only scores of one judge, with the prompts of
one version, can be compared, and none of ours with theirs.

Intervals are normal 95 % intervals of the mean over answers (mean +- 1.96 s / sqrt(n), s the sample's standard
deviation), cut at the ends of the scale. They hold the choice of cases, not the judge's own errors.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from benchmarks.accuracy import markdown
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.judge import SETTINGS
from benchmarks.accuracy.proportion import Z_95
from benchmarks.accuracy.rubric import PROMPTS_SHA256, Matches

FILE = "jama.json"

POINTS_AN_ENTRY = 0.5
HIGHEST = 5.0


@dataclass(frozen=True, slots=True)
class Ratings:
    """Of one answer, each 0 to 5."""

    key_points: float
    inference: float
    evidence: float

    @property
    def overall(self) -> float:
        """The mean of the three."""
        return fmean((self.key_points, self.inference, self.evidence))


@dataclass(frozen=True, slots=True)
class Mean:
    """low, high: the interval; None where one answer has none."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class JamaScore:
    """judge: the judge model's name. settings: what it was asked with. prompts_sha256: of our prompts.

    n: answers that have ratings; the means are over these. num_failed: answers that the judge gave no usable judgement
    of, or whose case has no discussion to judge by. num_unanswered: questions that the judged model has no answer to.
    """

    judge: str
    settings: dict[str, Any]
    prompts_sha256: str
    n: int
    num_failed: int
    num_unanswered: int
    key_points: Mean
    inference: Mean
    evidence: Mean
    overall: Mean


def ratings(matches: Matches) -> Ratings:
    """0.5 an entry, at most 5."""
    return Ratings(
        key_points=_rating(matches.key_points),
        inference=_rating(matches.inference),
        evidence=_rating(matches.evidence),
    )


def score(judge: str, rated: Sequence[Ratings], num_failed: int, num_unanswered: int) -> JamaScore:
    """Raises RunError where no answer has ratings. The other arguments: as in JamaScore."""
    if not rated:
        raise RunError(f"No answer could be judged: {num_failed} failed.")
    return JamaScore(
        judge=judge,
        settings=SETTINGS,
        prompts_sha256=PROMPTS_SHA256,
        n=len(rated),
        num_failed=num_failed,
        num_unanswered=num_unanswered,
        key_points=mean([each.key_points for each in rated]),
        inference=mean([each.inference for each in rated]),
        evidence=mean([each.evidence for each in rated]),
        overall=mean([each.overall for each in rated]),
    )


def mean(values: Sequence[float]) -> Mean:
    """Of one value or more, with its interval."""
    centre = fmean(values)
    if len(values) == 1:
        return Mean(centre, None, None)
    reach = Z_95 * stdev(values) / sqrt(len(values))
    return Mean(centre, max(0.0, centre - reach), min(HIGHEST, centre + reach))


def save(score: JamaScore, folder: Path) -> None:
    """To `jama.json`, all at once. Raises RunError where it cannot be written."""
    part = folder / f"{FILE}.part"
    try:
        part.write_text(json.dumps(asdict(score), indent=2) + "\n", encoding="utf-8")
        part.replace(folder / FILE)
    except OSError as error:
        raise RunError(f"{part}: {error.strerror}") from error


def summary(folder: Path) -> JamaScore | None:
    """The score that `judge` left in a run's folder; None before. Raises RunError for a file that is not one."""
    try:
        found = json.loads((folder / FILE).read_text(encoding="utf-8"))
        found |= {name: _mean_of(found[name]) for name in ("key_points", "inference", "evidence", "overall")}
        found |= {name: int(found[name]) for name in ("n", "num_failed", "num_unanswered")}
        return JamaScore(**{**found, "judge": str(found["judge"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise RunError(f"{folder / FILE}: is no JAMA score: {error}") from None


def table(score: JamaScore) -> str:
    """Markdown, and a line that says of what."""
    rows = {
        "key points": score.key_points,
        "inference": score.inference,
        "evidence": score.evidence,
        "mean of the three": score.overall,
    }
    cells = [(name, f"{each.mean:.2f}", _interval(each)) for name, each in rows.items()]
    means = markdown.table(("rating, 0 to 5", "mean", "95 % interval"), cells)
    counts = f"{score.n} judged, {score.num_failed} failed to be judged, {score.num_unanswered} without an answer"
    return f"{means}\n\nJudge: {markdown.plain(score.judge)}. Answers: {counts}."


def _mean_of(found: dict[str, Any]) -> Mean:
    ends = (None if found[name] is None else float(found[name]) for name in ("low", "high"))
    return Mean(float(found["mean"]), *ends)


def _interval(each: Mean) -> str:
    return "" if each.low is None or each.high is None else f"{each.low:.2f} to {each.high:.2f}"


def _rating(matched: Sequence[int]) -> float:
    return min(HIGHEST, POINTS_AN_ENTRY * len(matched))
