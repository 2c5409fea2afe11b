"""Our own scorer: a letter is read where the answer says exactly one."""

from __future__ import annotations

import time

import pytest

from benchmarks.accuracy import strict
from benchmarks.accuracy.verdict import Verdict
from tests.benchmarks.accuracy.scorer_cases import cases

OPTIONS = ("Pneumonia", "Fracture", "Normal", "Pleural effusion")


def read(text: str, options: tuple[str, ...] = OPTIONS) -> str | None:
    """The letter."""
    return strict.verdict(text, "A", options).letter


def test_each_case_is_decided_as_by_hand() -> None:
    """Outcome and letter."""
    found = [
        case
        for case in cases()
        if strict.verdict(case.text, case.label, case.options) != Verdict(case.strict, case.strict_letter)
    ]

    assert not found


@pytest.mark.parametrize("text", ["B", "b.", "(B)", "B) the bone is broken", "Option B", "选项B", "B - Fracture"])
def test_a_letter_is_read_at_the_beginning_of_a_line(text: str) -> None:
    """Rule 1."""
    assert read(text) == "B"
    assert read(f"The picture was hard to read.\n{text}\nSo much for that.") == "B"


@pytest.mark.parametrize(
    "text", ["The answer is B.", "so my choice is: B", "答案是B", "故选B。", "The answer is B, as seen"]
)
def test_a_letter_is_read_after_words_that_announce_it(text: str) -> None:
    """Rule 2, in the middle of a line as well."""
    assert read(text) == "B"
    assert read(f"It looks odd, but {text}" if text[0].islower() else f"It looks odd. {text}") == "B"


@pytest.mark.parametrize("text", ["I am sure that B is correct", "B is the best answer", "B选项正确"])
def test_a_letter_is_read_before_words_that_praise_it(text: str) -> None:
    """Rule 3."""
    assert read(text) == "B"


@pytest.mark.parametrize("text", ["Fracture", "**fracture.**", '"FRACTURE"', "(Fracture)"])
def test_an_option_s_whole_text_is_its_letter(text: str) -> None:
    """Rule 4, without case and marks."""
    assert read(text) == "B"
    assert read(text, ("Fracture", "fracture", "Normal")) is None


@pytest.mark.parametrize("text", ["A mass", "E. coli", "the answer is B cell lymphoma", "answer: B-lines", "B12", "AB"])
def test_articles_cells_and_organisms_are_no_letters(text: str) -> None:
    """What goes on behind the letter says so."""
    assert read(text, (*OPTIONS, "Air")) is None


@pytest.mark.parametrize(
    "text", ["A or B", "A/B", "A。B", "B. Normal", "A\nB", "The answer is A. No, the answer is B."]
)
def test_two_letters_are_none(text: str) -> None:
    """Nobody knows which was meant."""
    assert strict.verdict(text, "A", OPTIONS) == Verdict("unparsed", None)


def test_only_the_item_s_letters_are_read() -> None:
    """Two options have two letters."""
    assert read("C") == "C"
    assert read("C", ("Yes", "No")) is None


def test_no_right_option_is_never_right() -> None:
    """Whatever is read."""
    assert strict.verdict("A", None, OPTIONS) == Verdict("wrong", "A")


@pytest.mark.parametrize("text", ["A, " * 20_000, "A and " * 10_000, "answer " * 10_000, "A" + " " * 100_000 + "?"])
def test_no_text_takes_long(text: str) -> None:
    """A model that repeats itself does not stop the scoring."""
    began = time.process_time()

    strict.verdict(text, "A", OPTIONS)

    assert time.process_time() - began < 5
