"""The published scorer: our implementation, its printed expression and the cases worked out by hand all agree."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy import official
from benchmarks.accuracy.verdict import Verdict
from tests.benchmarks.accuracy.scorer_cases import cases

PUBLISHED = r"(is |是|\*|\W|\ |\(|为|^|'|\"|#)(?![aA] )([abcdefghijklmnABCDEFGHIJKLMN])(\W|$)"
"""As it is printed in the published `scorer.py`; kept apart from ours."""

TITLES = ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K"]
"""The letters that the published scorer gives options."""

PIECES = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "B",
        "I",
        "is ",
        "is",
        "s",
        " ",
        "\n",
        "\u00a0",
        "是",
        "为",
        "答案",
        "*",
        "'",
        "(",
        "_",
        "1",
        "Z",
        "。",
        "",
    ]
)


def published(text: str, label: str | None) -> Verdict:
    """What the published pipeline does to one answer, with the expression as printed."""
    if label is None:
        return Verdict("wrong", None)
    matches = list(re.finditer(PUBLISHED, text.strip(), re.S))
    if label not in TITLES or not matches:
        return Verdict("crashed", None)
    letter = matches[0].group(2)
    return Verdict("right" if letter == label else "wrong", letter)


def test_the_printed_expression_decides_each_case_as_by_hand() -> None:
    """Else the hand was wrong."""
    found = [
        case for case in cases() if published(case.text, case.label) != Verdict(case.official, case.official_letter)
    ]

    assert not found


def test_ours_decides_each_case_as_the_printed_expression() -> None:
    """Outcome and letter."""
    found = [case for case in cases() if official.verdict(case.text, case.label) != published(case.text, case.label)]

    assert not found


@given(st.lists(PIECES, max_size=8).map("".join), st.sampled_from([*"ABIKLZ", None]))
def test_ours_decides_any_text_as_the_printed_expression(text: str, label: str | None) -> None:
    """Made of what the expression looks at."""
    assert official.verdict(text, label) == published(text, label)


@pytest.mark.parametrize(
    ("text", "letter"), [("a", "a"), ("I think that A is right", "I"), ("E. coli is seen; answer A", "E")]
)
def test_its_known_defects_are_kept(text: str, letter: str) -> None:
    """A small letter is another one, and any lone letter is an answer."""
    assert official.verdict(text, "A") == Verdict("wrong", letter)


@pytest.mark.parametrize("text", ["Yes", "", "A mass is seen", "答案A"])
def test_it_ends_where_there_is_no_letter(text: str) -> None:
    """The scoring of a whole run would."""
    assert official.verdict(text, "A") == Verdict("crashed", None)


@pytest.mark.parametrize("text", ["A", "", "Yes"])
def test_no_right_option_is_wrong_before_the_text_is_read(text: str) -> None:
    """So that it does not end there."""
    assert official.verdict(text, None) == Verdict("wrong", None)


def test_it_has_letters_for_eleven_options() -> None:
    """The twelfth option's label ends it, whatever was answered."""
    assert official.verdict("K", "K").outcome == "right"
    assert official.verdict("L", "L").outcome == "crashed"


def test_the_cases_are_many_and_of_all_kinds() -> None:
    """Each outcome of both scorers, English and Chinese."""
    found = cases()

    assert len(found) >= 220
    assert min(Counter(case.official for case in found).values()) >= 20
    assert min(Counter(case.strict for case in found).values()) >= 10
    assert sum(any("\u4e00" <= letter <= "\u9fff" for letter in case.text) for case in found) >= 50
