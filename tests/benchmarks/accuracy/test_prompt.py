"""The prompt, letter by letter."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.prompt import prompt
from tests.benchmarks.accuracy.made_items import item


def test_a_closed_question_is_asked_in_the_papers_words() -> None:
    """The question, its options by letter, and the paper's instruction, a line each, with nothing stripped."""
    asked = item(question="Is there an aneurysm? ", options=("Yes", "No", "Not seen"))

    text = prompt(asked)

    assert text == (
        "Is there an aneurysm? \n"
        "A. Yes\n"
        "B. No\n"
        "C. Not seen\n"
        "Answer with the option's letter from the given choices directly."
    )


def test_an_open_question_is_asked_as_it_is() -> None:
    """It gets no instruction: there is no letter to answer with."""
    asked = item(question="What does this film show?", options=())

    assert prompt(asked) == "What does this film show?"


def test_more_options_than_letters_are_refused() -> None:
    """None of them is left out in silence."""
    asked = item(options=tuple(map(str, range(27))))

    with pytest.raises(ValueError, match="longer"):
        prompt(asked)


def test_a_jama_case_is_asked_openly() -> None:
    """It asks for the reasons too, since the answer is rated by them."""
    asked = item(question="What is the diagnosis?", options=(), answer="Gout", dataset="JAMA")

    text = prompt(asked)

    assert text.startswith("What is the diagnosis?")
    assert "Gout" not in text
    assert "reasoning" in text
