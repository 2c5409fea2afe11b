"""A checkpoint that cannot be served ends the process with a non-zero code and one clear line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from tests import golden
from tests.service.supervised import SupervisedServer

START_LIMIT_S = 300.0


@pytest.mark.slow
def test_a_tensor_that_the_config_does_not_promise_stops_the_start_and_is_named(tmp_path: Path) -> None:
    """vllm#7984's "!!!!" came from weights whose names matched nothing; here the name is in the last line."""
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(golden.CHECKPOINT, checkpoint)
    shard = checkpoint / "model-00002-of-00002.safetensors"
    tensors = load_file(shard)
    tensors["model.final_norm.weight"] = tensors.pop("model.norm.weight")
    save_file(tensors, shard, metadata={"format": "pt"})

    with SupervisedServer(["serve", "--model", str(checkpoint), "--port", "0", "--enforce-eager"]) as server:
        server.listening()
        code = server.ended(START_LIMIT_S)
        last = server.errors()[-1]

    assert code == 1
    assert "language_model.model.norm.weight" in last
    assert "model.final_norm.weight" in last
