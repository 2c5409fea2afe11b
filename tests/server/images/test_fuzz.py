"""A short run of the fuzzer, and whether it does what it says; docs/fuzzing.md has the long run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.pieces import join, split
from tests.fuzz.runner import Fuzzer
from tests.fuzz.trial import PIXELS, attempt
from tests.fuzz.valid import KINDS, Seed, valid_files

INPUTS = 2000
LEAST_PAST_HEADER = 0.3
LIMIT_S = 300
"""It takes about ten seconds on two idle cores."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `python -m tests.fuzz` prints. A process of its own: it forks, and a fork of a test run may hang."""
    found = tmp_path_factory.mktemp("found")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--inputs", str(INPUTS), "--seed", "1", "--found", str(found)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if told["findings"] else 0)
    return told


def test_spoilt_files_give_pixels_or_an_error_of_ours(report: dict[str, Any]) -> None:
    """No other exception, no crash, no hang."""
    assert report["findings"] == {}
    assert report["inputs"] == sum(report["outcomes"].values()) == INPUTS
    assert report["outcomes"][PIXELS] > 0


def test_enough_of_them_get_past_the_header(report: dict[str, Any]) -> None:
    """Else nothing but headers would be tried; of every format."""
    assert report["past_header"] >= LEAST_PAST_HEADER
    assert min(report["past_header_by_format"][kind] for kind in KINDS) >= LEAST_PAST_HEADER


def test_a_number_stands_for_an_input() -> None:
    """The same one every time, another for each number and each seed."""
    one = [Fuzzer(1).input(number) for number in range(50)]

    assert one == [Fuzzer(1).input(number) for number in range(50)]
    assert len(set(one)) > 45
    assert one != [Fuzzer(2).input(number) for number in range(50)]


@pytest.mark.parametrize("seed", valid_files(), ids=lambda seed: seed.name)
def test_what_is_spoilt_was_valid(seed: Seed) -> None:
    """Its pixels are read, and its pieces put together are the file again, but that deflate may pack it otherwise."""
    pieces = split(seed.kind, seed.content)

    assert PIXELS in {attempt(seed.content, random.Random(view)).name for view in range(5)}
    if "Deflated" not in seed.name and "dfl" not in seed.name:
        assert join(seed.kind, pieces, mend=True) == seed.content
    assert len(pieces) > 1
