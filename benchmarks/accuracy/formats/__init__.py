"""Copies of the benchmarks as users have them on disk, read as items; one file a format.

A reader yields items as it goes and holds no pictures. What is missing or wrong it tells as a DataError that names the
file and the field, before it yields the item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.accuracy.formats import bundle, jama, mmmu, omnimedvqa, pathvqa, pmc_vqa, slake, vqa_rad
from benchmarks.accuracy.item import Item

Reader = Callable[[Path], Iterator[Item]]
"""From a file or a folder to its items. Raises DataError, at the first item at the earliest."""

READERS: Mapping[str, Reader] = {
    "bundle": bundle.items,
    "vqa-rad": vqa_rad.items,
    "slake": slake.items,
    "pathvqa": pathvqa.items,
    "pmc-vqa": pmc_vqa.items,
    "omnimedvqa": omnimedvqa.items,
    "mmmu": mmmu.validation_items,
    "mmmu-test": mmmu.test_items,
    "jama": jama.items,
}
