"""In what a run was not the paper's evaluation.

Its protocol is that of arXiv 2406.19280 and of the evaluation code released with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.accuracy.published import DATASETS, SIZES
from benchmarks.accuracy.run_identity import NOT_SENT, settings
from benchmarks.accuracy.score import Scores
from benchmarks.accuracy.settings import Settings

MMMU = "MMMU_Medical_Validation"
MMMU_TEST = "MMMU_Medical_Test"


@dataclass(frozen=True, slots=True)
class Difference:
    """what: the thing that differs. paper, run: how it was there, and here."""

    what: str
    paper: str
    run: str


def differences(about: Mapping[str, Any], official: Scores) -> list[Difference]:
    """about: what `run.json` says. official: the official scorer's counts."""
    return [*_settings(about), *_asking(about), *_data(about, official), *_counting(official)]


def _settings(about: Mapping[str, Any]) -> Iterator[Difference]:
    paper = settings({"settings": asdict(Settings())})
    run = settings(about)
    for name in dict.fromkeys([*paper, *run]):
        here, there = run.get(name, NOT_SENT), paper.get(name, NOT_SENT)
        if here != there:
            yield Difference(name, there, here)


def _asking(about: Mapping[str, Any]) -> Iterator[Difference]:
    yield Difference("seed", "one for the whole run", "the same for each question")
    if about["concurrency"] != 1:
        yield Difference("questions at a time", "1", str(about["concurrency"]))


def _data(about: Mapping[str, Any], official: Scores) -> Iterator[Difference]:
    reader, num_items = about["data"]["reader"], about["data"].get("num_items")
    if reader != "bundle":
        yield Difference("data", "the official bundle", f"read by `{reader}`, from the benchmark's own files")
    found = official.datasets
    num_asked = sum(score.n for score in found.values()) + official.num_open
    if num_items is not None and num_asked < num_items:
        yield Difference("questions of the data", "all", f"{num_asked} of {num_items}")
    for dataset, size in SIZES.items():
        n = found[dataset].n if dataset in found else 0
        if n != size and dataset != MMMU:
            yield Difference(DATASETS[dataset], f"{size} questions", f"{n} questions" if n else "not asked")
    yield _mmmu(found[MMMU].n if MMMU in found else 0, MMMU_TEST in found)
    for dataset in found:
        if dataset not in DATASETS:
            yield Difference(dataset, "not asked", f"{found[dataset].n} questions")


def _mmmu(num_validation: int, has_test: bool) -> Difference:
    parts = [f"validation split, {num_validation} of {SIZES[MMMU]} questions"] if num_validation else []
    parts += ["test split, which MMMU's own evaluation scores"] if has_test else []
    return Difference("MMMU H&M", "test split", "; ".join(parts) or "not asked")


def _counting(official: Scores) -> Iterator[Difference]:
    parts = official.datasets.values()
    if num_failed := sum(score.num_failed for score in parts):
        yield Difference("questions without an answer", "none", f"{num_failed}, counted as not right")
    if num_crashed := sum(score.num_crashed for score in parts):
        yield Difference(
            "answers in which the scorer finds no letter", "it ends", f"{num_crashed}, counted as not right"
        )
