"""Names and shapes come from headers alone; a file that is missing or not whole is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from huatuo_server.errors import CheckpointError
from huatuo_server.weight_headers import bin_shapes, read_shapes, read_tower_shapes, safetensors_shapes

TENSORS = {"a": torch.zeros(2, 3, dtype=torch.bfloat16), "b": torch.zeros(4), "c": torch.tensor(1.0)}
SHAPES = {"a": (2, 3), "b": (4,), "c": ()}


def test_safetensors(tmp_path: Path) -> None:
    """Every tensor's name and shape, whatever its type."""
    save_file(TENSORS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert read_shapes(tmp_path) == SHAPES


@pytest.mark.parametrize("zipped", [True, False])
def test_bin(zipped: bool, tmp_path: Path) -> None:
    """torch's files of both generations."""
    torch.save(TENSORS, tmp_path / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    assert read_shapes(tmp_path) == SHAPES


def test_safetensors_win_over_bin(tmp_path: Path) -> None:
    """Where both are there, what is loaded is what is read."""
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    assert read_shapes(tmp_path) == {"a": (1,)}


def indexed(folder: Path, **places: str) -> Path:
    save_file({"a": torch.zeros(1)}, folder / "one.safetensors")
    save_file({"b": torch.zeros(2)}, folder / "two.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def test_an_index_says_which_files_count(tmp_path: Path) -> None:
    """Files that the index does not name are not read."""
    assert read_shapes(indexed(tmp_path, a="one.safetensors")) == {"a": (1,)}


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    """The error names the index and the file."""
    with pytest.raises(CheckpointError, match=r"index\.json names three\.safetensors, which is missing"):
        read_shapes(indexed(tmp_path, a="one.safetensors", c="three.safetensors"))


def test_a_tensor_that_is_not_where_the_index_says_is_named(tmp_path: Path) -> None:
    """A shard of another checkpoint is found out."""
    with pytest.raises(CheckpointError, match=r"two\.safetensors lacks a"):
        read_shapes(indexed(tmp_path, a="two.safetensors", b="two.safetensors"))


@pytest.mark.parametrize("kept", [0, 4, 20, -1])
def test_a_truncated_safetensors_file_is_named(kept: int, tmp_path: Path) -> None:
    """However much is left of it, the error says which file is not whole."""
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"model\.safetensors .*(truncated|damaged)"):
        safetensors_shapes(path)


def test_the_tower_is_read_from_the_file_that_is_loaded(tmp_path: Path) -> None:
    """model.safetensors, else pytorch_model.bin; a shard, an index or another name is not read, so not counted."""
    indexed(tmp_path, a="one.safetensors", b="two.safetensors")
    torch.save(TENSORS, tmp_path / "pytorch_model-00001-of-00002.bin")
    assert read_tower_shapes(tmp_path) == {}
    torch.save(TENSORS, tmp_path / "pytorch_model.bin")
    assert read_tower_shapes(tmp_path) == SHAPES
    save_file({"a": torch.zeros(7)}, tmp_path / "model.safetensors")
    assert read_tower_shapes(tmp_path) == {"a": (7,)}


@pytest.mark.parametrize("weight_map", [None, [], 1, {"a": 1}])
def test_an_index_of_another_kind_is_named(weight_map: object, tmp_path: Path) -> None:
    """The error names the file and the field."""
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(CheckpointError, match=r"index\.json: weight_map"):
        read_shapes(tmp_path)


@pytest.mark.parametrize(
    "header",
    [
        b"not json",
        b"[]",
        b'{"a": 1}',
        b'{"a": {"shape": [1]}}',
        b'{"a": {"shape": ["1"], "data_offsets": [0, 1]}}',
        b'{"a": {"shape": [1], "data_offsets": [0, "1"]}}',
        b'{"a": {"shape": [1], "data_offsets": []}}',
    ],
)
def test_a_damaged_header_is_named(header: bytes, tmp_path: Path) -> None:
    """A header of another kind does not crash the check."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        safetensors_shapes(path)


def test_a_damaged_bin_is_named(tmp_path: Path) -> None:
    """So is a .bin file that lost its end."""
    path = tmp_path / "pytorch_model.bin"
    torch.save(TENSORS, path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin is damaged"):
        bin_shapes(path)


def test_a_pickle_with_code_in_it_is_refused(tmp_path: Path) -> None:
    """Only tensors are unpickled, never what could run."""
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": Path}, path)
    with pytest.raises(CheckpointError, match="more than tensors"):
        bin_shapes(path)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    """It is an error for a checkpoint, and nothing special for a vit folder."""
    assert read_tower_shapes(tmp_path) == {}
    with pytest.raises(CheckpointError, match="holds no weights"):
        read_shapes(tmp_path)


def test_a_bin_without_names_is_named(tmp_path: Path) -> None:
    """A list of tensors, or one alone, is no checkpoint."""
    path = tmp_path / "pytorch_model.bin"
    for content in ([torch.zeros(1)], {1: torch.zeros(1)}):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=r"pytorch_model\.bin holds something else"):
            bin_shapes(path)
