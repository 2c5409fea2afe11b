"""The JAMA Clinical Challenge's cases, with what the judge needs of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.accuracy.made_data import MISSING, items_of, jama_case, png, refusal, write_jama


def test_a_case_becomes_an_item(tmp_path: Path) -> None:
    """It is open, the letter tells the answer among opa to opd, and the details are the other fields."""
    write_jama(tmp_path, [jama_case(4)])

    (item,) = items_of("jama", tmp_path)

    assert (item.id, item.dataset, item.subset) == ("JAMA/4", "JAMA", "")
    assert item.question == "A man in his 60s coughs. What Would You Do Next?"
    assert (item.options, item.answer, item.label, item.pictures) == ((), "Take a biopsy", None, ())
    assert dict(item.details) == {
        "link": "https://example.org/case",
        "diagnosis": "Sarcoidosis",
        "answer": "Take a biopsy",
        "explanation": "The key was the hilar lymph nodes.",
        "field": "Oncology",
    }


def test_pictures_that_were_saved_are_shown(tmp_path: Path) -> None:
    """images/ID.* beside the file is the case's picture; a case without one is asked as text."""
    file = write_jama(tmp_path, [jama_case("a"), jama_case(12), jama_case(1)])
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "12.jpg").write_bytes(png(12))

    items = items_of("jama", file)

    assert [[(picture.name, picture.read()) for picture in item.pictures] for item in items] == [
        [],
        [("12.jpg", png(12))],
        [],
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": MISSING}, "id"),
        ({"id": True}, "id"),
        ({"id": 0}, "id"),
        ({"id": "0"}, "id"),
        ({"question": MISSING}, "question"),
        ({"opa": MISSING}, "opa"),
        ({"opd": None}, "opd"),
        ({"answer_idx": MISSING}, "answer_idx"),
        ({"answer_idx": "E"}, "answer_idx"),
        ({"answer_idx": 2}, "answer_idx"),
        ({"answer": MISSING}, "answer"),
        ({"explanation": MISSING}, "explanation"),
        ({"diagnosis": float("nan")}, "diagnosis"),
        ({"link": MISSING}, "link"),
        ({"field": None}, "field"),
    ],
)
def test_what_is_wrong_with_a_case_is_told(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """The error names the file, the case's place in it and the field."""
    file = write_jama(tmp_path, [jama_case(0), jama_case(1, **changes)])

    error = refusal("jama", file)

    assert (error.file, error.field) == (file, f"record 1: {field}")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A folder without jama_raw.json is told with the name that is missed."""
    assert refusal("jama", tmp_path).file == tmp_path / "jama_raw.json"
