"""How a JAMA case is asked where its answer is rated: openly, without the options.

The rating counts points of the diagnosis, of the reasoning and of the evidence (`rubric.py`), so the question asks for
all three. SemiHVision's own wording is not published; this one is ours. An answer in full takes more than the 256
tokens that the closed benchmarks allow.
"""

from __future__ import annotations

from benchmarks.accuracy.item import Item

INSTRUCTION = (
    "Answer the question and state the most likely diagnosis. Then explain the reasoning that leads to it, step by "
    "step, and name the findings in the case and in the images that support it."
)


def jama_question(item: Item) -> str:
    """The case with its question, as the journal prints them, then the instruction."""
    return f"{item.question}\n{INSTRUCTION}"
