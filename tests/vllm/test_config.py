"""The released, flat configuration becomes the nested one that vLLM works with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from huatuo_vllm.computed import CLIP_LARGE_336, ConfigError
from huatuo_vllm.config import HuatuoLlamaConfig, load_config, tower_file
from tests import golden
from tests.conversions import VIT

# As published: https://huggingface.co/FreedomIntelligence/HuatuoGPT-Vision-7B/blob/main/config.json
RELEASED_7B = {
    "architectures": ["LlavaQwen2ForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "hidden_act": "silu",
    "hidden_size": 3584,
    "image_aspect_ratio": "pad",
    "initializer_range": 0.02,
    "intermediate_size": 18944,
    "max_position_embeddings": 131072,
    "max_window_layers": 28,
    "mm_hidden_size": 1024,
    "mm_projector_type": "mlp2x_gelu",
    "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2,
    "mm_vision_tower": "./vit/clip_vit_large_patch14_336",
    "model_type": "llava_qwen2",
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0,
    "sliding_window": 131072,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": False,
    "use_sliding_window": False,
    "vocab_size": 152064,
}


def write(folder: Path, **changes: object) -> Path:
    (folder / "config.json").write_text(json.dumps(RELEASED_7B | changes), encoding="utf-8")
    return folder


def test_the_published_7b_nests(tmp_path: Path) -> None:
    """Language model, CLIP and placeholder come out of the file as it is published, without its vit folder."""
    config: Any = load_config(write(tmp_path))

    assert type(config).__name__ == "HuatuoQwen2Config"
    assert config.text_config.model_type == "qwen2"
    assert config.text_config.hidden_size == 3584
    assert config.text_config.rope_parameters["rope_theta"] == 1000000.0
    assert config.text_config.sliding_window is None
    assert config.vision_config.num_hidden_layers == CLIP_LARGE_336["num_hidden_layers"]
    assert config.vision_feature_layer == -2
    assert config.image_token_index == 151646
    assert config.image_seq_length == 576


def test_a_vocabulary_without_a_spare_row_gives_its_bos_for_the_placeholder() -> None:
    """Yi has a piece of text in every row but the control pieces, and a prompt never holds the bos."""
    config: Any = load_config(golden.CHECKPOINT)

    assert type(config).__name__ == "HuatuoLlamaConfig"
    assert config.image_token_index == config.text_config.bos_token_id == 1


def test_a_qwen2_without_padding_rows_falls_back_to_its_bos(tmp_path: Path) -> None:
    """Row 151646 is the placeholder only where there is such a row."""
    assert load_config(write(tmp_path, vocab_size=151646)).image_token_index == 151643


def test_the_nested_form_survives_a_round_trip() -> None:
    """vLLM passes configurations between processes as dictionaries too."""
    config: Any = load_config(golden.CHECKPOINT)

    again = HuatuoLlamaConfig.from_dict(config.to_dict())

    assert again.text_config.to_dict() == config.text_config.to_dict()
    assert again.image_token_index == config.image_token_index


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mm_projector_type", "linear"),
        ("mm_projector_type", None),
        ("mm_vision_select_feature", "cls_patch"),
        ("image_aspect_ratio", "anyres"),
        ("mm_patch_merge_type", "spatial_unpad"),
        ("mm_use_im_start_end", True),
        ("mm_use_im_patch_token", True),
        ("mm_vision_select_layer", 0),
        ("mm_vision_select_layer", -25),
        ("mm_vision_select_layer", "-2"),
    ],
)
def test_a_checkpoint_that_asks_for_another_computation_is_refused(tmp_path: Path, key: str, value: object) -> None:
    """A model that we would compute wrongly does not load, and the field is named."""
    with pytest.raises(ConfigError, match=key):
        load_config(write(tmp_path, **{key: value}))


def test_null_is_as_good_as_absent(tmp_path: Path) -> None:
    """A field that the reference has a default for may be written as null."""
    config: Any = load_config(write(tmp_path, image_aspect_ratio=None, mm_vision_select_feature=None))

    assert config.vision_feature_layer == -2


@pytest.mark.parametrize("change", [{"hidden_size": "64"}, {"rope_scaling": "a"}, {"torch_dtype": "floaty"}])
def test_a_value_that_transformers_refuses_is_one_kind_of_error(tmp_path: Path, change: dict[str, object]) -> None:
    """Whatever transformers makes of it, the error is ours and names the file in one line."""
    with pytest.raises(ConfigError, match=r"^config\.json: [^\n]+$"):
        load_config(write(tmp_path, **change))


@pytest.mark.parametrize("tower", ["../vit", "vit/../../other", "/srv/clip-large-patch14-336", "", "."])
def test_a_tower_outside_the_checkpoint_is_refused(tower: str, tmp_path: Path) -> None:
    """A checkpoint's config.json cannot make the loader read elsewhere."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match="no folder inside the checkpoint"):
        tower_file(str(folder), tower, "config.json")
    with pytest.raises(ConfigError, match="no folder inside the checkpoint"):
        load_config(write(folder, mm_vision_tower=tower))


def test_an_unknown_tower_without_its_folder_is_named(tmp_path: Path) -> None:
    """Only the published CLIP-L/14-336 may be known by its name alone."""
    with pytest.raises(ValueError, match="vit/other"):
        load_config(write(tmp_path, mm_vision_tower="./vit/other"))


def test_a_clip_folder_may_hold_a_vision_config_alone(tmp_path: Path) -> None:
    """The folder's config.json is a whole CLIPModel's in some releases and a CLIPVisionModel's in others."""
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(golden.CHECKPOINT, checkpoint)
    clip = checkpoint / VIT / "config.json"
    whole = json.loads(clip.read_text())
    expected: Any = load_config(checkpoint).vision_config

    clip.write_text(json.dumps(whole["vision_config"]))

    found: Any = load_config(checkpoint).vision_config
    assert found.to_dict() == expected.to_dict()
