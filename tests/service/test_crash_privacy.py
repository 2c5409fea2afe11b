"""An engine that crashes over a request says nothing of it: no word, no stop string, no pixel."""

from __future__ import annotations

import base64
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import golden
from tests.service.real import MODEL, START_LIMIT_S
from tests.service.supervised import SupervisedServer

pytest.importorskip("vllm", reason="vLLM is not installed")

QUESTION = "Kanarienvogel Zwetschgenmann, born 1931"
STOP = "Haltestelle Quittengelee"
GREY = 173
"""Of every pixel: three of them in a row are no number that a log holds otherwise."""

FLAGS = ("--port", "0", "--dtype", "float32", "--enforce-eager", "--served-model-name", MODEL)
FAILING = 'logits_processors=["tests.service.failing_step:FailingStep"]'


def question() -> dict[str, Any]:
    file = BytesIO()
    Image.fromarray(np.full((336, 336), GREY, np.uint8)).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION}]
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": parts}],
        "stop": [STOP],
        "max_tokens": 8,
    }


@pytest.mark.long
def test_a_step_that_fails_leaves_nothing_of_the_request_in_any_log(tmp_path: Path) -> None:
    """vLLM's own crash dump prints the corners of every picture."""
    fails = tmp_path / "fails"
    arguments = ["serve", "--model", str(golden.CHECKPOINT), *FLAGS, "--engine", FAILING]
    with SupervisedServer(arguments, environ={"FAILS_WHEN_THERE_IS": str(fails)}) as server:
        server.listening()
        server.until_ready(START_LIMIT_S)
        fails.touch()

        answer = server.post("/v1/chat/completions", question())

        code = server.ended()
        said = "\n".join([*server.rest_of_stdout(), *server.errors(), *map(str, server.log())])
    assert (answer.status_code, answer.json()["error"]["code"]) == (httpx.codes.SERVICE_UNAVAILABLE, "engine_dead")
    assert code == 1
    assert "the step failed" in said, "the log says what failed"
    for word in (*QUESTION.split(), *STOP.split()):
        assert word not in said
    assert not re.search(rf"{GREY}\D+{GREY}\D+{GREY}", said)
    assert "tensor(" not in said
    assert "Dumping scheduler output" not in said
