"""What others measured, each row with its source; a cell that no source fills is None.

Accuracy is in per cent, as printed. `MMMU_Medical_Test` is MMMU's Health & Medicine test, which MMMU's own
evaluation scores; only the rerun has figures of the validation split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DATASETS = {
    "VQA-RAD_test": "VQA-RAD",
    "SLAKE_test": "SLAKE",
    "PathVQA_test": "PathVQA",
    "PMC-VQA_test": "PMC-VQA",
    "OmniMedVQA": "OmniMedVQA",
    "MMMU_Medical_Validation": "MMMU H&M validation",
    "MMMU_Medical_Test": "MMMU H&M test",
}
"""In the official bundle's spelling, and in the papers'."""

VQA = ("VQA-RAD_test", "SLAKE_test", "PathVQA_test", "PMC-VQA_test")
"""The four whose mean SemiHVision prints."""

SIZES = {
    "VQA-RAD_test": 251,
    "SLAKE_test": 416,
    "PathVQA_test": 3362,
    "PMC-VQA_test": 2000,
    "OmniMedVQA": 11124,
    "MMMU_Medical_Validation": 145,
}
"""Questions that the published scorer counts. The bundle has 150 records of MMMU; its subsets' closed ones are 145."""

OMNIMEDVQA_SUBSETS = {
    "MR (Mag-netic Resonance Imaging)": "MR",
    "CT(Computed Tomography)": "CT",
    "ultrasound": "Ultrasound",
    "X-Ray": "X-ray",
    "Dermoscopy": "Dermoscopy",
    "Microscopy Images": "Microscopy",
    "Fundus Photography": "Fundus photography",
    "OCT (Optical Coherence Tomography": "OCT",
}
"""The bundle's spelling, and a shorter one."""


@dataclass(frozen=True, slots=True)
class Source:
    """title: short. reference: where to find it."""

    title: str
    reference: str


PAPER = Source("HuatuoGPT-Vision", "Chen et al. (2024), arXiv 2406.19280")
RERUN = Source(
    "independent rerun", "github.com/Leokuan0208/huatuo-llava-v15-med-pruning (May 2026), with the authors' `eval.py`"
)
SEMIHVISION = Source("SemiHVision", "Wang et al. (2024), arXiv 2410.14948")


@dataclass(frozen=True, slots=True)
class Row:
    """accuracy: of every data set of DATASETS. vqa_mean: of the four of VQA. jama: a GPT-4 score, 0 to 5."""

    model: str
    source: Source
    accuracy: Mapping[str, float | None]
    vqa_mean: float | None = None
    jama: float | None = None


def _paper(model: str, *cells: float) -> Row:
    """Of the paper's tables: five data sets and MMMU's test."""
    *five, test = cells
    return Row(model, PAPER, dict(zip(DATASETS, [*five, None, test], strict=True)))


def _semihvision(model: str, vqa_mean: float, jama: float) -> Row:
    return Row(model, SEMIHVISION, dict.fromkeys(DATASETS), vqa_mean, jama)


ROWS = (
    _paper("LLaVA-v1.6-34B", 58.6, 67.3, 59.1, 44.4, 61.4, 48.8),
    _paper("LLaVA-v1.5-LLaMA3-8B", 54.2, 59.4, 54.1, 36.4, 48.8, 38.2),
    _paper("LLaVA-v1.5-LLaMA3-8B + PubMedVision", 63.8, 74.5, 59.9, 52.7, 75.1, 49.1),
    _paper("LLaVA-Med-7B", 51.4, 48.6, 56.8, 24.7, 44.5, 36.9),
    _paper("HuatuoGPT-Vision-7B", 63.7, 76.2, 57.9, 54.3, 74.0, 50.6),
    _paper("HuatuoGPT-Vision-34B", 68.1, 76.9, 63.5, 58.2, 76.9, 54.4),
    Row(
        "HuatuoGPT-Vision-7B",
        RERUN,
        dict(zip(DATASETS, [61.35, 76.44, 57.67, 54.20, 73.46, 50.34, None], strict=True)),
    ),
    _semihvision("HuatuoGPT-Vision-34B", 66.7, 1.13),
    _semihvision("PMC-Cambrian-8B-AN", 79.0, 1.29),
    _semihvision("Claude3-Opus", 55.7, 1.17),
)
