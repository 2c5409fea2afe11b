"""Every golden case, through HTTP and the real engine, gives the reference's answer token by token."""

from __future__ import annotations

import math

import pytest

from huatuo_server.engine.base import Prompt, PromptImage, Sampling
from huatuo_server.families import HUATUO_34B
from huatuo_server.images.prepare import prepare
from tests import golden
from tests.server.images.plain.pictures import picture_of
from tests.service.asking import check, check_concurrently, check_streamed
from tests.service.real import MODEL, RealServer
from tests.service.running_engine import deltas_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("case", golden.cases(), ids=lambda case: case.name)
def test_one_at_a_time(real_server: RealServer, case: golden.Case) -> None:
    """Alone in the engine."""
    check(real_server.client, case, MODEL)


def test_eight_at_once(real_server: RealServer) -> None:
    """In a batch with seven others."""
    check_concurrently(real_server.client, golden.cases(), MODEL, at_once=8)


@pytest.mark.parametrize("case", [golden.cases()[index] for index in (1, 6, 17, 24, 34)], ids=lambda case: case.name)
def test_streamed(real_server: RealServer, case: golden.Case) -> None:
    """In pieces, some of which split a character."""
    check_streamed(real_server.client, case, MODEL)


@pytest.mark.parametrize("case", [golden.cases()[index] for index in (0, 5, 11, 14, 17)], ids=lambda case: case.name)
def test_log_probabilities(real_server: RealServer, case: golden.Case) -> None:
    """Not only the choice of tokens: each one's log-probability is the reference's to 0.001."""
    pictures = (prepare(picture_of((golden.IMAGES / name).read_bytes()), HUATUO_34B.picture) for name in case.images)
    images = tuple(PromptImage(pixels, name) for pixels, name in zip(pictures, case.images, strict=True))
    sampling = Sampling(max_tokens=case.max_tokens, repetition_penalty=case.penalty, logprobs=1)

    deltas = real_server.run(
        deltas_of(real_server.engine, Prompt(case.input_ids, images), sampling, f"parity-{case.name}")
    )

    steps = [step for delta in deltas for step in delta.logprobs]
    found = [step[token_id] for step, token_id in zip(steps, case.output_ids, strict=True)]
    differences = [abs(a - b) for a, b in zip(found, case.raw["token_raw_logprobs"], strict=True)]
    assert max(differences) < 1e-3
    assert all(math.isfinite(difference) for difference in differences)
