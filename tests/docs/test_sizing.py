"""docs/sizing.md: its examples print what the page shows, and its bounds are the roofline's."""

from __future__ import annotations

import re
import shlex

import pytest

from benchmarks.speed.roofline import DEVICES, MODELS, Precision, Roofline
from benchmarks.speed.sizing import options_of, text
from tests.docs.markdown import ROOT, blocks, table

PAGE = ROOT / "docs/sizing.md"
COMMAND = "$ python -m benchmarks.speed.sizing "
EXAMPLES = blocks(PAGE, "console")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.splitlines()[0].removeprefix(COMMAND))
def test_an_example_prints_what_the_page_shows(example: str) -> None:
    """To the letter."""
    command, _, shown = example.partition("\n")
    assert command.startswith(COMMAND)
    assert text(options_of(shlex.split(command.removeprefix(COMMAND)))) == shown.rstrip("\n")


def test_every_flag_is_on_the_page() -> None:
    """In an example or in the arithmetic."""
    words = set(re.findall(r"--[a-z-]+", PAGE.read_text(encoding="utf-8")))
    assert {f"--{name.replace('_', '-')}" for name in vars(options_of([]))} <= words


def test_the_bounds_are_the_rooflines() -> None:
    """Each row of the table, to the digits that it shows; the prompt and the answer are those of the sentence above."""
    rows = table(PAGE, "The bounds of one H200")
    assert len(rows) == 5
    for name, *cells in rows:
        model, precision, gpus = name.split(", ")
        known: dict[str, Precision] = {"bf16": "bf16", "fp8": "fp8"}
        roofline = Roofline(MODELS[model.lower()], DEVICES["h200"], known[precision], int(gpus.split()[0]))
        steps = [f"{1e3 * roofline.decode_step_s(batch, 740):.1f} ms" for batch in (1, 32, 256)]
        first = f"{1e3 * roofline.prefill_s(640, 1):.1f} ms"
        capacity = f"{roofline.kv_tokens() / 1e6:.2f} M"
        assert cells == [*steps, first, f"{roofline.requests_per_s(640, 1, 200):.0f}", capacity]
