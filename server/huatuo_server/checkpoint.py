"""A checkpoint folder: where it comes from, and what its config.json says it is.

`check_report.check` reads all the rest of one, but for the weights themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from huatuo_server.demo.label import label
from huatuo_server.errors import CheckpointError
from huatuo_server.families import FAMILIES, HF_ARCHITECTURE, Family
from huatuo_server.hub import download
from huatuo_server.json_file import field, of_kind, read_object
from huatuo_vllm.computed import (
    CLIP_LARGE_336,
    ConfigError,
    Layout,
    is_clip_large_336,
    refuse_another_model,
    select_layer,
    tower_folder,
)

DEFAULTS: Mapping[str, Mapping[str, int]] = {
    "qwen2": {"vocab_size": 151936, "max_position_embeddings": 32768},
    "llama": {"vocab_size": 32000, "max_position_embeddings": 2048, "eos_token_id": 2},
    "vision": {"image_size": 224, "patch_size": 32, "num_hidden_layers": 12},
}
"""transformers' defaults (Qwen2Config, LlamaConfig, CLIPVisionConfig), which an -hf config.json leaves out."""

HF_MODEL_TYPE = "llava"
"""The model_type of HF_ARCHITECTURE."""

SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads")
"""Fields of both models that must be positive where they are given."""


@dataclass(frozen=True, slots=True)
class _Section:
    """Fields of a config.json. place: their file, and the object in it that holds them, as an error names them."""

    fields: Mapping[str, Any]
    place: str

    @classmethod
    def of(cls, given: Mapping[str, Any], defaults: Mapping[str, int], place: str) -> _Section:
        """`given` over `defaults`. Raises CheckpointError for a size that is no size."""
        section = cls({**defaults, **given}, place)
        for key in SIZES:
            # A null num_key_value_heads means as many as heads.
            if key in given and (given[key] is not None or key != "num_key_value_heads"):
                section.positive(key)
        return section

    def positive(self, key: str) -> int:
        value = self.fields.get(key)
        if _is_whole(value) and value > 0:
            return value
        raise CheckpointError(f"{self.place}: {key} must be a positive whole number.")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that we serve, as its config.json describes it.

    config: config.json as it is. vocab_size: rows of the embedding and of the head.
    eos_token_ids: of config.json, else of generation_config.json. tokens_per_image: (image_size // patch_size) ** 2.
    vision_folder: where the released layout keeps CLIP's config and fallback weights; None if there is no such folder.
    demo: what it is where it is a demo checkpoint, in a sentence of `demo.label`; None for a real one.
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
    demo: str | None = None

    @classmethod
    def open(cls, path: Path) -> Checkpoint:
        """Read a checkpoint folder's config.json.

        Raises CheckpointError, with one sentence that names the file and the field, when it is not one that we serve.
        """
        file = path / "config.json"
        if not file.is_file():
            raise CheckpointError(f"{path} is not a checkpoint folder: it has no config.json.")
        config = read_object(file)
        family, layout = _kind(config, file)
        text = _text(config, family, layout, file)
        folder, vision = _vision(config, layout, path)
        _refuse_another_model(config, layout, vision.positive("num_hidden_layers"), path)
        size, patch = vision.positive("image_size"), vision.positive("patch_size")
        if size != family.picture.size_pixels:
            raise CheckpointError(
                f"{path}: its vision tower sees {size}-pixel pictures; only {family.picture.size_pixels} is served."
            )
        vocab_size = text.positive("vocab_size")
        bos = [place["bos_token_id"] for place in (config, text.fields) if place.get("bos_token_id") is not None]
        _require_ids("bos_token_id", bos, vocab_size, path)
        return cls(
            path=path,
            family=family,
            layout=layout,
            config=config,
            vocab_size=vocab_size,
            max_position_embeddings=text.positive("max_position_embeddings"),
            eos_token_ids=_eos_token_ids(config, text.fields, vocab_size, path),
            tokens_per_image=(size // patch) ** 2,
            image_size=size,
            vision_folder=folder,
            demo=label(config),
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


def _kind(config: Mapping[str, Any], file: Path) -> tuple[Family, Layout]:
    """The family and layout that config.json names by its architecture; its model_type must be that one's."""
    architectures = [
        of_kind(name, str, f"{file}: architectures") for name in field(config, "architectures", list, file, [])
    ]
    model_type = config.get("model_type")
    for family in FAMILIES:
        if family.released_architecture in architectures:
            _require_model_type(model_type, family.released_model_type, family.released_architecture, file)
            return family, "released"
    inner = field(config, "text_config", dict, file, {}).get("model_type")
    if HF_ARCHITECTURE in architectures:
        _require_model_type(model_type, HF_MODEL_TYPE, HF_ARCHITECTURE, file)
        for family in FAMILIES:
            if family.text_model_type == (inner or "llama"):
                return family, "hf"
    named = ", ".join(architectures) or "no architecture"
    around = f" around {inner}" if inner else ""
    served = ", ".join(f"{family.released_architecture} ({family.name})" for family in FAMILIES)
    raise CheckpointError(
        f"{file} names {named} (model_type {model_type}){around}, which is not served. Served are {served} "
        f"and their conversions to {HF_ARCHITECTURE}."
    )


def _require_model_type(found: object, expected: str, architecture: str, file: Path) -> None:
    # vLLM takes its configuration by model_type and its model by architecture.
    if found != expected:
        raise CheckpointError(f"{file}: model_type is {found!r}; that of {architecture} is {expected!r}.")


def _text(config: Mapping[str, Any], family: Family, layout: Layout, file: Path) -> _Section:
    """The language model's fields; an -hf config.json leaves out what equals transformers' defaults."""
    if layout == "released":
        return _Section.of(config, {}, str(file))
    nested = field(config, "text_config", dict, file, {})
    return _Section.of(nested, DEFAULTS[family.text_model_type], f"{file}: text_config")


def _refuse_another_model(config: Mapping[str, Any], layout: Layout, clip_layers: int, path: Path) -> None:
    try:
        refuse_another_model(config, layout)
        select_layer(config, layout, clip_layers)
    except ConfigError as error:
        raise CheckpointError(f"{path}/{error}.") from error


def _vision(config: Mapping[str, Any], layout: Layout, path: Path) -> tuple[Path | None, _Section]:
    """CLIP's folder and its configuration, which may stand in a whole CLIPModel's."""
    if layout == "hf":
        given = field(config, "vision_config", dict, path / "config.json", {})
        # LlavaConfig without a vision_config means CLIP-L/14-336; with one, what it leaves out is CLIPVisionConfig's.
        defaults = DEFAULTS["vision"] if given else CLIP_LARGE_336
        return None, _Section.of(given, defaults, f"{path}/config.json: vision_config")
    try:
        tower = tower_folder(config.get("mm_vision_tower"))
    except ConfigError as error:
        raise CheckpointError(f"{path}/{error}.") from error
    folder = path / tower
    if (folder / "config.json").is_file():
        found = read_object(folder / "config.json")
        inner = field(found, "vision_config", dict, folder / "config.json", {})
        return folder, _Section.of(inner or found, DEFAULTS["vision"], f"{folder}/config.json")
    if is_clip_large_336(tower):
        return folder if folder.is_dir() else None, _Section(CLIP_LARGE_336, str(folder))
    raise CheckpointError(f"{path}/config.json: mm_vision_tower names {tower}, and {tower}/config.json does not exist.")


def _eos_token_ids(config: Mapping[str, Any], text: Mapping[str, Any], vocab_size: int, path: Path) -> tuple[int, ...]:
    """The eos that config.json names, else generation_config.json's, else transformers' default."""
    generation = read_object(path / "generation_config.json", missing_ok=True)
    nested = field(config, "text_config", dict, path / "config.json", {})
    places = (config, nested, generation, text)
    found = next((place["eos_token_id"] for place in places if place.get("eos_token_id") is not None), None)
    ids = found if isinstance(found, list) else [found]
    if ids in ([], [None]):
        raise CheckpointError(f"{path}: neither config.json nor generation_config.json names an eos_token_id.")
    _require_ids("eos_token_id", ids, vocab_size, path)
    return tuple(ids)


def _require_ids(key: str, ids: Iterable[object], vocab_size: int, path: Path) -> None:
    """Each of `ids` must be a row of the vocabulary."""
    for id_ in ids:
        if not _is_whole(id_) or not 0 <= id_ < vocab_size:
            raise CheckpointError(f"{path}: {key} is {id_!r}, which is no id of a vocabulary of {vocab_size}.")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
