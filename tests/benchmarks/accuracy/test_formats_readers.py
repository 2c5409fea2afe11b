"""What holds of every reader: its name, its ids, and when it looks at the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.accuracy.formats import READERS
from tests.benchmarks.accuracy.made_data import (
    bundle_record,
    items_of,
    jama_case,
    mmmu_row,
    omni_record,
    pmc_row,
    refusal,
    slake_record,
    vqa_row,
    write_bundle,
    write_jama,
    write_omnimedvqa,
    write_parquet,
    write_pmc_vqa,
    write_slake,
)

COPIES: dict[str, Callable[[Path], object]] = {
    "bundle": lambda folder: write_bundle(folder, [bundle_record()] * 3),
    "vqa-rad": lambda folder: write_parquet(folder / "test.parquet", [vqa_row()] * 3),
    "slake": lambda folder: write_slake(folder, [slake_record()] * 3),
    "pathvqa": lambda folder: write_parquet(folder / "test.parquet", [vqa_row()] * 3),
    "pmc-vqa": lambda folder: write_pmc_vqa(folder, [pmc_row()] * 3),
    "omnimedvqa": lambda folder: write_omnimedvqa(folder, {"A": [omni_record(number) for number in range(3)]}),
    "mmmu": lambda folder: write_parquet(
        folder / "validation.parquet", [mmmu_row(f"validation_Pharmacy_{number}") for number in range(3)]
    ),
    "mmmu-test": lambda folder: write_parquet(
        folder / "test.parquet", [mmmu_row(f"test_Pharmacy_{number}", answer="?") for number in range(3)]
    ),
    "jama": lambda folder: write_jama(folder, [jama_case(number) for number in range(3)]),
}


def test_every_format_has_its_reader() -> None:
    """The names that a user may give are these."""
    assert set(READERS) == set(COPIES)


@pytest.mark.parametrize("reader", COPIES)
def test_ids_differ_and_stay(tmp_path: Path, reader: str) -> None:
    """Each item has an id of its own that begins with its data set, and the same one when it is read again."""
    COPIES[reader](tmp_path)

    first, again = items_of(reader, tmp_path), items_of(reader, tmp_path)

    assert len({item.id for item in first}) == 3
    assert all(item.id.startswith(f"{item.dataset}/") for item in first)
    assert [item.id for item in again] == [item.id for item in first]


@pytest.mark.parametrize("reader", COPIES)
def test_a_path_that_does_not_exist_is_told(tmp_path: Path, reader: str) -> None:
    """The error names the path; nothing is looked at before the first item is asked for."""
    gone = tmp_path / "gone"

    READERS[reader](gone)

    assert refusal(reader, gone).file == gone
