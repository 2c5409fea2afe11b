"""An untrained demo checkpoint has the released layout, passes every check, and is the same from the same seed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from huatuo_server.check_report import check
from huatuo_server.checkpoint import Checkpoint
from huatuo_server.demo.checkpoint import VISION_TOWER, write_demo_checkpoint
from huatuo_server.demo.label import UNTRAINED
from huatuo_server.errors import CheckpointError
from huatuo_server.reference import Reference, Round
from huatuo_server.tokenizer import Tokenizer
from tests import golden

LAYOUTS: tuple[Literal["7b", "34b"], ...] = ("7b", "34b")


@pytest.fixture(params=LAYOUTS)
def demo(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(f"demo_{request.param}")
    return found


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(file).items()}


def test_it_can_be_served(demo: Path) -> None:
    """`check` finds nothing wrong and says that the weights are untrained."""
    report = check(demo)
    assert report.ok, report.lines()
    assert any("untrained" in line for line in report.lines())
    assert Checkpoint.open(demo).demo == UNTRAINED


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_same_seed_gives_the_same_bytes(
    layout: Literal["7b", "34b"], demo_7b: Path, demo_34b: Path, tmp_path: Path
) -> None:
    """Another process, with other hash seeds, writes the identical folder; another seed writes other weights."""
    code = "import pathlib, sys; from huatuo_server.demo.checkpoint import write_demo_checkpoint as write; "
    code += "write(pathlib.Path(sys.argv[1]), sys.argv[2])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", code, tmp_path / "again", layout], check=True, env=environment)
    write_demo_checkpoint(tmp_path / "other", layout, seed=1)
    first = digests(demo_7b if layout == "7b" else demo_34b)
    assert digests(tmp_path / "again") == first
    assert digests(tmp_path / "other").keys() == first.keys()
    assert digests(tmp_path / "other") != first


def test_every_file_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    """A server under another account can serve it."""
    before = os.umask(0o022)
    try:
        write_demo_checkpoint(tmp_path / "demo", "7b")
    finally:
        os.umask(before)
    files = [path for path in (tmp_path / "demo").rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}


def test_it_is_small(demo: Path) -> None:
    """A demo is a few megabytes."""
    assert sum(path.stat().st_size for path in demo.rglob("*") if path.is_file()) < 10_000_000


def test_the_7b_has_clip_in_its_shards_and_another_in_vit(demo_7b: Path) -> None:
    """Names, biases and spare rows are the released 7B's; the CLIP of `vit/` differs, so that a mix-up shows."""
    found = weights(demo_7b)
    clip = "vision_model.encoder.layers.0.self_attn.q_proj.weight"
    config = json.loads((demo_7b / "config.json").read_text())
    vit = torch.load(demo_7b / VISION_TOWER / "pytorch_model.bin", weights_only=True)
    assert config["architectures"] == ["LlavaQwen2ForCausalLM"]
    assert "model.layers.0.self_attn.q_proj.bias" in found
    assert found["model.embed_tokens.weight"].shape[0] == config["vocab_size"] > Tokenizer.load(demo_7b).size
    assert not torch.equal(found[f"model.vision_tower.vision_tower.{clip}"], vit[clip])
    assert not config["use_cache"]


def test_the_34b_is_shaped_as_the_golden_checkpoint(demo_34b: Path) -> None:
    """Its files, config fields and tensor names are those of the golden checkpoint, every row of it a piece."""
    config, ours = json.loads((demo_34b / "config.json").read_text()), weights(demo_34b)
    assert digests(demo_34b).keys() == digests(golden.CHECKPOINT).keys()
    assert ours.keys() == weights(golden.CHECKPOINT).keys()
    assert Tokenizer.load(demo_34b).size == config["vocab_size"]
    assert {tensor.dtype for tensor in ours.values()} == {torch.bfloat16}


def test_an_answer_depends_on_the_picture_and_on_the_penalty(demo: Path) -> None:
    """Untrained as it is, the model is lively enough that a wrong picture or a missing penalty would show."""
    reference = Reference.load(demo)
    prompt = reference.input_ids([Round("What is this?", num_images=1)])

    def answer(name: str, penalty: float) -> list[int]:
        picture = Image.open(golden.IMAGES / name)
        return reference.greedy(prompt, [picture], max_new_tokens=20, repetition_penalty=penalty)

    assert answer("ct_128_gray.png", 1.0) != answer("retina_land_1000x700.png", 1.0)
    assert answer("ct_128_gray.png", 1.0) != answer("ct_128_gray.png", 1.2)


def test_questions_are_written_with_few_pieces(demo: Path) -> None:
    """The tokenizer has learnt words, so a demo prompt is not a run of bytes."""
    text = "What does the picture show?"
    assert len(Tokenizer.load(demo).encode(text)) < 12


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written beside what is there; the error names the folder."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="is not an empty folder"):
        write_demo_checkpoint(tmp_path, "7b")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The error says so, in one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_demo_checkpoint(tmp_path / "file" / "demo", "7b")
