"""What the comparison found, and whether that is good enough."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from huatuo_server.reference import Dtype
from huatuo_server.verify.answers import Answer

CLEAR_GAP = 0.1
"""In natural-log units: below it the reference's first choice is nearly a tie, and either token is a fair answer."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What is still the same model; the package's docstring says where the numbers come from.

    max_difference, mean_difference: of the log-probabilities of the reference's tokens, over all questions.
    agreement: the least share of first choices that agree where the gap exceeds CLEAR_GAP.
    parting_gap: where the engine's own answer leaves the reference's, its token may lie so far below the reference's.
    """

    max_difference: float
    mean_difference: float
    agreement: float
    parting_gap: float

    @classmethod
    def of(cls, dtype: Dtype, answers: Sequence[Answer]) -> Thresholds:
        """Fixed for float32; for 16 bits at least as wide as twice what rounding does to the reference itself."""
        if dtype == "float32":
            return cls(max_difference=1e-3, mean_difference=1e-3, agreement=1.0, parting_gap=CLEAR_GAP)
        positions = [position for answer in answers for position in answer.positions]
        noise = [position.noise for position in positions]
        stays = [position.best_stays for position in positions if position.gap > CLEAR_GAP]
        return cls(
            max_difference=math.inf,
            mean_difference=max(0.05, 2 * _mean(noise)),
            agreement=max(0.8, min(0.97, 1 - 2 * (1 - _mean(stays)))),
            parting_gap=max(0.5, 2 * _largest(noise)),
        )


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first token where two answers part, counted from 0.

    gap: by how much the reference prefers its own token to the runner-up (forced) or to the engine's (own answer).
    """

    position: int
    gap: float


@dataclass(frozen=True, slots=True)
class QuestionReport:
    """One question.

    prompt_differs_at: the first token where the server's prompt is not the reference's, None where they are equal.
    differences: |difference of the log-probability| of each token of the reference's answer; infinite where the
    engine gave none, and shorter than the answer where both hold a token for less likely than the engine reports.
    clear, agreed: how many first choices had a gap over CLEAR_GAP, and at how many of those the engine's is the same.
    divergence: of the first choices, over the reference's own words. parting: of the engine's own answer.
    """

    name: str
    num_tokens: int
    prompt_differs_at: int | None
    differences: tuple[float, ...]
    clear: int
    agreed: int
    divergence: Divergence | None
    parting: Divergence | None

    def line(self) -> str:
        """The question, for people."""
        prompt = "" if self.prompt_differs_at is None else f"the prompt differs at token {self.prompt_differs_at}; "
        return (
            f"{self.name}: {self.num_tokens} tokens; {prompt}|difference of log-probabilities| "
            f"max {_largest(self.differences):.2g}, mean {_mean(self.differences):.2g}; first choices agree at "
            f"{self.agreed} of {self.clear} with a gap over {CLEAR_GAP}; first divergence: {_where(self.divergence)}; "
            f"own answer: {'the same' if self.parting is None else f'parts at {_where(self.parting)}'}"
        )


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """All questions of one run. ran_on: what was compared, for people."""

    questions: tuple[QuestionReport, ...]
    thresholds: Thresholds
    ran_on: str = ""

    @property
    def ok(self) -> bool:
        """True when nothing is over its threshold."""
        return not list(self._failures())

    @property
    def max_difference(self) -> float:
        """Of the log-probability of any token."""
        return _largest(self._differences())

    @property
    def mean_difference(self) -> float:
        """Of the log-probabilities of all tokens."""
        return _mean(self._differences())

    @property
    def agreement(self) -> float:
        """The share of first choices that agree where the gap exceeds CLEAR_GAP; 1 where there is none."""
        clear = sum(question.clear for question in self.questions)
        return sum(question.agreed for question in self.questions) / clear if clear else 1.0

    def lines(self) -> list[str]:
        """For people: a line each question, the totals beside their thresholds, the verdict."""
        limit = self.thresholds
        totals = [
            "all questions: |difference of log-probabilities| "
            f"max {self.max_difference:.2g} (at most {limit.max_difference:g}), "
            f"mean {self.mean_difference:.2g} (at most {limit.mean_difference:.2g})",
            f"all questions: first choices with a gap over {CLEAR_GAP} agree at {self.agreement:.1%} "
            f"(at least {limit.agreement:.1%})",
        ]
        failures = [f"FAILED: {failure}" for failure in self._failures()]
        verdict = failures or ["passed: the engine answers as the reference does"]
        return [self.ran_on, *(question.line() for question in self.questions), *totals, *verdict]

    def _differences(self) -> tuple[float, ...]:
        return tuple(difference for question in self.questions for difference in question.differences)

    def _failures(self) -> Iterator[str]:
        limit = self.thresholds
        for question in self.questions:
            if question.prompt_differs_at is not None:
                yield f"{question.name}: the server's prompt is not the reference's"
            parting = question.parting
            if parting is not None and parting.gap > limit.parting_gap:
                yield f"{question.name}: the engine chose a token that the reference puts {parting.gap:.2g} lower"
        if not self._differences():
            yield "no log-probability could be compared"
        if self.max_difference > limit.max_difference or self.mean_difference > limit.mean_difference:
            yield "the log-probabilities differ by more than the threshold"
        if self.agreement < limit.agreement:
            yield "the first choices agree too seldom"


def _where(divergence: Divergence | None) -> str:
    return "none" if divergence is None else f"token {divergence.position}, gap {divergence.gap:.2g}"


def _largest(values: Sequence[float]) -> float:
    return max(values, default=0.0)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
