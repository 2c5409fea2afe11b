"""The fingerprint: equal where equal requests get equal answers, another one where they may not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import huatuo_server
from huatuo_server import served_model
from huatuo_server.served_model import ServedModel
from tests.service.served import golden_card

DETAILS = {"vllm": "0.32.0", "dtype": "bfloat16", "device": "cpu"}


def model(details: Mapping[str, Any] = DETAILS, digest: str = "sha256:0") -> ServedModel:
    engine: Any = SimpleNamespace(facts=SimpleNamespace(details=details))
    return ServedModel(engine, replace(golden_card(), digest=digest))


def test_it_has_the_form_that_openai_s_has() -> None:
    """`fp_` and 16 hexadecimal digits."""
    assert re.fullmatch(r"fp_[0-9a-f]{16}", model().fingerprint)
    assert model().fingerprint == model().fingerprint


@pytest.mark.parametrize(
    "other",
    [
        model(digest="sha256:1"),
        model({**DETAILS, "vllm": "0.33.0"}),
        model({**DETAILS, "dtype": "float16"}),
        model({}),
    ],
)
def test_another_model_version_or_dtype_has_another(other: ServedModel) -> None:
    """Each of them may change an answer."""
    assert other.fingerprint != model().fingerprint


def test_another_preparation_and_another_release_have_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """They see other pixels, or write other prompts."""
    before = model().fingerprint
    monkeypatch.setattr(served_model, "PREPARATION_VERSION", 99)
    prepared_otherwise = model().fingerprint
    monkeypatch.setattr(served_model, "__version__", "99.0")

    assert len({before, prepared_otherwise, model().fingerprint}) == 3


def test_versions_name_the_software() -> None:
    """The twin has no vLLM, and does not claim one."""
    assert model().versions == {"huatuo_server": huatuo_server.__version__, "vllm": "0.32.0"}
    assert model({}).versions == {"huatuo_server": huatuo_server.__version__}
