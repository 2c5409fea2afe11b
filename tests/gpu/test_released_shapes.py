"""The released 7B's shapes on a GPU, with dummy weights: it fits, compiles, starts, and an image request streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from benchmarks.speed.device.shapes import write_shapes
from tests.service.asking import image_part
from tests.service.real import START_LIMIT_S
from tests.service.supervised import SupervisedServer

pytestmark = pytest.mark.gpu

MODEL = "shapes-7b"
NUM_TOKENS = 48


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedServer]:
    """`huatuo-server serve` on the 7B's shapes, compiled, in bfloat16; ready means that the self-test has passed."""
    folder = tmp_path_factory.mktemp("checkpoint") / "7b"
    write_shapes(folder, "7b")
    dummy = ["--engine", "load_format=dummy", "--dtype", "bfloat16", "--served-model-name", MODEL]
    with SupervisedServer(["serve", "--model", str(folder), "--port", "0", *dummy]) as running:
        running.listening()
        running.until_ready(START_LIMIT_S)
        yield running
        running.signal()
        assert running.ended() == 0


def test_an_image_request_streams(server: SupervisedServer) -> None:
    """The SDK sees many chunks, 576 tokens of picture in the prompt, and exactly the tokens it asked for."""
    client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=120)
    parts: list[Any] = [image_part("retina_land_1000x700.png"), {"type": "text", "text": "What does this show?"}]
    chunks = list(
        client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": parts}],
            max_tokens=NUM_TOKENS,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={"ignore_eos": True, "return_token_ids": True},
        )
    )
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == NUM_TOKENS
    assert usage.prompt_tokens > 576
    assert len([chunk for chunk in chunks if chunk.choices]) > NUM_TOKENS // 2
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "length"


def test_the_default_context_is_the_references(server: SupervisedServer) -> None:
    """A prompt of 4096 tokens and 512 new ones fit."""
    (model,) = server.get("/v1/models").json()["data"]
    assert model["max_model_len"] == 4608


def test_the_engine_runs_on_the_gpu(server: SupervisedServer) -> None:
    """The start's log names the device."""
    server.until_said('"device": "cuda"')
