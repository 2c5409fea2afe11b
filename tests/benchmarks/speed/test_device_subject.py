"""The servers that are compared run the same engine."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.speed.device.shapes import write_shapes
from benchmarks.speed.device.subject import RIVALS, Engine, ours, stock
from benchmarks.speed.roofline import Precision


@pytest.fixture(params=["bf16", "fp8"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    precision: Precision = request.param
    write_shapes(tmp_path / "7b", "7b", tiny=True)
    return Engine(tmp_path / "7b", precision, eager=False)


def _value(command: list[str], flag: str) -> str:
    return command[command.index(flag) + 1]


@pytest.mark.parametrize("name", RIVALS)
def test_the_engines_arguments_are_the_same(engine: Engine, tmp_path: Path, name: str) -> None:
    """Dummy weights, the batch, the dtype and the quantisation; compiled and with graphs on both sides."""
    ours_, theirs = (
        ours(engine, tmp_path / "log").command,
        stock(engine, name, tmp_path / "copy", tmp_path / "log").command,
    )
    given = {word for before, word in pairwise(ours_) if before == "--engine"}
    for field in given:
        key, _, value = field.partition("=")
        assert _value(theirs, f"--{key.replace('_', '-')}") == value
    assert ("quantization=fp8" in given) is (engine.precision == "fp8")
    assert _value(ours_, "--dtype") == _value(theirs, "--dtype") == "bfloat16"
    assert "--enforce-eager" not in [*ours_, *theirs]


def test_an_engine_that_is_not_compiled_is_so_on_both_sides(engine: Engine, tmp_path: Path) -> None:
    """As on a machine without a GPU."""
    eager = Engine(engine.checkpoint, engine.precision, eager=True)
    assert "--enforce-eager" in ours(eager, tmp_path / "log").command
    assert "--enforce-eager" in stock(eager, "stock vLLM", tmp_path / "copy", tmp_path / "log").command


def test_several_front_ends_are_started_by_the_command_that_knows_them(engine: Engine, tmp_path: Path) -> None:
    """`vllm serve`, whose model is no flag; one front end is started as everywhere in this benchmark."""
    several = stock(engine, "stock vLLM, 4 API servers", tmp_path / "copy", tmp_path / "log").command
    one = stock(engine, "stock vLLM", tmp_path / "other", tmp_path / "log").command
    assert several[:5] == [sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", str(engine.checkpoint)]
    assert _value(several, "--api-server-count") == "4"
    assert "vllm.entrypoints.openai.api_server" in one
    assert "--api-server-count" not in one
