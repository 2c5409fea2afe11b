"""The roofline's arithmetic: it counts what the models really hold, and moves as the hardware would."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.speed.device.shapes import Layout, model_of, write_shapes
from benchmarks.speed.roofline import DEVICES, MODELS, Precision, Roofline
from huatuo_vllm.config import load_config
from huatuo_vllm.tensors import expected

H200 = DEVICES["h200"]


@pytest.mark.parametrize("tiny", [False, True])
@pytest.mark.parametrize("layout", ["7b", "34b"])
def test_every_parameter_is_counted(tmp_path: Path, layout: Layout, tiny: bool) -> None:
    """As many as the tensors that the plugin expects of the same config.json have elements."""
    write_shapes(tmp_path / layout, layout, tiny=tiny)
    elements = sum(math.prod(shape) for shape in expected(load_config(tmp_path / layout)).values())
    assert model_of(tmp_path / layout).parameters == elements


@pytest.mark.parametrize("layout", ["7b", "34b"])
def test_the_released_models_are_those_of_the_published_configs(tmp_path: Path, layout: Layout) -> None:
    """The built-in sizes are what is read from a folder with the published fields."""
    write_shapes(tmp_path / layout, layout)
    read = model_of(tmp_path / layout)
    assert (read.decoder, read.tower) == (MODELS[layout].decoder, MODELS[layout].tower)


@pytest.mark.parametrize(
    ("layout", "gpus", "decode_ms", "prefill_ms", "requests_per_s", "kv_tokens"),
    [("7b", 1, 3.3, 11.2, 67, 2.1e6), ("34b", 1, 15.8, 55, 13.7, 0.27e6), ("34b", 4, 4.0, 13.8, 55, 1.9e6)],
)
def test_the_h200s_bounds(
    layout: str, gpus: int, decode_ms: float, prefill_ms: float, requests_per_s: float, kv_tokens: float
) -> None:
    """One image and a question in, 200 tokens out: the numbers that the documentation tells, to 2 %."""
    roofline = Roofline(MODELS[layout], H200, gpus=gpus)
    assert 1e3 * roofline.decode_step_s(1, 700) == pytest.approx(decode_ms, rel=0.02)
    assert 1e3 * roofline.prefill_s(640, 1) == pytest.approx(prefill_ms, rel=0.02)
    assert roofline.requests_per_s(640, 1, 200) == pytest.approx(requests_per_s, rel=0.02)
    assert roofline.kv_tokens() == pytest.approx(kv_tokens, rel=0.02)


def test_a_step_of_one_sequence_takes_as_long_as_reading_the_weights() -> None:
    """Batch 1 is bound by memory, and the embeddings, of which a step reads a row, are not in it."""
    model = MODELS["7b"]
    read = 2 * (model.decoder.layer_parameters + model.decoder.head_parameters)
    assert Roofline(model, H200).decode_step_s(1, 0) == pytest.approx(read / H200.bytes_per_s)


def test_a_long_prompt_is_bound_by_arithmetic_and_a_short_one_by_reading() -> None:
    """Twice the prompt takes at least twice as long once it is long; one token takes as long as a step."""
    roofline = Roofline(MODELS["7b"], H200)
    assert roofline.prefill_s(8000) > 2 * roofline.prefill_s(4000)
    assert roofline.prefill_s(1) == roofline.decode_step_s(1, 0)


def test_an_image_costs_clip_and_the_projector() -> None:
    """About half a millisecond of an H200 beyond the tokens it adds."""
    roofline = Roofline(MODELS["7b"], H200)
    assert 1e3 * (roofline.prefill_s(4000, 1) - roofline.prefill_s(4000)) == pytest.approx(0.51, rel=0.05)


def test_fp8_halves_the_matrices_and_leaves_the_head() -> None:
    """Half the bytes of the layers, all of lm_head's and the embeddings'."""
    model = MODELS["34b"]
    matrices = model.decoder.layer_parameters + model.tower.layer_parameters + model.projector_parameters
    assert model.weight_bytes("bf16") - model.weight_bytes("fp8") == matrices
    wide, narrow = (Roofline(model, H200, precision).decode_step_s(1, 0) for precision in _PRECISIONS)
    assert 1.9 < wide / narrow < 2


_PRECISIONS: tuple[Precision, Precision] = ("bf16", "fp8")


def test_a_device_without_fp8_says_so() -> None:
    """No figure is made up for it."""
    with pytest.raises(ValueError, match="A100 80 GB has no matrix units for fp8"):
        Roofline(MODELS["7b"], DEVICES["a100"], "fp8").prefill_s(640)


def test_more_gpus_divide_the_work_and_not_the_memory_of_the_weights() -> None:
    """Four GPUs: a quarter of the time, and more than four times the keys and values, since the weights stand once."""
    one, four = (Roofline(MODELS["34b"], H200, gpus=gpus) for gpus in (1, 4))
    assert four.decode_step_s(8, 600) == pytest.approx(one.decode_step_s(8, 600) / 4)
    assert four.kv_tokens() > 4 * one.kv_tokens()


def test_weights_that_do_not_fit_leave_less_than_nothing() -> None:
    """The 34B in 16 bits does not fit an L40S."""
    assert Roofline(MODELS["34b"], DEVICES["l40s"]).kv_tokens() < 0


def test_a_small_batch_is_bound_by_reading_at_saturation_too() -> None:
    """Few at a time share a reading of the weights among few; a wider memory helps them and no faster arithmetic."""
    roofline = Roofline(MODELS["7b"], H200)
    few = roofline.requests_per_s(640, 1, 200, batch=4)
    assert few < roofline.requests_per_s(640, 1, 200)
    faster = replace(roofline, device=replace(H200, bf16_flops=2 * H200.bf16_flops))
    assert faster.requests_per_s(640, 1, 200, batch=4) == few
