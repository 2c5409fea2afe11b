"""How tests are dealt out to several processes."""

from __future__ import annotations

import pytest

from tests.dealing import ENGINE, share_of


@pytest.mark.parametrize("name", ["parity", "parity_layouts", "engine_contract", "stock_vllm", "verify_engine"])
def test_all_with_a_real_engine_share_a_process(name: str) -> None:
    """Whether they share the one engine or start their own."""
    assert share_of(f"tests/service/test_{name}.py::test_x[a::b]") == ENGINE


def test_any_other_file_is_a_share_of_its_own() -> None:
    """All of its tests, whatever their parameters hold."""
    file = "tests/service/test_hostile.py"

    assert {share_of(f"{file}::{test}") for test in ("test_a", "test_b[c::d]", "test_b[e@f]")} == {file}
