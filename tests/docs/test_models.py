"""docs/models.md says of the checkpoints what the code does."""

from __future__ import annotations

import math

import pytest

from huatuo_server.families import FAMILIES, HF_ARCHITECTURE
from huatuo_server.reference import Dtype
from huatuo_server.verify.answers import Answer, Position
from huatuo_server.verify.questions import built_in
from huatuo_server.verify.report import CLEAR_GAP, Thresholds
from huatuo_vllm import tensors
from huatuo_vllm.config import HuatuoQwen2Config
from tests.docs.markdown import ROOT, section, table

MODELS = ROOT / "docs" / "models.md"


def test_the_table_of_models_is_the_list_of_families() -> None:
    """Each family stands there twice, as released and as -hf, with its architecture and default context."""
    written = {tuple(row) for row in table(MODELS, "What is served")}
    expected = set()
    for family in FAMILIES:
        context = str(family.default_max_model_len)
        expected.add((family.name, family.released_architecture, "released", context))
        expected.add((f"{family.name}-hf", HF_ARCHITECTURE, "-hf", context))
    assert written == expected


def test_the_closed_list_of_tensors_that_are_never_read_is_the_codes() -> None:
    """The page's list of never-read tensors has the reasons that the account prints, all of them."""
    reasons = {why for _, why in tensors._NEVER_READ} | {"CLIP layers past mm_vision_select_layer"}
    assert {row[0] for row in table(MODELS, "Every tensor is accounted for")} == reasons


def test_the_placeholder_of_the_7b_is_the_one_in_the_code() -> None:
    """The spare row that stands for an image is the documented one."""
    assert ["7B", str(HuatuoQwen2Config.spare_token_id)] == table(MODELS, "The image placeholder")[0][:2]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_thresholds_of_verify_are_the_codes(dtype: Dtype) -> None:
    """The table has a row a dtype, with what the verdict is measured against where rounding does nothing."""
    written = {row[0]: row[1:] for row in table(MODELS, "huatuo-server verify")}
    limit = Thresholds.of(dtype, [answer_without_noise()])
    largest = "not judged" if math.isinf(limit.max_difference) else f"{limit.max_difference:g}"
    agreement = f"{limit.agreement:.0%}".replace("%", " %")
    assert written[dtype] == [largest, f"{limit.mean_difference:g}", agreement, f"{limit.parting_gap:g}"]


def test_the_questions_of_verify_are_as_many_as_the_page_says() -> None:
    """Seven, and near ties are those that the code leaves out."""
    text = section(MODELS, "huatuo-server verify")
    assert f"that gap exceeds {CLEAR_GAP}:" in text
    assert len(built_in()) == 7
    assert "seven built-in questions" in text


def answer_without_noise() -> Answer:
    """One clear token that rounding leaves alone."""
    position = Position(token_id=5, log_prob=-1.0, best_id=5, gap=1.0, shortfalls={}, noise=0.0, best_stays=True)
    return Answer(built_in()[0], (1,), (position,))


def test_the_stock_vllm_command_names_things_that_exist() -> None:
    """The template file, the processor class and the request's argument are real."""
    from huatuo_vllm import penalty

    text = section(MODELS, "Stock vLLM")
    assert "huatuo_vllm.__path__[0])')/chat_template.jinja" in text
    assert (ROOT / "server" / "huatuo_vllm" / "chat_template.jinja").is_file()
    assert f"huatuo_vllm.penalty:{penalty.OutputRepetitionPenalty.__name__} " in text.replace("\n", " ")
    assert f"huatuo_vllm.penalty:{penalty.OutputRepetitionPenaltyV2.__name__}`" in text
    assert penalty.EXTRA_ARG in text
