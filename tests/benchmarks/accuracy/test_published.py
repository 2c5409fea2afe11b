"""The published figures, typed a second time."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.published import DATASETS, PAPER, RERUN, ROWS, SEMIHVISION, SIZES, VQA, Row, Source

# Columns: VQA-RAD, SLAKE, PathVQA, PMC-VQA, OmniMedVQA, MMMU validation, MMMU test. Copied by hand from the tables.
TYPED_AGAIN: dict[tuple[str, Source], str] = {
    ("LLaVA-v1.6-34B", PAPER): "58.6 67.3 59.1 44.4 61.4 - 48.8",
    ("LLaVA-v1.5-LLaMA3-8B", PAPER): "54.2 59.4 54.1 36.4 48.8 - 38.2",
    ("LLaVA-v1.5-LLaMA3-8B + PubMedVision", PAPER): "63.8 74.5 59.9 52.7 75.1 - 49.1",
    ("LLaVA-Med-7B", PAPER): "51.4 48.6 56.8 24.7 44.5 - 36.9",
    ("HuatuoGPT-Vision-7B", PAPER): "63.7 76.2 57.9 54.3 74.0 - 50.6",
    ("HuatuoGPT-Vision-34B", PAPER): "68.1 76.9 63.5 58.2 76.9 - 54.4",
    ("HuatuoGPT-Vision-7B", RERUN): "61.35 76.44 57.67 54.20 73.46 50.34 -",
    ("HuatuoGPT-Vision-34B", SEMIHVISION): "- - - - - - -",
    ("PMC-Cambrian-8B-AN", SEMIHVISION): "- - - - - - -",
    ("Claude3-Opus", SEMIHVISION): "- - - - - - -",
}


def row(model: str, source: Source) -> Row:
    """The only one."""
    (found,) = (each for each in ROWS if (each.model, each.source) == (model, source))
    return found


@pytest.mark.parametrize(("model", "source"), TYPED_AGAIN, ids=lambda each: getattr(each, "title", each))
def test_a_row_is_as_published(model: str, source: Source) -> None:
    """Each cell; one without a figure is None."""
    expected = [None if cell == "-" else float(cell) for cell in TYPED_AGAIN[model, source].split()]

    assert [row(model, source).accuracy[dataset] for dataset in DATASETS] == expected


def test_there_are_no_other_rows() -> None:
    """None is left out, none is there twice."""
    assert [(each.model, each.source) for each in ROWS] == list(TYPED_AGAIN)


@pytest.mark.parametrize(
    ("model", "vqa_mean", "jama"),
    [("PMC-Cambrian-8B-AN", 79.0, 1.29), ("HuatuoGPT-Vision-34B", 66.7, 1.13), ("Claude3-Opus", 55.7, 1.17)],
)
def test_semihvision_has_a_mean_and_a_jama_score(model: str, vqa_mean: float, jama: float) -> None:
    """And no other source has one."""
    assert (row(model, SEMIHVISION).vqa_mean, row(model, SEMIHVISION).jama) == (vqa_mean, jama)
    assert all(each.vqa_mean is None and each.jama is None for each in ROWS if each.source is not SEMIHVISION)


def test_semihvision_s_mean_is_of_the_paper_s_four() -> None:
    """68.1, 76.9, 63.5 and 58.2 have a mean of 66.675."""
    paper = row("HuatuoGPT-Vision-34B", PAPER)

    found = sum(paper.accuracy[dataset] or 0.0 for dataset in VQA) / len(VQA)

    assert round(found, 1) == row("HuatuoGPT-Vision-34B", SEMIHVISION).vqa_mean


@pytest.mark.parametrize("dataset", SIZES)
def test_the_rerun_is_a_share_of_the_size(dataset: str) -> None:
    """Some whole number of right answers has its accuracy, to the second decimal: so many questions were counted."""
    printed, size = row("HuatuoGPT-Vision-7B", RERUN).accuracy[dataset], SIZES[dataset]

    assert printed in [round(100 * num_right / size, 2) for num_right in range(size + 1)]
