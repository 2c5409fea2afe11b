"""What becomes of an answer, in the eyes of a scorer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Outcome = Literal["right", "wrong", "unparsed", "crashed", "failed"]
"""unparsed: no letter was found. crashed: the published scorer ends here. failed: the request had no answer.

The last three count as not right, and are shown apart.
"""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Verdict:
    """letter: as it was read; None where none was."""

    outcome: Outcome
    letter: str | None
