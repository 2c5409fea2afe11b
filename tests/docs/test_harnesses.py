"""docs/harnesses.md types what the driver runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks.accuracy.harnesses import evalscope
from benchmarks.accuracy.harnesses.__main__ import HARNESSES
from benchmarks.accuracy.harnesses.harness import Call
from tests.docs.markdown import ROOT, blocks, section, table

PAGE = ROOT / "docs" / "harnesses.md"
HEADINGS = {"lmms-eval": "lmms-eval", "vlmeval": "VLMEvalKit", "evalscope": "evalscope"}

NOT_TYPED = {"--work-dir", "--no-timestamp", "--output_path", "--log_samples"}
"""Where results go is the reader's choice."""


def typed(name: str) -> str:
    """The shell block of a harness' section."""
    text = section(PAGE, HEADINGS[name])
    return next(block for block in blocks(PAGE, "bash") if block in text)


@pytest.mark.parametrize("name", HARNESSES)
def test_the_page_types_the_flags_that_the_driver_gives(name: str) -> None:
    """Each of them, so that what the reader runs is what was run."""
    command = HARNESSES[name].command(Call(Path("python"), "http://127.0.0.1:8000", "huatuogpt-vision", ROOT, False))
    given = {word for word in command if word.startswith("--")} - NOT_TYPED

    assert given <= set(re.findall(r"--[a-z_-]+", typed(name)))


def test_the_page_types_the_filter_and_the_settings_of_evalscope() -> None:
    """As they are in its module, in JSON."""
    command = HARNESSES["evalscope"].command(Call(Path("python"), "http://127.0.0.1:8000", "m", ROOT, False))

    assert json.dumps(evalscope.LETTER, ensure_ascii=False) in typed("evalscope")
    assert command[-1] in typed("evalscope")


def test_every_harness_of_the_driver_is_in_the_table_with_its_name_on_pypi() -> None:
    """With the version that was tried."""
    told = {row[1]: row[2] for row in table(PAGE, "Other people's harnesses")}

    for harness in HARNESSES.values():
        assert re.fullmatch(r"\d+(\.\d+)+", told[harness.DISTRIBUTION])
