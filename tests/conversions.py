"""Checkpoints in other layouts, made from one in the released layout; and what one holds, by name and shape."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from huatuo_vllm.config import load_config
from huatuo_vllm.tensors import Shape, canonical, canonical_vit

VIT = Path("vit") / "clip_vit_large_patch14_336"


def released_shapes(checkpoint: Path) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Checkpoint name -> shape, of the main shards and of the vit folder."""
    main: dict[str, Shape] = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            main |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    return main, {name: tuple(tensor.shape) for name, tensor in vit_tensors(checkpoint).items()}


def vit_tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The tensors of the vit folder, empty where it holds no weights."""
    path = checkpoint / VIT / "pytorch_model.bin"
    return torch.load(path, weights_only=True) if path.exists() else {}


def main_tensors(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The tensors of the main shards."""
    return {
        name: tensor for path in sorted(checkpoint.glob("*.safetensors")) for name, tensor in load_file(path).items()
    }


def widen(checkpoint: Path, vocab_size: int) -> None:
    """Pad the vocabulary, in place, with rows that no piece of text has: the released 7B's ends at 152064."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (checkpoint / "config.json").write_text(json.dumps(config | {"vocab_size": vocab_size}), encoding="utf-8")
    generator = torch.Generator().manual_seed(0)
    for path in sorted(checkpoint.glob("*.safetensors")):
        tensors = load_file(path)
        for name in tensors.keys() & {"model.embed_tokens.weight", "lm_head.weight"}:
            rows = tensors[name]
            spare = torch.randn(vocab_size - len(rows), rows.shape[1], generator=generator) * rows.float().std() * 0.1
            tensors[name] = torch.cat([rows, spare.to(rows.dtype)])
        save_file(tensors, path, metadata={"format": "pt"})


def with_two_clips(released: Path, folder: Path) -> Path:
    """The checkpoint with CLIP in its shards but for one tensor, beside a vit folder of safetensors that is all wrong.

    Only that one tensor of the vit folder is right, so whoever reads another one from it gives other answers.
    """
    shutil.copytree(released, folder)
    clip = {name: tensor for name, tensor in vit_tensors(released).items() if name.startswith("vision_model.")}
    from_vit = "vision_model.pre_layrnorm.weight"
    main = {f"model.vision_tower.vision_tower.{name}": tensor for name, tensor in clip.items() if name != from_vit}
    save_file(main, folder / "model-00003-of-00003.safetensors", metadata={"format": "pt"})
    wrong = {name: tensor if name == from_vit else torch.full_like(tensor, 7) for name, tensor in clip.items()}
    save_file(wrong, folder / VIT / "model.safetensors", metadata={"format": "pt"})
    (folder / VIT / "pytorch_model.bin").unlink()
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text(encoding="utf-8"))
    content["weight_map"] |= dict.fromkeys(main, "model-00003-of-00003.safetensors")
    index.write_text(json.dumps(content), encoding="utf-8")
    return folder


def to_hf(released: Path, folder: Path, *, image_token: int, since_4_52: bool) -> Path:
    """Write the -hf conversion of a released checkpoint: LlavaForConditionalGeneration, nested config, other names."""
    folder.mkdir(parents=True)
    for path in released.iterdir():
        if path.is_file() and path.suffix != ".safetensors" and path.name != "model.safetensors.index.json":
            shutil.copy(path, folder)
    config: Any = load_config(released)
    nested = {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "text_config": config.text_config.to_dict(),
        "vision_config": config.vision_config.to_dict(),
        "image_token_index": image_token,
        "image_seq_length": config.image_seq_length,
        "projector_hidden_act": "gelu",
        "vision_feature_layer": config.vision_feature_layer,
        "vision_feature_select_strategy": "default",
        "torch_dtype": "bfloat16",
        "eos_token_id": json.loads((released / "config.json").read_text())["eos_token_id"],
    }
    (folder / "config.json").write_text(json.dumps(nested, default=str), encoding="utf-8")
    save_file(
        {_hf_name(name, since_4_52): tensor for name, tensor in _canonical_tensors(released).items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    return folder


def _canonical_tensors(released: Path) -> dict[str, torch.Tensor]:
    found = {canonical_vit(name): tensor for name, tensor in vit_tensors(released).items() if "vision_model" in name}
    found |= {canonical(name): tensor for name, tensor in main_tensors(released).items()}
    return {name: tensor for name, tensor in found.items() if not name.endswith(("position_ids", "inv_freq"))}


def _hf_name(name: str, since_4_52: bool) -> str:
    if not since_4_52:
        return name
    if name.startswith("language_model.lm_head."):
        return name.removeprefix("language_model.")
    if name.startswith("language_model.model."):
        return name.replace("language_model.model.", "model.language_model.", 1)
    return f"model.{name}"
