"""Names and shapes of a folder's tensors, from the headers of its files; no weight is read."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from pathlib import Path

from huatuo_server.errors import CheckpointError
from huatuo_server.json_file import field, of_kind, read_object
from huatuo_vllm.computed import TOWER_WEIGHTS

Shape = tuple[int, ...]

MAX_HEADER_BYTES = 100_000_000
"""The safetensors format's own limit."""


def read_shapes(folder: Path) -> dict[str, Shape]:
    """Tensor name -> shape over all weight files of `folder`: safetensors where there are any, else `.bin`.

    Raises CheckpointError, naming the file, when one is missing, damaged or truncated, and when there is none at all.
    """
    kinds: tuple[tuple[str, str, Callable[[Path], dict[str, Shape]]], ...] = (
        ("model.safetensors.index.json", "*.safetensors", safetensors_shapes),
        ("pytorch_model.bin.index.json", "pytorch_model*.bin", bin_shapes),
    )
    for index, pattern, read in kinds:
        if (folder / index).is_file():
            return _indexed(folder / index, read)
        files = sorted(folder.glob(pattern))
        if files:
            return {name: shape for file in files for name, shape in read(file).items()}
    raise CheckpointError(f"{folder} holds no weights: expected *.safetensors or *.bin files.")


def read_tower_shapes(folder: Path) -> dict[str, Shape]:
    """As `read_shapes`, of the one file that is loaded from CLIP's folder; empty where there is none."""
    file = next((folder / name for name in TOWER_WEIGHTS if (folder / name).is_file()), None)
    if file is None:
        return {}
    return safetensors_shapes(file) if file.suffix == ".safetensors" else bin_shapes(file)


def _indexed(index: Path, read: Callable[[Path], dict[str, Shape]]) -> dict[str, Shape]:
    """The tensors of the files that an index names. Each tensor must be where the index says it is."""
    weight_map = field(read_object(index), "weight_map", dict, index)
    places = {name: of_kind(file, str, f"{index}: weight_map.{name}") for name, file in weight_map.items()}
    shapes: dict[str, Shape] = {}
    for file in sorted(set(places.values())):
        if not (index.parent / file).is_file():
            raise CheckpointError(f"{index} names {file}, which is missing.")
        found = read(index.parent / file)
        absent = sorted(name for name, place in places.items() if place == file and name not in found)
        if absent:
            raise CheckpointError(f"{index.parent / file} lacks {absent[0]}, which {index.name} says is in it.")
        shapes |= found
    return shapes


def safetensors_shapes(path: Path) -> dict[str, Shape]:
    """The shapes in one safetensors file: 8 bytes of header length, a JSON header, the tensors' bytes.

    Raises CheckpointError when the file is not whole.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            raise CheckpointError(f"{path} is truncated or not a safetensors file.")
        header = file.read(length)
    try:
        shapes, end = _parsed(header)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: its header cannot be read.") from error
    if 8 + length + end != size:
        raise CheckpointError(f"{path} has {size} bytes, should have {8 + length + end}: truncated or damaged.")
    return shapes


def _parsed(header: bytes) -> tuple[dict[str, Shape], int]:
    """Name -> shape, and the bytes that the tensors take."""
    entries = {name: entry for name, entry in json.loads(header).items() if name != "__metadata__"}
    end = max((operator.index(entry["data_offsets"][1]) for entry in entries.values()), default=0)
    return {name: tuple(map(operator.index, entry["shape"])) for name, entry in entries.items()}, end


def bin_shapes(path: Path) -> dict[str, Shape]:
    """The shapes in one torch `.bin` file, unpickled with `weights_only` and without storage.

    Raises CheckpointError when it cannot be read.
    """
    import torch

    try:
        state = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:
        # torch raises anything from RuntimeError to pickle's and zip's own for a damaged file.
        raise CheckpointError(f"{path} is damaged, or holds more than tensors.") from error
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise CheckpointError(f"{path} holds something else than tensors by name.")
    return {name: tuple(tensor.shape) for name, tensor in state.items() if hasattr(tensor, "shape")}
