"""A checkpoint folder: where it comes from, and what its config.json says it is.

`check_report.check` reads all the rest of one, but for the weights themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from huatuo_server.errors import CheckpointError
from huatuo_server.families import FAMILIES, HF_ARCHITECTURE, Family
from huatuo_server.hub import download
from huatuo_server.json_file import read_object

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
"""Fields of config.json and the values that the model computes (None: absent). Another value is another model."""

DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "qwen2": {"vocab_size": 151936, "max_position_embeddings": 32768},
    "llama": {"vocab_size": 32000, "max_position_embeddings": 2048, "eos_token_id": 2},
    "vision": {"image_size": 224, "patch_size": 32},
}
"""transformers' defaults (Qwen2Config, LlamaConfig, CLIPVisionConfig), which an -hf config.json leaves out."""

CLIP_LARGE_336: Mapping[str, Any] = {"image_size": 336, "patch_size": 14}
"""openai/clip-vit-large-patch14-336, for a checkpoint that names this tower and lacks its folder."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that we serve, as its config.json describes it.

    config: config.json as it is. vocab_size: rows of the embedding and of the head.
    eos_token_ids: of config.json, else of generation_config.json. tokens_per_image: (image_size // patch_size) ** 2.
    vision_folder: where the released layout keeps CLIP's config and fallback weights; None if there is no such folder.
    demo: written by `huatuo-server demo-checkpoint`, untrained.
    """

    path: Path
    family: Family
    layout: Layout
    config: Mapping[str, Any]
    vocab_size: int
    max_position_embeddings: int
    eos_token_ids: tuple[int, ...]
    tokens_per_image: int
    image_size: int
    vision_folder: Path | None = None
    demo: bool = False

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Read a checkpoint folder's config.json.

        Raises CheckpointError, with one sentence that names the file and the field, when it is not one that we serve.
        """
        if not (path / "config.json").is_file():
            raise CheckpointError(f"{path} is not a checkpoint folder: it has no config.json.")
        config = read_object(path / "config.json")
        family, layout = _kind(config, path)
        _refuse_other_models(config, layout, path)
        nested = _nested(config, "text_config", path)
        text = config if layout == "released" else {**DEFAULTS[family.text_model_type], **nested}
        generation = read_object(path / "generation_config.json", missing_ok=True)
        folder, vision = _vision(config, layout, path)
        size, patch = _positive(vision, "image_size", path), _positive(vision, "patch_size", path)
        if size != family.picture.size_pixels:
            raise CheckpointError(
                f"{path}: its vision tower sees {size}-pixel pictures; only {family.picture.size_pixels} is served."
            )
        return cls(
            path=path,
            family=family,
            layout=layout,
            config=config,
            vocab_size=_positive(text, "vocab_size", path),
            max_position_embeddings=_positive(text, "max_position_embeddings", path),
            eos_token_ids=_eos_token_ids((config, nested, generation, text), path),
            tokens_per_image=(size // patch) ** 2,
            image_size=size,
            vision_folder=folder,
            demo=config.get("huatuo_demo") is not None,
        )


def resolve(model: str, revision: str | None = None) -> Path:
    """The folder of a checkpoint: `model` itself when it is one, else the hub's snapshot of that id.

    Raises CheckpointError when there is no such folder, or the download fails, with the cause.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise CheckpointError(f"{model} is a folder; a revision can only be asked of a hub id.")
        return folder
    return download(model, revision)


def _kind(config: Mapping[str, Any], path: Path) -> tuple[Family, Layout]:
    """The family and layout that config.json names by its architecture or its model_type."""
    architectures, model_type = config.get("architectures") or [], config.get("model_type")
    for family in FAMILIES:
        if family.released_model_type == model_type or family.released_architecture in architectures:
            return family, "released"
    inner = _nested(config, "text_config", path).get("model_type")
    if HF_ARCHITECTURE in architectures:
        for family in FAMILIES:
            if family.text_model_type == (inner or "llama"):
                return family, "hf"
    named = ", ".join(map(str, architectures)) or "no architecture"
    around = f" around {inner}" if inner else ""
    served = ", ".join(f"{family.released_architecture} ({family.name})" for family in FAMILIES)
    raise CheckpointError(
        f"{path}/config.json names {named} (model_type {model_type}){around}, which is not served. Served are {served} "
        f"and their conversions to {HF_ARCHITECTURE}."
    )


def _refuse_other_models(config: Mapping[str, Any], layout: Layout, path: Path) -> None:
    for key, values in COMPUTED[layout].items():
        if config.get(key) not in values:
            raise CheckpointError(f"{path}/config.json: {key} is {config.get(key)!r}; only {values[0]!r} is served.")
    if layout == "released":
        for key, kind in (("mm_vision_tower", str), ("mm_vision_select_layer", int)):
            if not isinstance(config.get(key), kind):
                raise CheckpointError(f"{path}/config.json: {key} is missing, or is not a {kind.__name__}.")


def _nested(config: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    """The object under `key`, empty where there is none."""
    found = config.get(key) or {}
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: {key} is not a JSON object.")
    return found


def _vision(config: Mapping[str, Any], layout: Layout, path: Path) -> tuple[Path | None, Mapping[str, Any]]:
    """CLIP's folder and its configuration, which may stand in a whole CLIPModel's."""
    if layout == "hf":
        given = _nested(config, "vision_config", path)
        # LlavaConfig without a vision_config means CLIP-L/14-336; with one, what it leaves out is CLIPVisionConfig's.
        return None, {**DEFAULTS["vision"], **given} if given else CLIP_LARGE_336
    tower = str(config["mm_vision_tower"])
    folder = path / tower
    if (folder / "config.json").is_file():
        found = read_object(folder / "config.json")
        return folder, {**DEFAULTS["vision"], **(_nested(found, "vision_config", folder) or found)}
    if all(word in tower for word in ("clip", "large", "patch14", "336")):
        return folder if folder.is_dir() else None, CLIP_LARGE_336
    raise CheckpointError(f"{path}/config.json: mm_vision_tower names {tower}, and {tower}/config.json does not exist.")


def _positive(config: Mapping[str, Any], key: str, path: Path) -> int:
    value = config.get(key)
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    raise CheckpointError(f"{path}/config.json: {key} must be a positive whole number.")


def _eos_token_ids(places: tuple[Mapping[str, Any], ...], path: Path) -> tuple[int, ...]:
    """The eos of the first of `places` that names one."""
    found = next((place["eos_token_id"] for place in places if place.get("eos_token_id") is not None), None)
    ids = found if isinstance(found, list) else [found]
    if not ids or not all(isinstance(id_, int) for id_ in ids):
        raise CheckpointError(f"{path}: neither config.json nor generation_config.json names an eos_token_id.")
    return tuple(ids)
