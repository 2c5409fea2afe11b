"""The self-test: what counts as an answer."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from huatuo_server.engine.base import IMAGE_SENTINEL, TokenDelta
from huatuo_server.errors import EngineStartError
from huatuo_server.warmup import built_in_picture, check_answer, warm_up, warm_up_prompt
from tests.server.scripted_model import scripted_model

GOOD = [TokenDelta((5, 0), None, ({5: -0.1}, {0: -1.0})), TokenDelta((7,), "length", ({7: -2.0, 3: -0.2},))]


def test_an_ordinary_answer_passes() -> None:
    """A token 0 among others is nothing to worry about."""
    check_answer(GOOD, vocab_size=10)


@pytest.mark.parametrize(
    ("deltas", "said"),
    [
        ([], "generated nothing"),
        ([TokenDelta((), "stop")], "generated nothing"),
        ([TokenDelta((5,), "length")], "no log-probabilities"),
        ([TokenDelta((5,), "length", ({5: math.nan},))], "not finite"),
        ([TokenDelta((5, 6), "length", ({5: -0.1}, {6: -0.1, 4: -math.inf}))], "not finite"),
        ([TokenDelta((10,), "length", ({10: -0.1},))], "outside the vocabulary"),
        ([TokenDelta((0, 0, 0), "length", ({0: -0.1},) * 3)], "token 0 over and over"),
    ],
)
def test_what_is_no_answer_fails_the_start_in_one_line(deltas: list[TokenDelta], said: str) -> None:
    """Each way to load without complaint and be useless has its own sentence."""
    with pytest.raises(EngineStartError, match=said) as caught:
        check_answer(deltas, vocab_size=10)

    assert caught.value.message.startswith("the self-test failed: ")
    assert "\n" not in caught.value.message


def test_the_question_has_a_picture() -> None:
    """The warm-up goes through the vision tower: one image, in its place, of the family's size."""
    prompt = warm_up_prompt(scripted_model({}).card)

    assert prompt.token_ids.count(IMAGE_SENTINEL) == 1
    assert prompt.images[0].pixels.shape == (336, 336, 3)
    assert len(prompt.token_ids) > 5


def test_the_picture_is_no_flat_colour_and_always_the_same() -> None:
    """A flat picture would hide a vision tower that sees nothing."""
    picture = built_in_picture(336)

    assert picture.dtype == np.uint8
    assert picture.reshape(-1, 3).std(axis=0).min() > 20
    assert np.array_equal(picture, built_in_picture(336))


def test_an_engine_that_fails_the_question_fails_the_start() -> None:
    """The engine's own error becomes the start's, in one line."""
    served = scripted_model({"warm_up": {"text": "ready", "fail_after": 1}})

    async def start_and_ask() -> None:
        await served.engine.start()
        await warm_up(served)

    with pytest.raises(EngineStartError, match=r"^the warm-up request failed: "):
        asyncio.run(start_and_ask())
