"""A checkpoint folder with the released 7B's shapes and no weights, for vLLM's `load_format=dummy`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huatuo_server.demo.checkpoint import VISION_TOWER, write_demo_checkpoint
from huatuo_server.demo.label import MARK
from huatuo_vllm.computed import CLIP_LARGE_336

RELEASED_7B: dict[str, Any] = {
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "max_position_embeddings": 131072,
    "max_window_layers": 28,
    "mm_hidden_size": 1024,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rope_theta": 1000000.0,
    "vocab_size": 152064,
}
"""The published config.json of HuatuoGPT-Vision-7B, where it differs from the demo checkpoint's."""


def write_7b_shapes(folder: Path) -> None:
    """The demo checkpoint in the 7B's layout, with the 7B's sizes in its config files and its weights taken away."""
    write_demo_checkpoint(folder, "7b")
    for weights in [*folder.rglob("*.safetensors"), *folder.rglob("*.bin"), *folder.rglob("*.index.json")]:
        weights.unlink()
    _update(folder / "config.json", RELEASED_7B)
    tower = folder / VISION_TOWER / "config.json"
    tower.write_text(json.dumps({"model_type": "clip_vision_model", **CLIP_LARGE_336}), encoding="utf-8")


def _update(path: Path, values: dict[str, Any]) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop(MARK, None)
    path.write_text(json.dumps({**config, **values}), encoding="utf-8")
