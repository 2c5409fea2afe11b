"""How a JAMA case is asked."""

from __future__ import annotations

from benchmarks.accuracy.item import Item
from benchmarks.accuracy.jama_question import INSTRUCTION, jama_question


def test_a_case_is_asked_openly() -> None:
    """The case comes as it is, then what to answer; neither the options nor the solution are told."""
    options = ("Gout", "Sarcoidosis", "Melanoma", "Scurvy")
    item = Item("JAMA/1", "JAMA", "", "A man bleeds. What Next?", options, "Scurvy", (), {"diagnosis": "Scurvy"})

    question = jama_question(item)

    assert question == f"A man bleeds. What Next?\n{INSTRUCTION}"
    assert not any(option in question for option in options)
