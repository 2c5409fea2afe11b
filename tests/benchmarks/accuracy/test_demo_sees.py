"""The demo checkpoint that is shipped sees: held-out pictures, asked of the reference; the service is held to that."""

from __future__ import annotations

import io

from PIL import Image

from benchmarks.accuracy.demo_training.exam import questions, right
from huatuo_server.demo.seeing_checkpoint import SEEING
from huatuo_server.reference import Reference, Round
from huatuo_server.tokenizer import Tokenizer

PENALTY = 1.2
FLOOR = 0.85
"""Of some hundred questions, where 90 % of the whole exam's are right."""


def test_held_out_pictures_are_told() -> None:
    """Freely and by letter, in both languages, as the record in benchmarks/accuracy/results says of the whole exam."""
    reference, tokenizer = Reference.load(SEEING), Tokenizer.load(SEEING)
    asked = list(questions(7, 2))

    verdicts = []
    for question in asked:
        prompt = reference.input_ids([Round(question.asked.text, 1)])
        picture = Image.open(io.BytesIO(question.png))
        ids = reference.greedy(prompt, [picture], max_new_tokens=24, repetition_penalty=PENALTY)
        verdicts.append(right(question.asked, tokenizer.decode(ids[:-1])))

    print(f"{sum(verdicts)} of {len(verdicts)} right")
    assert sum(verdicts) >= FLOOR * len(verdicts)


def test_the_checkpoint_is_small() -> None:
    """It comes with the package."""
    assert sum(file.stat().st_size for file in SEEING.rglob("*") if file.is_file()) < 10_000_000
