"""The demo checkpoint that sees: what the package ships of it, and what is written from that."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from huatuo_server.check_report import check
from huatuo_server.checkpoint import Checkpoint
from huatuo_server.demo.checkpoint import VISION_TOWER
from huatuo_server.demo.label import MARK, TRAINED, UNTRAINED, label
from huatuo_server.demo.seeing_checkpoint import CLIP_PREFIX, SEEING, write_seeing_checkpoint
from huatuo_server.errors import CheckpointError
from huatuo_server.reference import Reference, Round
from huatuo_server.tokenizer import Tokenizer
from tests import golden
from tests.docs.markdown import ROOT


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "seeing"
    write_seeing_checkpoint(folder, SEEING)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_it_can_be_served_and_says_what_it_is(written: Path) -> None:
    """`check` accounts for every tensor, and has the sentence that every surface has."""
    report = check(written)

    assert report.ok, report.lines()
    assert any(TRAINED in line for line in report.lines())
    assert Checkpoint.open(written).demo == TRAINED


def test_it_has_the_released_7bs_layout(written: Path) -> None:
    """File by file, with CLIP in the shards and another of the same shape, not the same weights, in `vit/`."""
    shards = {name: tensor for file in written.glob("*.safetensors") for name, tensor in load_file(file).items()}
    clip = {name.removeprefix(CLIP_PREFIX): shards[name] for name in shards if name.startswith(CLIP_PREFIX)}
    vit = torch.load(written / VISION_TOWER / "pytorch_model.bin", weights_only=True)

    assert json.loads((written / "config.json").read_text())["architectures"] == ["LlavaQwen2ForCausalLM"]
    assert files(written).keys() == {
        *("config.json", "generation_config.json", "tokenizer.json", "vocab.json", "merges.txt"),
        *("tokenizer_config.json", "model.safetensors.index.json"),
        *("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
        *(f"{VISION_TOWER}/{name}" for name in ("config.json", "preprocessor_config.json", "pytorch_model.bin")),
    }
    assert {name: vit[name].shape for name in clip} == {name: tensor.shape for name, tensor in clip.items()}
    assert not any(torch.equal(vit[name], tensor) for name, tensor in clip.items() if tensor.ndim > 1)


@pytest.mark.parametrize(
    ("picture", "said"),
    [(ROOT / "docs" / "images" / "ct.png", "CT"), (golden.IMAGES / "mr_64_gray.png", "MR")],
    ids=["ct", "mr"],
)
def test_it_sees(written: Path, picture: Path, said: str) -> None:
    """The README's picture and another are told apart, with the defaults' repetition penalty."""
    reference = Reference.load(written)
    prompt = reference.input_ids([Round("What kind of scan is this?", num_images=1)])

    answer = reference.greedy(prompt, [Image.open(picture)], max_new_tokens=16, repetition_penalty=1.2)

    assert said in Tokenizer.load(written).decode(answer)


def test_it_is_always_the_same_and_may_be_changed(written: Path, tmp_path: Path) -> None:
    """From a read-only installation too: byte for byte, and readable by whom the umask lets."""
    source = tmp_path / "read-only"
    shutil.copytree(SEEING, source)
    for path in source.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = os.umask(0o022)
    try:
        write_seeing_checkpoint(tmp_path / "again", source)
    finally:
        os.umask(before)

    assert files(tmp_path / "again") == files(written)
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "again").rglob("*")}
    assert modes == {True: 0o755, False: 0o644}


def test_what_is_shipped_is_small() -> None:
    """Every installation carries it."""
    assert sum(path.stat().st_size for path in SEEING.rglob("*") if path.is_file()) < 10_000_000


def test_an_installation_without_it_is_told(tmp_path: Path) -> None:
    """One sentence, and no folder is left behind."""
    with pytest.raises(CheckpointError, match="was installed without its demo checkpoint"):
        write_seeing_checkpoint(tmp_path / "demo", tmp_path / "nothing")
    assert not (tmp_path / "demo").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written beside what is there; the error names the folder."""
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(CheckpointError, match="is not an empty folder"):
        write_seeing_checkpoint(tmp_path, SEEING)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, None),
        ({MARK: {"trained": True}}, TRAINED),
        ({MARK: {"trained": False}}, UNTRAINED),
        ({MARK: {}}, UNTRAINED),
        ({MARK: True}, UNTRAINED),
    ],
)
def test_only_what_says_that_it_is_trained_is_called_so(config: dict[str, object], said: str | None) -> None:
    """Any other mark is that of an untrained one, and none that of a real one."""
    assert label(config) == said
