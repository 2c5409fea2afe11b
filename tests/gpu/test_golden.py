"""Golden parity on a GPU, float32 and greedy: the tokens that the reference implementation gave.

The cases with a penalty of 1.2 are the proof that it counts generated tokens only, on the model runner in use: vLLM's
own penalty, which counts the prompt too, gives other answers in 7 of the 36. `VLLM_USE_V2_MODEL_RUNNER=1` runs V2.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import openai
import pytest

from tests import golden
from tests.service.asking import check, check_concurrently, check_streamed
from tests.service.real import MODEL, serving
from tests.service.supervised import SupervisedServer

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def server() -> Iterator[SupervisedServer]:
    """`huatuo-server serve` on the golden checkpoint in float32."""
    with serving(golden.CHECKPOINT, "--dtype", "float32") as running:
        yield running


@pytest.fixture
def client(server: SupervisedServer) -> openai.OpenAI:
    """The official SDK, told not to try again."""
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=120)


@pytest.mark.parametrize("case", golden.cases(), ids=lambda case: case.name)
def test_one_at_a_time(client: openai.OpenAI, case: golden.Case) -> None:
    """Each case alone gives the reference's prompt and answer, token for token."""
    check(client, case, MODEL)


def test_eight_at_once(client: openai.OpenAI) -> None:
    """The same in batches of different penalties, so that no request takes another's."""
    check_concurrently(client, golden.cases(), MODEL, at_once=8)


def test_streamed(client: openai.OpenAI) -> None:
    """The same in pieces, for a case with a picture."""
    check_streamed(client, next(case for case in golden.cases() if case.images), MODEL)


def test_the_penalty_ran_on_the_model_runner_that_was_asked_for(server: SupervisedServer) -> None:
    """Some golden case shows the penalty, and the start's log names the runner that all of the above ran on."""
    assert any(
        one.penalty != 1.0 and (one.text, one.images) == (other.text, other.images) and one.answer != other.answer
        for one in golden.cases()
        for other in golden.cases()
    )
    runner = "V2" if os.environ.get("VLLM_USE_V2_MODEL_RUNNER") == "1" else "V1"
    server.until_said(f'"model_runner": "{runner}"')
