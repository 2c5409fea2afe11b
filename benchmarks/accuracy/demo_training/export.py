"""The trained demo model as a checkpoint in the released 7B's layout."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.accuracy.demo_training.model import Demo, Sizes
from benchmarks.accuracy.demo_training.questions import lines
from benchmarks.accuracy.demo_training.released_names import tensors
from huatuo_server.demo.checkpoint import QWEN2_SPARE_ROWS, VISION_TOWER, write_demo_checkpoint
from huatuo_server.demo.label import MARK
from huatuo_server.demo.tokenizer import QWEN2_SPECIAL, write_qwen2_tokenizer
from huatuo_server.demo.weights import save_shards

NUM_PIECES: Final = 765
"""Byte pieces and merges; with the special tokens 768 ids."""


def write_tokenizer(folder: Path) -> tuple[int, int]:
    """The tokenizer's files. Returns the rows of the vocabulary and the id that ends an answer."""
    num_ids = write_qwen2_tokenizer(folder, lines(), NUM_PIECES)
    return num_ids + QWEN2_SPARE_ROWS, num_ids - len(QWEN2_SPECIAL)


def write(folder: Path, demo: Demo, vocabulary: int, end: int, tokenizer: Path) -> None:
    """Write the checkpoint in bfloat16, without a second CLIP in `vit/`.

    tokenizer: a folder with its files. Raises CheckpointError where `folder` holds anything.
    """
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "plain"
        write_demo_checkpoint(plain, "7b")
        for file in [*plain.glob("*.safetensors*"), plain / VISION_TOWER / "pytorch_model.bin"]:
            file.unlink()
        for file in tokenizer.glob("*.*"):
            if file.suffix in {".json", ".txt"}:
                shutil.copy(file, plain)
        _amend(plain / "config.json", _sizes(demo.sizes, vocabulary, end))
        _amend(plain / "generation_config.json", {"bos_token_id": end, "eos_token_id": end})
        _amend(plain / VISION_TOWER / "config.json", {"vision_config": _vision(plain, demo.sizes)})
        save_shards(plain, {name: value.to(torch.bfloat16) for name, value in tensors(demo).items()})
        shutil.copytree(plain, folder)


def _sizes(sizes: Sizes, vocabulary: int, end: int) -> dict[str, Any]:
    return {
        "_name_or_path": "HuatuoGPT-Vision-7B-demo",
        "bos_token_id": end,
        "eos_token_id": end,
        "hidden_size": sizes.hidden,
        MARK: {"trained": True},
        "intermediate_size": sizes.inner,
        "max_window_layers": sizes.layers,
        "mm_hidden_size": sizes.clip_width,
        "num_attention_heads": sizes.heads,
        "num_hidden_layers": sizes.layers,
        "num_key_value_heads": sizes.key_value_heads,
        "vocab_size": vocabulary,
    }


def _vision(folder: Path, sizes: Sizes) -> dict[str, Any]:
    config = json.loads((folder / VISION_TOWER / "config.json").read_text(encoding="utf-8"))
    vision: dict[str, Any] = config["vision_config"]
    return vision | {
        "hidden_size": sizes.clip_width,
        "intermediate_size": sizes.clip_inner,
        "num_attention_heads": sizes.clip_heads,
        "num_hidden_layers": sizes.clip_layers + 1,
    }


def _amend(path: Path, values: dict[str, Any]) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | values, indent=2) + "\n", encoding="utf-8")
