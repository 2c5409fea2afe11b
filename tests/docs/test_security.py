"""docs/security.md claims nothing that no test or drill holds."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from drills.__main__ import DRILLS
from tests.docs.markdown import ROOT, table

SECURITY = ROOT / "docs" / "security.md"
ROWS = [row for heading in ("Threats", "Faults") for row in table(SECURITY, heading)]


@cache
def functions_of(file: str) -> frozenset[str]:
    """The test functions of all files of that name under tests/."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests").rglob(file)]
    return frozenset(one.name for tree in trees for one in tree.body if isinstance(one, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_every_row_names_tests_and_drills_that_exist(row: list[str]) -> None:
    """At least one a row: `file::function`, or `drill NAME`."""
    holders = row[2].split(", ")
    missing = [
        holder
        for holder in holders
        if (holder.removeprefix("drill ") not in DRILLS)
        and ("::" not in holder or holder.split("::")[1] not in functions_of(holder.split("::")[0]))
    ]
    assert holders
    assert missing == []


def test_every_drill_holds_something() -> None:
    """A drill of which no row speaks promises nothing to a reader of this page."""
    of_images = {"busy_images"}
    named = {
        holder.removeprefix("drill ") for row in ROWS for holder in row[2].split(", ") if holder.startswith("drill ")
    }
    assert set(DRILLS) - of_images == named
