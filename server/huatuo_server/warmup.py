"""The self-test of a start: one question about a built-in picture, whose answer must look like an answer.

It catches what loads without complaint and is useless all the same: a dtype that overflows (NaN), and weights that do
not match the model, which answer token 0 for ever ("!!!!", vllm#7984).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from huatuo_server.engine.base import Prompt, PromptImage, Sampling, TokenDelta, all_deltas
from huatuo_server.errors import EngineStartError, RequestError
from huatuo_server.model_card import ModelCard
from huatuo_server.prompt import Message, render
from huatuo_server.served_model import ServedModel

REQUEST_ID = "warm-up"
QUESTION = "What does this picture show?"
SAMPLING = Sampling(max_tokens=8, temperature=0.0, ignore_eos=True, logprobs=1)
"""Greedy, and past any end of sequence, so that eight tokens are seen."""


async def warm_up(served: ServedModel) -> None:
    """Ask the engine once, with an image. Raises EngineStartError, one clear line, when the answer is no answer."""
    prompt = warm_up_prompt(served.card)
    try:
        deltas = await all_deltas(served.engine, prompt, SAMPLING, REQUEST_ID)
    except RequestError as error:
        raise EngineStartError(f"the warm-up request failed: {error.message}") from error
    check_answer(deltas, served.card.vocab_size)


def warm_up_prompt(card: ModelCard) -> Prompt:
    """The built-in question, rendered as any other."""
    image = PromptImage(built_in_picture(card.family.picture.size_pixels), identity=REQUEST_ID)
    return render([Message(role="user", text=QUESTION, images=(image,))], card.tokenizer)


def built_in_picture(size_pixels: int) -> NDArray[np.uint8]:
    """A bright disc on a gradient, uint8, shape (size, size, 3): no two regions look the same."""
    rows, columns = np.mgrid[0:size_pixels, 0:size_pixels]
    gradient = (rows + columns) * 255 // (2 * size_pixels)
    disc = (rows - size_pixels // 3) ** 2 + (columns - size_pixels // 2) ** 2 < (size_pixels // 5) ** 2
    return np.stack([gradient, np.where(disc, 240, gradient // 2), 255 - gradient], axis=-1).astype(np.uint8)


def check_answer(deltas: list[TokenDelta], vocab_size: int) -> None:
    """Raises EngineStartError unless tokens came, in the vocabulary, of finite log-probability, not all of them 0."""
    token_ids = [token_id for delta in deltas for token_id in delta.token_ids]
    logprobs = [one for delta in deltas for one in delta.logprobs]
    if not token_ids:
        raise EngineStartError("the self-test failed: the engine generated nothing")
    if len(logprobs) != len(token_ids):
        raise EngineStartError("the self-test failed: the engine gave no log-probabilities for its tokens")
    if not all(math.isfinite(value) for one in logprobs for value in one.values()):
        raise EngineStartError(
            "the self-test failed: log-probabilities are not finite; the weights are damaged or the dtype is too small"
        )
    if not all(0 <= token_id < vocab_size for token_id in token_ids):
        raise EngineStartError("the self-test failed: the engine generated a token outside the vocabulary")
    if not any(token_ids):
        raise EngineStartError(
            "the self-test failed: the answer is token 0 over and over; the weights do not belong to this model"
        )
