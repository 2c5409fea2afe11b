"""The papers' scorer, with its defects: `scorer.py` of https://github.com/FreedomIntelligence/HuatuoGPT-Vision.

Source: its first commit with that file (f699d88, 9 January 2025), with `eval.py` and `cli.py` of the same commit. What
it does to one answer, in order, and what we do with it:

1. `cli.py` strips white space from both ends of the text.
2. The data's answer "?" is wrong; the text is not read.
3. The answer's place among the options becomes a letter from A to K; a later place ends the scorer with an IndexError.
4. The first match of the expression below is the answer's letter; it is right where it is the same letter in the same
   case.
5. Where there is no match, the scorer looks for the options' texts in the text, but is given the whole record in place
   of the options: it ends with an AttributeError. One such answer ends the scoring of the whole run.

Where it would end, the outcome is `crashed`: counted apart, and as not right. An answer of the data that is
neither "?" nor an option ends it too; here the readers refuse such data, so that no label means "?".
"""

from __future__ import annotations

import re

from benchmarks.accuracy.verdict import Verdict

_LETTER = re.compile(r"(?:^|\W|[是为])(?![aA] )([a-nA-N])(?:\W|$)")
"""A letter that stands alone, unless it is an A before a blank.

The published expression spells out more beginnings (`is `, `*`, `(`, ...); each of them ends with something that `\\W`
matches as well, so that the first match has the same letter.
"""

LABELS = "ABCDEFGHIJK"
"""The letters that the scorer has names for."""


def verdict(text: str, label: str | None) -> Verdict:
    """text: the model's. label: the right option's letter, None where the data have no right option."""
    if label is None:
        return Verdict("wrong", None)
    found = _LETTER.search(text.strip()) if label in LABELS else None
    if found is None:
        return Verdict("crashed", None)
    return Verdict("right" if found[1] == label else "wrong", found[1])
