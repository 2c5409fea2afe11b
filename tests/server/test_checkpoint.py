"""A checkpoint folder is understood, or refused in one sentence that names the file and the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from huatuo_server.checkpoint import Checkpoint, resolve
from huatuo_server.errors import CheckpointError
from huatuo_server.families import HUATUO_7B, HUATUO_34B
from tests import golden
from tests.conversions import VIT

# The published config.json files, as far as the server reads them.
PUBLISHED_7B = {
    "architectures": ["LlavaQwen2ForCausalLM"],
    "bos_token_id": 151643,
    "eos_token_id": 151643,
    "image_aspect_ratio": "pad",
    "max_position_embeddings": 131072,
    "mm_projector_type": "mlp2x_gelu",
    "mm_vision_select_feature": "patch",
    "mm_vision_select_layer": -2,
    "mm_vision_tower": "./vit/clip_vit_large_patch14_336",
    "model_type": "llava_qwen2",
    "vocab_size": 152064,
}
HF_34B = {
    "architectures": ["LlavaForConditionalGeneration"],
    "model_type": "llava",
    "image_token_index": 64000,
    "projector_hidden_act": "gelu",
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default",
    "text_config": {"model_type": "llama", "vocab_size": 64064, "max_position_embeddings": 4096},
    "vision_config": {"model_type": "clip_vision_model", "image_size": 336, "patch_size": 14},
}


def folder_with(path: Path, config: dict[str, Any], **others: dict[str, Any]) -> Path:
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    for name, content in others.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


def test_the_golden_checkpoint() -> None:
    """The 34B's released layout, CLIP's config within a whole CLIPModel's."""
    checkpoint = Checkpoint.open(golden.CHECKPOINT)
    assert checkpoint.family is HUATUO_34B
    assert checkpoint.layout == "released"
    assert (checkpoint.vocab_size, checkpoint.max_position_embeddings) == (4096, 4096)
    assert checkpoint.eos_token_ids == (2,)
    assert (checkpoint.image_size, checkpoint.tokens_per_image) == (336, 576)
    assert checkpoint.vision_folder == golden.CHECKPOINT / VIT
    assert not checkpoint.demo


def test_the_published_7b_without_its_vit_folder(tmp_path: Path) -> None:
    """CLIP-L/14-336 is known by the name of its folder."""
    checkpoint = Checkpoint.open(folder_with(tmp_path, PUBLISHED_7B))
    assert checkpoint.family is HUATUO_7B
    assert checkpoint.eos_token_ids == (151643,)
    assert checkpoint.tokens_per_image == 576
    assert checkpoint.vision_folder is None


def test_an_hf_conversion_leaves_out_defaults(tmp_path: Path) -> None:
    """What transformers does not write stands for transformers' defaults, the eos of Llama among them."""
    checkpoint = Checkpoint.open(folder_with(tmp_path, HF_34B))
    assert (checkpoint.family, checkpoint.layout) == (HUATUO_34B, "hf")
    assert checkpoint.eos_token_ids == (2,)
    assert checkpoint.tokens_per_image == 576


def test_the_text_model_tells_the_family_of_an_hf_conversion(tmp_path: Path) -> None:
    """Qwen2 inside is the 7B; its eos may stand in generation_config.json, as a list."""
    config = HF_34B | {"text_config": {"model_type": "qwen2", "vocab_size": 152064}, "vision_config": None}
    folder = folder_with(tmp_path, config, generation_config={"eos_token_id": [151645, 151643]})
    checkpoint = Checkpoint.open(folder)
    assert checkpoint.family is HUATUO_7B
    assert checkpoint.eos_token_ids == (151645, 151643)
    assert checkpoint.max_position_embeddings == 32768


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"architectures": ["LlavaMistralForCausalLM"], "model_type": "llava_mistral"}, "LlavaMistralForCausalLM"),
        ({"architectures": None, "model_type": None}, "no architecture"),
        ({"mm_projector_type": "linear"}, "mm_projector_type is 'linear'"),
        ({"mm_vision_select_feature": "cls_patch"}, "mm_vision_select_feature"),
        ({"image_aspect_ratio": "anyres"}, "image_aspect_ratio is 'anyres'; only 'pad'"),
        ({"mm_use_im_start_end": True}, "mm_use_im_start_end"),
        ({"mm_vision_tower": None}, "mm_vision_tower is missing"),
        ({"mm_vision_tower": "google/siglip"}, "google/siglip/config.json does not exist"),
        ({"vocab_size": "many"}, "vocab_size must be a positive"),
        ({"max_position_embeddings": None}, "max_position_embeddings"),
        ({"eos_token_id": None}, "names an eos_token_id"),
        ({"eos_token_id": 152064}, "eos_token_id is 152064"),
        ({"eos_token_id": [151643, None]}, "eos_token_id is None"),
        ({"eos_token_id": "2"}, "eos_token_id is '2'"),
        ({"bos_token_id": 152064}, "bos_token_id is 152064"),
        ({"bos_token_id": -1}, "bos_token_id is -1"),
        ({"architectures": "LlavaQwen2ForCausalLM"}, "architectures is not a list"),
        ({"architectures": [1]}, "architectures is not a text"),
        ({"model_type": "llava_llama"}, "model_type is 'llava_llama'; that of LlavaQwen2ForCausalLM is 'llava_qwen2'"),
        ({"model_type": None}, "model_type is None"),
        ({"mm_vision_select_layer": -99}, "mm_vision_select_layer is -99; the vision tower has 24 layers"),
        ({"mm_vision_select_layer": 0}, "mm_vision_select_layer is 0"),
        ({"mm_vision_select_layer": 25}, "mm_vision_select_layer is 25"),
        ({"mm_vision_select_layer": True}, "mm_vision_select_layer is missing, or is not a whole"),
        ({"mm_vision_tower": "../vit/clip-large-patch14-336"}, "no folder inside the checkpoint"),
        ({"mm_vision_tower": "/vit/clip-large-patch14-336"}, "no folder inside the checkpoint"),
        ({"hidden_size": "64"}, r"config\.json: hidden_size must be a positive"),
        ({"num_attention_heads": 0}, "num_attention_heads must be a positive"),
        ({"num_hidden_layers": None}, "num_hidden_layers must be a positive"),
    ],
)
def test_another_model_is_refused_by_field(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """The error names what the checkpoint says and what is served."""
    with pytest.raises(CheckpointError, match=message):
        Checkpoint.open(folder_with(tmp_path, PUBLISHED_7B | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vision_feature_select_strategy": "full"}, "vision_feature_select_strategy is 'full'"),
        ({"text_config": {"model_type": "mistral"}}, "around mistral"),
        ({"text_config": "llama"}, "text_config is not a JSON object"),
        ({"text_config": {"hidden_size": 1.5}}, "text_config: hidden_size must be"),
        ({"text_config": {"bos_token_id": 32000}}, "bos_token_id is 32000"),
        ({"vision_config": {"image_size": 336, "patch_size": 0}}, "vision_config: patch_size must be"),
        ({"vision_feature_layer": -13}, "vision_feature_layer is -13; the vision tower has 12 layers"),
        ({"vision_feature_layer": [-2, -5]}, "vision_feature_layer is missing, or is not a whole"),
        ({"model_type": "llava_llama"}, "that of LlavaForConditionalGeneration is 'llava'"),
        ({"vision_config": {"image_size": 224, "patch_size": 14}}, "224-pixel"),
        ({"architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl"}, "Qwen2_5_VL"),
    ],
)
def test_another_hf_model_is_refused_by_field(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """-hf checkpoints are held to what the model computes, too."""
    with pytest.raises(CheckpointError, match=message):
        Checkpoint.open(folder_with(tmp_path, HF_34B | change))


def test_the_tower_s_own_config_is_named(tmp_path: Path) -> None:
    """A wrong size in CLIP's folder is not laid at the door of the checkpoint's config.json."""
    folder = folder_with(tmp_path, PUBLISHED_7B)
    (folder / VIT).mkdir(parents=True)
    (folder / VIT / "config.json").write_text(json.dumps({"image_size": "336"}))
    with pytest.raises(CheckpointError, match=rf"{VIT}/config\.json: image_size must be a positive"):
        Checkpoint.open(folder)


@pytest.mark.parametrize("content", [None, "{", "[]", "\udcff", "[" * 100_000])
def test_a_folder_without_a_readable_config(content: str | None, tmp_path: Path) -> None:
    """The error names config.json."""
    if content is not None:
        (tmp_path / "config.json").write_text(content, errors="surrogateescape")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Checkpoint.open(tmp_path)


def test_a_folder_resolves_to_itself() -> None:
    """No network is asked for a folder; a revision of one makes no sense."""
    assert resolve(str(golden.CHECKPOINT)) == golden.CHECKPOINT
    with pytest.raises(CheckpointError, match="revision"):
        resolve(str(golden.CHECKPOINT), "main")


@pytest.mark.parametrize("model", ["./nowhere", "/no/such/folder", "nowhere", "~nobody/x/y", "a/b/c"])
def test_neither_a_folder_nor_a_hub_id(model: str) -> None:
    """What cannot be an id is not sent to the hub."""
    with pytest.raises(CheckpointError, match="neither a folder nor a hub id"):
        resolve(model)
