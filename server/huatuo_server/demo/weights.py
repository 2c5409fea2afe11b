"""Random weights in the released checkpoints' names: small, deterministic, and not quite meaningless.

The embeddings are large beside what the layers add, so that a state follows its last tokens and an answer does not end
in one token, over and over. The scale was picked from twelve settings (embeddings of deviation 1 to 6, a head biased
towards copying by 0 to 0.12) on the very answers counted here: of twelve (two layouts, three seeds, two pictures),
eleven change with a repetition penalty of 1.2 and all with the picture; the copying head made it fewer at every scale.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

Shape = tuple[int, ...]

HIDDEN, INNER, LAYERS, HEADS, KEY_VALUE_HEADS = 256, 512, 3, 4, 2
CLIP_WIDTH, CLIP_INNER, CLIP_LAYERS, CLIP_HEADS = 128, 256, 4, 4
IMAGE_SIZE, PATCH_SIZE = 336, 14
POSITIONS = (IMAGE_SIZE // PATCH_SIZE) ** 2 + 1
EMBEDDING_STD = 6.0

GAINS: tuple[tuple[str, float], ...] = (
    ("self_attn.q_proj", 1.5),
    ("self_attn.k_proj", 1.5),
    ("self_attn.o_proj", 3.0),
    ("self_attn.v_proj", 2.0),
    ("gate_proj", 1.5),
    ("up_proj", 1.5),
    ("down_proj", 2.0),
    ("lm_head", 3.0),
    ("mm_projector.0", 1.5),
    ("mm_projector.2", 2.5),
    ("patch_embedding", 1.5),
)
"""Standard deviation times the square root of the inputs; 1.5 elsewhere. Lively enough that the picture matters."""


def language_model_shapes(vocab_size: int, *, biased: bool) -> dict[str, Shape]:
    """Released names and shapes of the language model and the projector. biased: q, k, v have biases, as Qwen2's."""
    keys = HIDDEN * KEY_VALUE_HEADS // HEADS
    layer: dict[str, Shape] = {
        "self_attn.q_proj.weight": (HIDDEN, HIDDEN),
        "self_attn.k_proj.weight": (keys, HIDDEN),
        "self_attn.v_proj.weight": (keys, HIDDEN),
        "self_attn.o_proj.weight": (HIDDEN, HIDDEN),
        "mlp.gate_proj.weight": (INNER, HIDDEN),
        "mlp.up_proj.weight": (INNER, HIDDEN),
        "mlp.down_proj.weight": (HIDDEN, INNER),
        "input_layernorm.weight": (HIDDEN,),
        "post_attention_layernorm.weight": (HIDDEN,),
    }
    if biased:
        layer |= {f"self_attn.{name}_proj.bias": layer[f"self_attn.{name}_proj.weight"][:1] for name in "qkv"}
    return {
        "model.embed_tokens.weight": (vocab_size, HIDDEN),
        **{f"model.layers.{index}.{name}": shape for index in range(LAYERS) for name, shape in layer.items()},
        "model.norm.weight": (HIDDEN,),
        "lm_head.weight": (vocab_size, HIDDEN),
        "model.mm_projector.0.weight": (HIDDEN, CLIP_WIDTH),
        "model.mm_projector.0.bias": (HIDDEN,),
        "model.mm_projector.2.weight": (HIDDEN, HIDDEN),
        "model.mm_projector.2.bias": (HIDDEN,),
    }


def clip_shapes() -> dict[str, Shape]:
    """CLIPVisionModel's names and shapes, all four layers and the post_layernorm that the reference never reads."""
    layer: dict[str, Shape] = {
        "mlp.fc1.weight": (CLIP_INNER, CLIP_WIDTH),
        "mlp.fc1.bias": (CLIP_INNER,),
        "mlp.fc2.weight": (CLIP_WIDTH, CLIP_INNER),
        "mlp.fc2.bias": (CLIP_WIDTH,),
    }
    for name in ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"):
        layer |= {f"{name}.weight": (CLIP_WIDTH, CLIP_WIDTH), f"{name}.bias": (CLIP_WIDTH,)}
    norms = {f"layer_norm{rank}.{part}": (CLIP_WIDTH,) for rank in (1, 2) for part in ("weight", "bias")}
    layers = {
        f"encoder.layers.{index}.{name}": shape
        for index in range(CLIP_LAYERS)
        for name, shape in {**layer, **norms}.items()
    }
    rest: dict[str, Shape] = {
        "embeddings.class_embedding": (CLIP_WIDTH,),
        "embeddings.patch_embedding.weight": (CLIP_WIDTH, 3, PATCH_SIZE, PATCH_SIZE),
        "embeddings.position_embedding.weight": (POSITIONS, CLIP_WIDTH),
        **{
            f"{norm}.{part}": (CLIP_WIDTH,)
            for norm in ("pre_layrnorm", "post_layernorm")
            for part in ("weight", "bias")
        },
    }
    return {f"vision_model.{name}": shape for name, shape in {**rest, **layers}.items()}


def draw(shapes: Mapping[str, Shape], seed: int) -> dict[str, torch.Tensor]:
    """bfloat16 tensors for `shapes`. A tensor depends on its name, its shape and the seed alone."""
    import torch

    values = {name: _values(name, shape, seed) for name, shape in shapes.items()}
    return {name: torch.from_numpy(value).to(torch.bfloat16) for name, value in values.items()}


def save_shards(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write the tensors as two safetensors shards and their index."""
    from safetensors.torch import save

    names = list(tensors)
    places: dict[str, str] = {}
    half = len(names) // 2
    for rank, shard in enumerate((names[:half], names[half:]), start=1):
        file = f"model-{rank:05}-of-00002.safetensors"
        # `save_file` would leave a file that only its owner may read.
        (folder / file).write_bytes(save({name: tensors[name] for name in shard}, metadata={"format": "pt"}))
        places |= dict.fromkeys(shard, file)
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def save_clip(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a pytorch_model.bin as a whole CLIPModel leaves it: with parts of the text side, which nobody reads."""
    import torch

    positions = tensors["vision_model.embeddings.position_embedding.weight"].shape[0]
    unread = {
        "vision_model.embeddings.position_ids": torch.arange(positions).unsqueeze(0),
        "text_model.final_layer_norm.weight": torch.ones(64, dtype=torch.bfloat16),
        "logit_scale": torch.tensor(4.6),
    }
    torch.save({**tensors, **unread}, folder / "pytorch_model.bin")


def _values(name: str, shape: Shape, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    noise = np.random.default_rng([seed, zlib.crc32(name.encode())]).standard_normal(shape, np.float32)
    if "norm" in name or "layrnorm" in name:
        return noise * np.float32(0.1) + np.float32(name.endswith("weight"))
    if name.endswith("bias"):
        return noise * np.float32(0.1)
    if name.endswith("embed_tokens.weight"):
        return noise * np.float32(EMBEDDING_STD)
    if name.endswith("class_embedding"):
        return noise
    if name.endswith("position_embedding.weight"):
        return noise * np.float32(0.3)
    gain = next((gain for part, gain in GAINS if part in name), 1.5)
    return noise * np.float32(gain / math.sqrt(math.prod(shape[1:])))
