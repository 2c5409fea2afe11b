"""vLLM's own server loads the released 7B once our package is installed, as docs/models.md says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

import huatuo_vllm
from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.reference import IMAGE, Reference
from tests import golden
from tests.service.asking import image_part
from tests.service.real import START_LIMIT_S
from tests.service.supervised import until

pytestmark = pytest.mark.slow

TEMPLATE = Path(huatuo_vllm.__file__).parent / "chat_template.jinja"
TEXT = "What does the picture show?"


def free_port() -> int:
    """vLLM's server takes a number and not a socket; nobody else listens on this machine's loopback here."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def stock(checkpoint: Path, log: Path) -> Iterator[str]:
    """`python -m vllm.entrypoints.openai.api_server`, with the flags of docs/models.md; gives its base URL."""
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(checkpoint)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
    command += ["--max-model-len", "4096", "--generation-config", "vllm", "--chat-template", str(TEMPLATE)]
    command += ["--chat-template-content-format", "string"]
    command += ["--logits-processors", "huatuo_vllm.penalty:OutputRepetitionPenalty"]
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    environment |= {"VLLM_CPU_NUM_OF_RESERVED_CPU": "0", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:

        def healthy() -> bool:
            assert process.poll() is None, log.read_text()[-4000:]
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        until(healthy, START_LIMIT_S)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def test_stock_vllm_answers_a_picture_question_on_the_released_7b(tmp_path: Path) -> None:
    """It loads the checkpoint, sees the picture and penalises as the reference does, token by token."""
    checkpoint = tmp_path / "7b"
    write_demo_checkpoint(checkpoint, "7b", seed=5)
    reference = Reference.load(checkpoint, dtype="float32")
    picture = Image.open(golden.IMAGES / "retina_land_1000x700.png")
    messages: Any = [
        {"role": "user", "content": [image_part("retina_land_1000x700.png"), {"type": "text", "text": TEXT}]}
    ]

    with stock(checkpoint, tmp_path / "log") as url:
        completion = openai.OpenAI(base_url=url, api_key="none").chat.completions.create(
            model=str(checkpoint),
            messages=messages,
            temperature=0,
            max_tokens=16,
            extra_body={"return_token_ids": True, "vllm_xargs": {"huatuo_output_repetition_penalty": 1.2}},
        )

    extra, choice = completion.model_extra or {}, completion.choices[0].model_extra or {}
    # Stock vLLM tokenises one string, so its prompt ids are not quite the reference's: the reference reads them as is.
    placeholders = [
        index for index, token_id in enumerate(extra["prompt_token_ids"]) if token_id == placeholder(checkpoint)
    ]
    assert len(placeholders) == 576
    ids = extra["prompt_token_ids"]
    prompt = [*ids[: placeholders[0]], IMAGE, *ids[placeholders[-1] + 1 :]]
    assert choice["token_ids"] == reference.greedy(prompt, [picture], max_new_tokens=16, repetition_penalty=1.2)


def placeholder(checkpoint: Path) -> int:
    """The id that stands for an image inside vLLM."""
    from huatuo_vllm.config import load_config

    return load_config(checkpoint).image_token_index
