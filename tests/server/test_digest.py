"""The digest of a checkpoint: it stands for the weights that answer, whatever lies beside them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.digest import TOKENIZER, digest, files, tokenizer_digest
from huatuo_server.errors import CheckpointError
from tests import golden


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the golden checkpoint."""
    return shutil.copytree(golden.CHECKPOINT, tmp_path / "checkpoint")


def digest_of(folder: Path) -> str:
    return digest(Checkpoint.open(folder), lambda _: None)


def test_it_is_what_sha256sum_says(folder: Path) -> None:
    """An auditor needs no software of ours to find the same."""
    names = files(Checkpoint.open(folder))
    said = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True).stdout

    assert digest_of(folder) == f"sha256:{hashlib.sha256(said).hexdigest()}"


def test_it_covers_config_tokenizer_shards_and_the_vision_tower(folder: Path) -> None:
    """Everything that the answer depends on, by the name under which it is read."""
    names = files(Checkpoint.open(folder))

    assert names == sorted(names)
    assert {"config.json", "tokenizer.model", "model-00001-of-00002.safetensors"} <= set(names)
    assert "vit/clip_vit_large_patch14_336/pytorch_model.bin" in names
    assert "vit/clip_vit_large_patch14_336/preprocessor_config.json" in names


@pytest.mark.parametrize(
    "name", ["config.json", "model-00002-of-00002.safetensors", "vit/clip_vit_large_patch14_336/pytorch_model.bin"]
)
def test_one_other_byte_is_another_digest(folder: Path, name: str) -> None:
    """Wherever it is."""
    before = digest_of(folder)
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content + (b" " if name.endswith(".json") else b""))
    if name == "config.json":
        (folder / name).write_bytes(bytes(content[:-1]) + b"}\n")

    assert digest_of(folder) != before


def test_files_that_nobody_reads_do_not_matter(folder: Path) -> None:
    """A README, a training state, weights of another format: a full clone has the same one as what serving needs."""
    before = digest_of(folder)
    (folder / "README.md").write_text("Read me.")
    (folder / "training_args.bin").write_bytes(b"arguments")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "state.json").write_text("{}")
    (folder / "checkpoint-500").mkdir()
    (folder / "checkpoint-500" / "model.safetensors").write_bytes(b"weights")

    assert digest_of(folder) == before


def test_where_the_folder_lies_does_not_matter(folder: Path, tmp_path: Path) -> None:
    """Replicas agree; the hub's cache is full of symbolic links, which do not matter either."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in files(Checkpoint.open(folder)):
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).symlink_to(folder / name)

    assert digest_of(elsewhere) == digest_of(folder)


def test_a_start_says_what_it_waits_for(folder: Path) -> None:
    """Reading 70 GB takes minutes."""
    said: list[str] = []

    digest(Checkpoint.open(folder), said.append)

    assert len(said) == 1
    assert "digest" in said[0]


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    """One clear line, as for a link of the hub's cache whose blob was deleted."""
    checkpoint = Checkpoint.open(folder)
    shard = folder / "model-00002-of-00002.safetensors"
    shard.unlink()
    shard.symlink_to(folder / "gone")

    with pytest.raises(CheckpointError, match=shard.name):
        digest(checkpoint, lambda _: None)


def test_the_tokenizers_own_is_of_its_files_alone(folder: Path) -> None:
    """What `sha256sum` says of them; other weights leave it as it is."""
    names = [name for name in TOKENIZER if (folder / name).exists()]
    sums = subprocess.run(["sha256sum", *names], cwd=folder, capture_output=True, check=True).stdout
    before = tokenizer_digest(Checkpoint.open(folder))
    assert before == f"sha256:{hashlib.sha256(sums).hexdigest()}"

    config = folder / "generation_config.json"
    config.write_text(config.read_text() + "\n" if config.exists() else "{}")
    assert tokenizer_digest(Checkpoint.open(folder)) == before
    (folder / names[0]).write_bytes((folder / names[0]).read_bytes() + b"\n")
    assert tokenizer_digest(Checkpoint.open(folder)) != before
