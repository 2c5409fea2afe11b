"""Counts of verdicts by data set and subset, and what a run took."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.answer import Answer, Failure
from benchmarks.accuracy.cost import cost
from benchmarks.accuracy.proportion import mean, wilson
from benchmarks.accuracy.score import Score, scores, total, verdict
from tests.benchmarks.accuracy.made_items import answer

FAILED = Failure(400, "too_long", "too long")


def answers(**texts: int) -> list[Answer]:
    """So many answers of each text."""
    numbers = iter(range(10_000))
    return [answer(next(numbers), text=text) for text, count in texts.items() for _ in range(count)]


def test_every_outcome_is_counted_apart_and_only_right_is_right() -> None:
    """The official scorer knows no `unparsed`, ours no `crashed`."""
    given = [*answers(A=4, B=2, Yes=3, Perhaps=1), answer(99, text="", error=FAILED)]

    found = scores(given)

    official, strict = found["official"].datasets["Made"], found["strict"].datasets["Made"]
    assert official == Score(n=11, num_labelled=11, num_right=4, num_wrong=2, num_crashed=4, num_failed=1)
    assert strict == Score(n=11, num_labelled=11, num_right=7, num_wrong=2, num_unparsed=1, num_failed=1)
    assert official.accuracy == wilson(4, 11)


def test_a_failure_is_not_read() -> None:
    """Not even one with a text."""
    assert verdict("official", answer(text="A", error=FAILED)).outcome == "failed"
    assert verdict("strict", answer(text="A", error=FAILED)).outcome == "failed"


def test_subsets_add_up_to_their_data_set() -> None:
    """In the order in which they came."""
    given = [answer(0, subset="CT"), answer(1, subset="MR", text="B"), answer(2, subset="CT")]

    found = scores(given)["official"]

    assert list(found.subsets["Made"]) == ["CT", "MR"]
    assert [score.n for score in found.subsets["Made"].values()] == [2, 1]
    assert found.datasets["Made"] == total(list(found.subsets["Made"].values()))


def test_micro_weighs_questions_and_macro_data_sets() -> None:
    """3 of 4 and 0 of 1: 3 of 5, and (3/4 + 0) / 2."""
    given = [*answers(A=3, B=1), answer(9, dataset="Other", text="B")]

    found = scores(given)["official"]

    assert (found.micro.num_right, found.micro.n) == (3, 5)
    assert found.macro == mean([wilson(3, 4), wilson(0, 1)])
    assert found.macro.value == 0.375


def test_a_data_set_without_known_answers_has_no_accuracy() -> None:
    """And is in no mean; one unknown answer among known ones counts as not right."""
    hidden = [answer(number, dataset="MMMU_Medical_Test", label=None) for number in range(3)]

    found = scores([*hidden, *answers(A=1), answer(7, label=None)])["official"]

    assert found.datasets["MMMU_Medical_Test"].accuracy is None
    assert found.datasets["MMMU_Medical_Test"].num_wrong == 3
    assert found.micro.accuracy == wilson(1, 2)
    assert found.macro is not None
    assert found.macro.value == 0.5


def test_open_questions_are_counted_and_not_scored() -> None:
    """No letter answers them."""
    found = scores([answer(0, options=(), label=None), answer(1)])["strict"]

    assert found.num_open == 1
    assert found.datasets["Made"].n == 1


def test_no_answers_have_no_accuracy() -> None:
    """Rather than nought."""
    found = scores([])["official"]

    assert (found.datasets, found.macro, found.micro.accuracy) == ({}, None, None)


def test_the_cost_is_of_answers_and_ended_sessions() -> None:
    """Tokens where they are told, seconds a request, questions a second of wall-clock."""
    sessions = [
        {"started": "2026-01-01", "ended": None, "asked": 0, "seconds": 0.0},
        {"started": "2026-01-02", "ended": "2026-01-02", "asked": 6, "seconds": 2.0},
        {"started": "2026-01-03", "ended": "2026-01-03", "asked": 2, "seconds": 2.0},
    ]
    given = [
        answer(0, prompt_tokens=600, completion_tokens=2, seconds=1.0),
        answer(1, prompt_tokens=700, completion_tokens=256, seconds=2.0, finish_reason="length"),
        answer(2, prompt_tokens=None, completion_tokens=None, seconds=6.0),
        answer(3, text="", error=FAILED, seconds=9.0),
    ]

    found = cost({"sessions": sessions}, given)

    assert (found.num_answered, found.num_failed, found.num_cut, found.num_counted) == (3, 1, 1, 2)
    assert (found.prompt_tokens, found.completion_tokens) == (1300, 258)
    assert (found.mean_s, found.median_s) == (3.0, 2.0)
    assert (found.wall_s, found.questions_per_s) == (4.0, 2.0)
    assert (found.num_sessions, found.num_lost) == (3, 1)


def test_a_run_without_answers_costs_nothing() -> None:
    """And divides by nothing."""
    found = cost({"sessions": []}, [])

    assert (found.mean_s, found.median_s, found.questions_per_s) == (None, None, None)


@pytest.mark.parametrize("scorer", ["official", "strict"])
def test_many_answers_are_read_once(scorer: str) -> None:
    """From an iterator that is gone afterwards."""
    found = scores(answer(number) for number in range(500))

    assert found[scorer].micro.num_right == 500  # type: ignore[index]
