"""A tiny untrained checkpoint in a released layout: what the server is tested on.

It has the shape of the real ones in everything that loading depends on: flat config.json, tokenizer of the same make,
shards with an index, CLIP inside the shards and in `vit/` (7B) or in `vit/` alone (34B). Its answers mean nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from huatuo_server.demo import weights
from huatuo_server.demo.label import MARK
from huatuo_server.demo.new_folder import new_folder
from huatuo_server.demo.tokenizer import write_qwen2_tokenizer, write_yi_tokenizer

VISION_TOWER = "vit/clip_vit_large_patch14_336"

QWEN2_SPARE_ROWS = 64
"""Rows past the tokenizer's last id; the 7B has 418."""


def write_demo_checkpoint(folder: Path, layout: Literal["7b", "34b"], seed: int = 0) -> None:
    """Write a demo checkpoint of a few MB. The same layout and seed give the same bytes.

    Raises CheckpointError when `folder` holds anything, or cannot be written.
    """
    with new_folder(folder):
        (folder / VISION_TOWER).mkdir(parents=True)
        _write_7b(folder, seed) if layout == "7b" else _write_34b(folder, seed)
        _write_clip_configs(folder / VISION_TOWER)


def _write_7b(folder: Path, seed: int) -> None:
    num_ids = write_qwen2_tokenizer(folder)
    end = num_ids - 3
    config = _qwen2_config(num_ids + QWEN2_SPARE_ROWS, end)
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {"bos_token_id": end, "eos_token_id": end, "max_new_tokens": 2048})
    clip = {f"model.vision_tower.vision_tower.{name}": shape for name, shape in weights.clip_shapes().items()}
    shapes = weights.language_model_shapes(config["vocab_size"], biased=True) | clip
    weights.save_shards(folder, weights.draw(shapes, seed))
    # Other weights than the shards': whoever reads these in their place gives other answers.
    weights.save_clip(folder / VISION_TOWER, weights.draw(weights.clip_shapes(), seed + 1))


def _write_34b(folder: Path, seed: int) -> None:
    config = _llama_config(write_yi_tokenizer(folder))
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2})
    weights.save_shards(folder, weights.draw(weights.language_model_shapes(config["vocab_size"], biased=False), seed))
    weights.save_clip(folder / VISION_TOWER, weights.draw(weights.clip_shapes(), seed))


def _shared_config() -> dict[str, Any]:
    """What both released config.json files say, with the demo's sizes and its mark."""
    return {
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "hidden_size": weights.HIDDEN,
        MARK: {"trained": False},
        "image_aspect_ratio": "pad",
        "initializer_range": 0.02,
        "intermediate_size": weights.INNER,
        "mm_hidden_size": weights.CLIP_WIDTH,
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2,
        "mm_vision_tower": f"./{VISION_TOWER}",
        "num_attention_heads": weights.HEADS,
        "num_hidden_layers": weights.LAYERS,
        "num_key_value_heads": weights.KEY_VALUE_HEADS,
        "rms_norm_eps": 1e-06,
        "tie_word_embeddings": False,
        "tokenizer_model_max_length": 4096,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.40.0.dev0",
        "tune_mm_mlp_adapter": False,
        "use_cache": False,
        "use_mm_proj": True,
    }


def _qwen2_config(vocab_size: int, end: int) -> dict[str, Any]:
    return _shared_config() | {
        "_name_or_path": "HuatuoGPT-Vision-7B-demo",
        "architectures": ["LlavaQwen2ForCausalLM"],
        "bos_token_id": end,
        "eos_token_id": end,
        "max_position_embeddings": 131072,
        "max_window_layers": weights.LAYERS,
        "model_type": "llava_qwen2",
        "rope_theta": 1000000.0,
        "sliding_window": 131072,
        "tokenizer_padding_side": "right",
        "use_sliding_window": False,
        "vocab_size": vocab_size,
    }


def _llama_config(vocab_size: int) -> dict[str, Any]:
    return _shared_config() | {
        "_name_or_path": "HuatuoGPT-Vision-34B-demo",
        "architectures": ["LlavaLlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "max_position_embeddings": 4096,
        "model_type": "llava_llama",
        "pad_token_id": 0,
        "pretraining_tp": 1,
        "rope_scaling": None,
        "rope_theta": 5000000.0,
        "tokenizer_padding_side": "left",
        "vocab_size": vocab_size,
    }


def _write_clip_configs(folder: Path) -> None:
    """CLIP's config.json as a whole CLIPModel's, and OpenAI's preprocessor_config.json, whose crop nobody applies."""
    vision = {
        "attention_dropout": 0.0,
        "hidden_act": "quick_gelu",
        "hidden_size": weights.CLIP_WIDTH,
        "image_size": weights.IMAGE_SIZE,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "intermediate_size": weights.CLIP_INNER,
        "layer_norm_eps": 1e-05,
        "model_type": "clip_vision_model",
        "num_attention_heads": weights.CLIP_HEADS,
        "num_channels": 3,
        "num_hidden_layers": weights.CLIP_LAYERS,
        "patch_size": weights.PATCH_SIZE,
        "projection_dim": 64,
    }
    text = {"hidden_size": 64, "intermediate_size": 128, "model_type": "clip_text_model", "num_attention_heads": 1}
    whole = {"architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 64, "text_config": text}
    _write_json(folder / "config.json", {**whole, "vision_config": vision})
    preprocessor = {
        "crop_size": weights.IMAGE_SIZE,
        "do_center_crop": True,
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": weights.IMAGE_SIZE,
    }
    _write_json(folder / "preprocessor_config.json", preprocessor)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
