"""What the model computes, and so what a config.json may ask of it: the one table for the plugin and for the server.

No import is heavy here, so that a checkpoint can be judged without torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Literal

Layout = Literal["released", "hf"]

COMPUTED: Mapping[Layout, Mapping[str, tuple[object, ...]]] = {
    "released": {
        "mm_projector_type": ("mlp2x_gelu",),
        "mm_vision_select_feature": ("patch", None),
        "image_aspect_ratio": ("pad", None),
        "mm_patch_merge_type": ("flat", None),
        "mm_use_im_start_end": (False, None),
        "mm_use_im_patch_token": (False, None),
    },
    "hf": {
        "projector_hidden_act": ("gelu", None),
        "vision_feature_select_strategy": ("default", None),
        "multimodal_projector_bias": (True, None),
    },
}
"""Fields of config.json and the values that the model computes (None: absent or null). Another is another model."""

CLIP_LARGE_336: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "projection_dim": 768,
}
"""openai/clip-vit-large-patch14-336's published config.json, for a checkpoint that names it and lacks its folder."""

TOWER_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""The files that CLIP's folder may keep its weights in: the first that is there is read, and no other."""


class ConfigError(ValueError):
    """A config.json asks for what this model does not compute. The message begins with the file's name."""


def refuse_another_model(config: Mapping[str, Any], layout: Layout) -> None:
    """Raises ConfigError for the first field that is not as COMPUTED has it."""
    for key, values in COMPUTED[layout].items():
        if config.get(key) not in values:
            raise ConfigError(f"config.json: {key} is {config.get(key)!r}; only {values[0]!r} is served")


def tower_folder(tower: object) -> str:
    """`mm_vision_tower` as a folder inside the checkpoint, without a leading `./`.

    Raises ConfigError where it names none: a checkpoint's author has no say over files elsewhere.
    """
    if not isinstance(tower, str):
        raise ConfigError("config.json: mm_vision_tower is missing, or is not a text")
    folder = PurePosixPath(tower)
    if folder.is_absolute() or ".." in folder.parts or not folder.parts:
        raise ConfigError(f"config.json: mm_vision_tower is {tower!r}, which is no folder inside the checkpoint")
    return str(folder)


def is_clip_large_336(tower: str) -> bool:
    """Whether the tower's name says that it is CLIP_LARGE_336."""
    return all(word in tower for word in ("clip", "large", "patch14", "336"))


def select_layer(config: Mapping[str, Any], layout: Layout, num_layers: int) -> int:
    """The layer of CLIP whose output is read, as config.json writes it (-2: the last but one).

    Raises ConfigError where CLIP, with `num_layers` of them, has none such. 0 would be the embeddings: no layer at all.
    """
    if layout == "released":
        key, layer = "mm_vision_select_layer", config.get("mm_vision_select_layer")
    else:
        key, layer = "vision_feature_layer", config.get("vision_feature_layer", -2)
    if not isinstance(layer, int) or isinstance(layer, bool):
        raise ConfigError(f"config.json: {key} is missing, or is not a whole number")
    if not (-num_layers <= layer <= -1 or 1 <= layer <= num_layers):
        raise ConfigError(f"config.json: {key} is {layer}; the vision tower has {num_layers} layers")
    return layer
