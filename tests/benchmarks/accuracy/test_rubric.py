"""The judge's two questions, and which replies to them count."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.accuracy.item import Item
from benchmarks.accuracy.rubric import Malformed, Matches, Rubric, extraction, matches_of, matching, rubric_of

FOUND: dict[str, Any] = {
    "key_points": [f"point {number}" for number in range(10)],
    "inference": ["first", "then"],
    "evidence": ["a rash"],
}
RUBRIC = Rubric(tuple(FOUND["key_points"]), ("first", "then"), ("a rash",))
NONE: dict[str, Any] = {"key_points": [], "inference": [], "evidence": []}


def case(**details: str) -> Item:
    """One of JAMA's."""
    return Item("JAMA/1", "JAMA", "", "What now?", ("Biopsy", "Wait"), "Biopsy", (), details)


def test_the_rubric_is_asked_from_diagnosis_answer_and_discussion() -> None:
    """The judge sees all three as they are, signs of formatting included."""
    question = extraction(case(diagnosis="Sweet {syndrome}", explanation="In 50%s of cases"))

    assert "<solution>\nSweet {syndrome}\nBiopsy\n</solution>" in question
    assert "<discussion>\nIn 50%s of cases\n</discussion>" in question


def test_a_case_without_a_diagnosis_has_its_answer_for_one() -> None:
    """Cases that ask what to do next may name none."""
    assert "<solution>\nBiopsy\n</solution>" in extraction(case(diagnosis=" ", explanation="Why not."))


def test_the_matches_are_asked_by_number() -> None:
    """Every entry of each list has its number, and the answer stands as it is."""
    question = matching(RUBRIC, "100 %s sure\nit is gout")

    assert "key_points:\n1. point 0\n2. point 1\n" in question
    assert "10. point 9\ninference:\n1. first\n2. then\nevidence:\n1. a rash\n" in question
    assert "<answer>\n100 %s sure\nit is gout\n</answer>" in question


def test_a_rubric_is_read_without_the_breaks_in_its_sentences() -> None:
    """An entry is one line of the next question."""
    assert rubric_of({**FOUND, "evidence": [" a\n rash "], "comment": "well"}) == RUBRIC


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"key_points": FOUND["key_points"][:9]}, '"key_points" must have exactly 10 entries, not 9'),
        ({"key_points": [*FOUND["key_points"], "one more"]}, '"key_points" must have exactly 10 entries, not 11'),
        ({"key_points": [*FOUND["key_points"][:9], "point 0"]}, '"key_points" must not hold the same entry twice'),
        ({"inference": []}, '"inference" must have 1 to 20 entries, not 0'),
        ({"inference": None}, '"inference" must be a list of sentences'),
        ({"evidence": "a rash"}, '"evidence" must be a list of sentences'),
        ({"evidence": ["a rash", " "]}, '"evidence" must be a list of sentences'),
        ({"evidence": ["a rash", 2]}, '"evidence" must be a list of sentences'),
        ({"evidence": [f"sign {number}" for number in range(21)]}, '"evidence" must have 1 to 20 entries, not 21'),
    ],
)
def test_a_rubric_of_another_form_is_malformed(wrong: dict[str, Any], problem: str) -> None:
    """It would shift the scale, so it is not taken; the problem is said for the judge."""
    with pytest.raises(Malformed) as raised:
        rubric_of({**FOUND, **wrong})

    assert str(raised.value) == problem


def test_an_entry_counts_once_however_often_it_is_named() -> None:
    """Matches are numbers in order, without repetition."""
    assert matches_of({**NONE, "key_points": [10, 1, 10]}, RUBRIC) == Matches((1, 10), (), ())


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"key_points": [11]}, '"key_points" must hold numbers from 1 to 10 only'),
        ({"inference": [0]}, '"inference" must hold numbers from 1 to 2 only'),
        ({"inference": [-1]}, '"inference" must hold numbers from 1 to 2 only'),
        ({"evidence": [True]}, '"evidence" must be a list of whole numbers'),
        ({"evidence": [1.0]}, '"evidence" must be a list of whole numbers'),
        ({"evidence": ["1"]}, '"evidence" must be a list of whole numbers'),
        ({"evidence": 1}, '"evidence" must be a list of whole numbers'),
        ({"evidence": None}, '"evidence" must be a list of whole numbers'),
    ],
)
def test_matches_of_another_form_are_malformed(wrong: dict[str, Any], problem: str) -> None:
    """A number that is no entry's is never counted."""
    with pytest.raises(Malformed) as raised:
        matches_of({**NONE, **wrong}, RUBRIC)

    assert str(raised.value) == problem
