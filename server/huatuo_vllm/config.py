"""The configuration of a HuatuoGPT-Vision checkpoint, in the nested form that vLLM and transformers work with.

The released config.json is flat (LLaVA's own: a language model's fields and `mm_*` beside them); CLIP's stands in the
folder that `mm_vision_tower` names. The -hf conversions are nested already and stay transformers' LlavaConfig.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from transformers import AutoConfig, LlavaConfig
from transformers.utils.hub import cached_file

from huatuo_vllm.computed import (
    CLIP_LARGE_336,
    ConfigError,
    is_clip_large_336,
    refuse_another_model,
    select_layer,
    tower_folder,
)


class _ReleasedConfig(LlavaConfig):
    """A LlavaConfig that reads the released, flat config.json.

    text_model_type, text_architecture: of the language model. spare_token_id: the placeholder where the vocabulary
    has a row that no piece of text has.
    """

    text_model_type = ""
    text_architecture = ""
    spare_token_id: int | None = None

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """Nest a flat config; a nested one (as `to_dict` writes it) passes through.

        kwargs["name_or_path"] is the checkpoint's folder or hub id, beside which `mm_vision_tower` is looked up.
        Raises ConfigError where the checkpoint asks for something that this model does not compute.
        """
        if "text_config" not in config_dict:
            source = str(kwargs.get("name_or_path") or config_dict.get("_name_or_path") or "")
            config_dict = cls._nest(config_dict, source, kwargs.get("revision"))
        return super().from_dict(config_dict, **kwargs)

    @classmethod
    def _nest(cls, flat: dict[str, Any], source: str, revision: str | None) -> dict[str, Any]:
        refuse_another_model(flat, "released")
        own = {"architectures", "model_type", "auto_map", "_name_or_path", "quantization_config"}
        text = {key: value for key, value in flat.items() if key not in own and not key.startswith("mm_")}
        text |= {"model_type": cls.text_model_type, "architectures": [cls.text_architecture]}
        tower = tower_folder(flat.get("mm_vision_tower"))
        vision = read_clip_config(source, tower, revision)
        nested = {
            key: flat[key] for key in ("architectures", "torch_dtype", "dtype", "quantization_config") if key in flat
        }
        return nested | {
            "model_type": cls.model_type,
            "text_config": text,
            "vision_config": vision,
            "image_token_index": cls._placeholder(flat),
            "image_seq_length": (vision["image_size"] // vision["patch_size"]) ** 2,
            "vision_feature_layer": select_layer(flat, "released", vision["num_hidden_layers"]),
            "vision_feature_select_strategy": "default",
            "projector_hidden_act": "gelu",
            "multimodal_projector_bias": True,
            "tie_word_embeddings": flat.get("tie_word_embeddings", False),
            "bos_token_id": flat.get("bos_token_id"),
            "eos_token_id": flat.get("eos_token_id"),
            "pad_token_id": flat.get("pad_token_id"),
            "mm_vision_tower": tower,
            "huatuo_text_placeholder": True,
        }

    @classmethod
    def _placeholder(cls, flat: dict[str, Any]) -> int:
        """An id that no text produces: a spare row of the vocabulary, else the bos, a control piece no prompt holds."""
        if cls.spare_token_id is not None and cls.spare_token_id < flat["vocab_size"]:
            return cls.spare_token_id
        if not isinstance(flat.get("bos_token_id"), int):
            raise ConfigError("config.json: bos_token_id, which stands for an image here, is not a whole number")
        return int(flat["bos_token_id"])


class HuatuoQwen2Config(_ReleasedConfig):
    """HuatuoGPT-Vision-7B as released. Qwen2's tokenizer ends at 151645, the embedding at 152063."""

    model_type = "llava_qwen2"
    text_model_type = "qwen2"
    text_architecture = "Qwen2ForCausalLM"
    spare_token_id = 151646


class HuatuoLlamaConfig(_ReleasedConfig):
    """HuatuoGPT-Vision-34B as released. Yi's vocabulary has 64000 pieces for 64000 rows, so the bos stands in."""

    model_type = "llava_llama"
    text_model_type = "llama"
    text_architecture = "LlamaForCausalLM"


RELEASED_CONFIGS: tuple[type[_ReleasedConfig], ...] = (HuatuoQwen2Config, HuatuoLlamaConfig)


def read_clip_config(source: str, tower: str, revision: str | None = None) -> dict[str, Any]:
    """CLIP's vision configuration from the folder that a checkpoint's `mm_vision_tower` names.

    source: the checkpoint's folder or hub id. The file may be a CLIPVisionModel's or a whole CLIPModel's.
    Raises ConfigError when it is missing and the tower is not the published CLIP-L/14-336.
    """
    path = tower_file(source, tower, "config.json", revision)
    if path is not None:
        found = json.loads(path.read_text(encoding="utf-8"))
        found = found.get("vision_config", found)
        # A nested CLIPModel config may leave out what equals transformers' defaults, so those fill the gaps.
        return AutoConfig.for_model("clip_vision_model", **_without_type(found)).to_dict()
    if is_clip_large_336(tower):
        return AutoConfig.for_model("clip_vision_model", **CLIP_LARGE_336).to_dict()
    raise ConfigError(f"config.json: mm_vision_tower names {tower}, and {tower}/config.json does not exist")


def _without_type(config: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key != "model_type"}


def tower_file(source: str, tower: str, name: str, revision: str | None = None) -> Path | None:
    """A file of the CLIP folder inside a checkpoint (a folder or a hub id), or None where there is none.

    Raises ConfigError where `tower` is no folder inside it.
    """
    relative = tower_folder(tower)
    if Path(source).is_dir():
        path = Path(source) / relative / name
        return path if path.is_file() else None
    found = cached_file(source, f"{relative}/{name}", revision=revision, _raise_exceptions_for_missing_entries=False)
    return Path(found) if found else None


def load_config(path: str | Path) -> LlavaConfig:
    """The nested configuration of a checkpoint folder, released or -hf.

    Raises ConfigError where it is neither, and where transformers does not take its values.
    """
    try:
        return _load(Path(path))
    except ConfigError:
        raise
    except Exception as error:
        # Of a wrong value transformers makes anything from a ZeroDivisionError to an exception of its own.
        raise ConfigError(f"config.json: {' '.join(str(error).split())} ({type(error).__name__})") from error


def _load(folder: Path) -> LlavaConfig:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    for config_class in RELEASED_CONFIGS:
        if config.get("model_type") == config_class.model_type:
            return config_class.from_dict(config, name_or_path=str(folder))
    if config.get("model_type") != LlavaConfig.model_type:
        raise ConfigError("config.json: its model_type is none that is served")
    refuse_another_model(config, "hf")
    nested: Any = LlavaConfig.from_dict(config)
    select_layer(config, "hf", nested.vision_config.num_hidden_layers)
    return cast("LlavaConfig", nested)
