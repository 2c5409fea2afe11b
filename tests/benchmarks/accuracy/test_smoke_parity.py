"""Parity with the reference: when an answer of the server's is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.smoke import parity
from benchmarks.accuracy.smoke.parity import NUM_PAIRS, ROUNDING, Expected, Found, agrees, expected
from benchmarks.accuracy.smoke.parity_questions import Question, Shown, pair_questions, questions
from huatuo_server.reference import Step

PROMPT = (5, -200, 6)
EXPECTED = Expected(
    Question("some", "What?"),
    PROMPT,
    (Step(7, {7: 0.0, 8: ROUNDING / 2}), Step(9, {9: 0.0, 8: 3 * ROUNDING}), Step(2, {2: 0.0, 3: 5.0})),
)


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (Found(PROMPT, (7, 9, 2)), True),
        (Found((5, 6, -200), (7, 9, 2)), False),
        (Found(PROMPT, (7, 8, 2)), False),
        (Found(PROMPT, (7, 99, 2)), False),
        (Found(PROMPT, (8, 1, 1)), True),
        (Found(PROMPT, (7, 9)), False),
        (Found(PROMPT, (7, 9, 2, 2)), False),
    ],
    ids=["the same", "another prompt", "another token", "an unlikely token", "a tie", "the beginning", "more"],
)
def test_an_answer_is_the_references(found: Found, same: bool) -> None:
    """Prompt and tokens; only rounding may choose between two tokens that are as likely."""
    assert agrees(EXPECTED, found) == same


def test_the_questions_are_made_alike_each_time_and_each_once() -> None:
    """Wide, tall and two pictures and penalties are among them."""
    made, again = ((*questions(), *islice(pair_questions(), 2)) for _ in range(2))

    assert [picture.sent for one in made for picture in one.pictures] == [
        picture.sent for one in again for picture in one.pictures
    ]
    assert len({one.name for one in made}) == len(made)
    shapes = {picture.seen.shape for one in made for picture in one.pictures}
    assert any(height < width for height, width in shapes)
    assert any(height > width for height, width in shapes)
    assert {len(one.pictures) for one in made} == {0, 1, 2}
    assert len({one.penalty for one in made}) > 1


@dataclass(frozen=True)
class OneEyed:
    """A reference that answers the first picture's shade; the brighter one's where both add up to `dark` at most."""

    dark: int

    def load(self, _checkpoint: Path) -> OneEyed:
        return self

    def input_ids(self, _rounds: Any) -> list[int]:
        return list(PROMPT)

    def greedy_steps(self, _input_ids: Any, images: Any, **_: Any) -> list[Step]:
        shades = [int(np.asarray(image).max()) for image in images]
        chosen = shades[0] if sum(shades) > self.dark else max(shades)
        return [Step(chosen, {chosen: 0.0})]


def pairs() -> Iterator[Question]:
    """Of pictures of one pixel, each question's brighter than the one's before."""
    for number in count():
        shades = (np.array([[number]], np.uint8), np.array([[number + 1]], np.uint8))
        yield Question(f"pair {number}", "Which?", tuple(Shown(b"", shade) for shade in shades))


def test_questions_are_kept_whose_answer_depends_on_the_order_of_their_pictures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Pictures in the wrong order would change no other answer."""
    monkeypatch.setattr(parity, "Reference", OneEyed(dark=6))

    kept = expected(tmp_path, [Question("alone", "What?", next(pairs()).pictures[:1])], pairs())

    assert [one.question.name for one in kept] == ["alone", *(f"pair {3 + number}" for number in range(NUM_PAIRS))]


def test_a_model_that_minds_no_order_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of its answers nothing could be told."""
    monkeypatch.setattr(parity, "Reference", OneEyed(dark=1000))

    with pytest.raises(RunError, match="hardly depend on the order"):
        expected(tmp_path, [], pairs())
