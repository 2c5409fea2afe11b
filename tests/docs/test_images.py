"""docs/images.md is held by the tests that it names, and its numbers are the code's."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from huatuo_server.images.bounds import Bounds
from huatuo_server.images.formats import FORMATS
from huatuo_server.images.plain.gif import MAX_BLOCKS
from huatuo_server.images.plain.jpeg import MAX_SCANS
from huatuo_server.images.plain.png import MAX_CHUNKS
from huatuo_server.images.window import MID_GREY, PERCENTILES
from tests.docs.markdown import ROOT, section, table

IMAGES = ROOT / "docs" / "images.md"
TESTS = ROOT / "tests" / "server" / "images"


def rows() -> list[list[str]]:
    """Of the table of formats: format, modes, what happens, tests."""
    return table(IMAGES, "Formats")


def functions_of(path: Path) -> set[str]:
    """The names of a file's test functions."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {one.name for one in body if isinstance(one, ast.FunctionDef) and one.name.startswith("test_")}


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_every_row_names_tests_that_exist(row: list[str]) -> None:
    """At least one a row, as `file::function`."""
    named = [name.split("::") for name in row[3].split(", ")]
    assert named
    assert all(function in functions_of(next(TESTS.rglob(file))) for file, function in named)


def test_every_format_that_is_read_has_a_row() -> None:
    """And under the name that provenance gives it."""
    assert set(FORMATS) <= {row[0] for row in rows()}


def test_the_limits_are_the_codes() -> None:
    """Pixels, side, frames, scans, blocks, chunks."""
    written = {row[0]: row[1].split(" ")[0] for row in table(IMAGES, "Limits")}
    bounds = Bounds()
    assert written["pixels of a frame"] == str(bounds.max_pixels)
    assert written["longer side"] == str(bounds.max_side)
    assert written["frames or pages of a file"] == str(bounds.max_frames)
    assert written["scans of a JPEG"] == str(MAX_SCANS)
    assert written["blocks of a GIF"] == str(MAX_BLOCKS)
    assert written["chunks of a PNG"] == str(MAX_CHUNKS)


def test_the_percentiles_and_mid_grey_are_the_codes() -> None:
    """As the rules of windowing word them."""
    text = section(IMAGES, "Windows")
    assert "from the {}th to the {}th percentile".format(*PERCENTILES) in text
    assert f"mid-grey, {MID_GREY}" in text
