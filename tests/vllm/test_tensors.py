"""Every tensor of a checkpoint is accounted for, whatever layout it came in."""

from __future__ import annotations

import pytest

from huatuo_vllm import tensors
from huatuo_vllm.config import load_config
from tests import golden
from tests.conversions import released_shapes

CONFIG = load_config(golden.CHECKPOINT)
MAIN, VIT = released_shapes(golden.CHECKPOINT)


def test_a_released_checkpoint_is_complete() -> None:
    """The golden checkpoint, whose CLIP is in its vit folder only, has nothing missing, left over or misshapen."""
    account = tensors.account(CONFIG, MAIN, VIT)

    assert account.ok
    assert account.loaded == 34
    assert account.from_vit == 53
    assert sum(account.never_read.values()) == 23


def test_tensors_of_the_main_checkpoint_win_over_the_vit_folder() -> None:
    """A CLIP that is complete in the main shards leaves the vit folder unread, whatever is in it."""
    main = MAIN | {f"model.vision_tower.vision_tower.{name}": s for name, s in VIT.items() if "vision_model" in name}

    account = tensors.account(CONFIG, main, {"vision_model.embeddings.class_embedding": (1,)})

    assert account.ok
    assert account.from_vit == 0


def test_one_clip_tensor_lacking_in_the_main_checkpoint_comes_from_the_vit_folder() -> None:
    """The fallback is by tensor, not all or nothing."""
    main = MAIN | {f"model.vision_tower.vision_tower.{name}": s for name, s in VIT.items() if "vision_model" in name}
    del main["model.vision_tower.vision_tower.vision_model.pre_layrnorm.weight"]

    account = tensors.account(CONFIG, main, VIT)

    assert account.ok
    assert account.from_vit == 1


@pytest.mark.parametrize("missing", ["model.norm.weight", "lm_head.weight", "model.mm_projector.2.bias"])
def test_a_missing_tensor_is_named(missing: str) -> None:
    """Whatever the model computes with must be there."""
    main = {name: shape for name, shape in MAIN.items() if name != missing}

    account = tensors.account(CONFIG, main, VIT)

    assert account.missing == (tensors.canonical(missing),)
    assert tensors.canonical(missing) in account.problem()


@pytest.mark.parametrize("name", ["model.layers.9.mlp.up_proj.weight", "adapter.weight", "model.image_newline"])
def test_a_tensor_that_nobody_knows_is_named(name: str) -> None:
    """The list of what may be ignored is closed."""
    account = tensors.account(CONFIG, MAIN | {name: (1,)}, VIT)

    assert account.left_over == (name,)
    assert not account.ok


def test_a_tensor_of_another_shape_is_named_with_both_shapes() -> None:
    """A checkpoint of another size under the same names does not load."""
    account = tensors.account(CONFIG, MAIN | {"lm_head.weight": (7, 256)}, VIT)

    assert account.misshapen == ("lm_head.weight is 7x256, should be 4096x256",)


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("model.layers.0.mlp.up_proj.weight", "language_model.model.layers.0.mlp.up_proj.weight"),
        ("language_model.model.norm.weight", "language_model.model.norm.weight"),
        ("model.language_model.norm.weight", "language_model.model.norm.weight"),
        ("lm_head.weight", "language_model.lm_head.weight"),
        ("model.mm_projector.0.bias", "multi_modal_projector.linear_1.bias"),
        ("model.multi_modal_projector.linear_2.bias", "multi_modal_projector.linear_2.bias"),
        (
            "model.vision_tower.vision_tower.vision_model.pre_layrnorm.bias",
            "vision_tower.vision_model.pre_layrnorm.bias",
        ),
        ("model.vision_tower.pre_layrnorm.bias", "vision_tower.vision_model.pre_layrnorm.bias"),
        ("vision_tower.vision_model.pre_layrnorm.bias", "vision_tower.vision_model.pre_layrnorm.bias"),
    ],
)
def test_three_layouts_share_one_set_of_names(name: str, canonical: str) -> None:
    """As released, as -hf before transformers 4.52, and as -hf since."""
    assert tensors.canonical(name) == canonical


@pytest.mark.parametrize(
    "name",
    [
        "vision_tower.vision_model.encoder.layers.3.mlp.fc1.weight",
        "vision_tower.vision_model.post_layernorm.weight",
        "vision_tower.text_model.final_layer_norm.bias",
        "vision_tower.logit_scale",
        "vision_tower.visual_projection.weight",
        "vision_tower.vision_model.embeddings.position_ids",
        "language_model.model.layers.0.self_attn.rotary_emb.inv_freq",
    ],
)
def test_what_the_reference_never_reads_is_a_closed_list(name: str) -> None:
    """Each entry is recognised by its whole name, and a longer one is not."""
    assert tensors.never_read(name, clip_layers=3) is not None
    assert tensors.never_read(f"{name}.more", clip_layers=3) in (None, "CLIP text model", tensors.never_read(name, 3))
    assert tensors.never_read(f"x{name}", clip_layers=3) is None


@pytest.mark.parametrize(("layers", "select", "computed"), [(24, -2, 23), (24, -1, 24), (24, 22, 22), (4, -2, 3)])
def test_layer_minus_two_of_24_computes_23(layers: int, select: int, computed: int) -> None:
    """`hidden_states` starts with the embeddings, so index -2 is the output of the last layer but one."""
    assert tensors.computed_clip_layers(layers, select) == computed


def test_a_quantised_decoder_is_left_to_its_quantisation_method() -> None:
    """AWQ's and GPTQ's tensor names are theirs to check; CLIP, projector and embeddings stay ours."""
    quantised = {name: shape for name, shape in MAIN.items() if ".layers." not in name}
    quantised["model.layers.0.mlp.up_proj.qweight"] = (8, 8)

    account = tensors.account(CONFIG, quantised, VIT, quantised=True)

    assert account.ok
    assert not tensors.account(CONFIG, quantised, VIT, quantised=False).ok
