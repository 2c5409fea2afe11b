"""The text of a question, as the paper asks it."""

from __future__ import annotations

from string import ascii_uppercase

from benchmarks.accuracy.formats.jama import DATASET as JAMA
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.jama_question import jama_question

INSTRUCTION = "Answer with the option's letter from the given choices directly."


def prompt(item: Item) -> str:
    """The paper's zero-shot prompt (arXiv 2406.19280) around a closed question; an open one as it is.

    A JAMA case is asked openly, since its answer is rated and not matched.
    Raises ValueError for more options than there are letters.
    """
    if item.dataset == JAMA:
        return jama_question(item)
    if not item.options:
        return item.question
    letters = ascii_uppercase[: len(item.options)]
    lettered = (f"{letter}. {option}" for letter, option in zip(letters, item.options, strict=True))
    return "\n".join([item.question, *lettered, INSTRUCTION])
