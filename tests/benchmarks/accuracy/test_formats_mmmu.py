"""MMMU's parquet: five subjects, letters for answers, up to seven pictures, and a test split without its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy.formats.mmmu import SUBJECTS
from tests.benchmarks.accuracy.made_data import (
    MISSING,
    MMMU_PICTURES,
    items_of,
    mmmu_row,
    png,
    refusal,
    write_parquet,
)

VALIDATION = "validation-00000-of-00001.parquet"
TEST = "test-00000-of-00001.parquet"

SUBJECT_FOLDERS = ("Art", *reversed(SUBJECTS))


def write_subjects(folder: Path, split: str, name: str) -> None:
    """A row a subject, of one subject more than are asked."""
    for subject in SUBJECT_FOLDERS:
        write_parquet(folder / subject / name, [mmmu_row(f"{split}_{subject}_1")])


def test_a_row_becomes_an_item(tmp_path: Path) -> None:
    """The letter becomes its option's text, the words `<image 1>` stay, and the pictures come in their order."""
    file = write_parquet(tmp_path / VALIDATION, [mmmu_row("validation_Clinical_Medicine_12", num_pictures=3)])

    (item,) = items_of("mmmu", file)

    assert item.id == "MMMU_Medical_Validation/validation_Clinical_Medicine_12"
    assert (item.dataset, item.subset) == ("MMMU_Medical_Validation", "validation_Clinical_Medicine")
    assert item.question == "What does <image 1> show?"
    assert (item.options, item.answer, item.label) == (("It's one", "two", "three"), "two", "B")
    assert [picture.read() for picture in item.pictures] == [png(0), png(1), png(2)]
    assert [picture.name.rpartition(" ")[2] for picture in item.pictures] == ["image_1", "image_2", "image_3"]


@pytest.mark.parametrize(("reader", "split", "name"), [("mmmu", "validation", VALIDATION), ("mmmu-test", "test", TEST)])
def test_the_five_subjects_are_read_from_their_folders(tmp_path: Path, reader: str, split: str, name: str) -> None:
    """Each reader takes its own split of the five medical subjects and of no other."""
    write_subjects(tmp_path, "validation", VALIDATION)
    write_subjects(tmp_path, "test", TEST)

    items = items_of(reader, tmp_path)

    assert [item.subset for item in items] == [f"{split}_{subject}" for subject in SUBJECTS]


def test_a_file_of_all_subjects_will_do(tmp_path: Path) -> None:
    """A merged file, in the folder data, gives the medical questions alone."""
    rows = [mmmu_row(f"validation_{subject}_7") for subject in SUBJECT_FOLDERS]
    write_parquet(tmp_path / "data" / VALIDATION, rows)

    items = items_of("mmmu", tmp_path)

    assert {item.subset for item in items} == {f"validation_{subject}" for subject in SUBJECTS}


@pytest.mark.parametrize(
    "changes", [{"options": "[]", "question_type": MISSING, "answer": "2"}, {"question_type": "open", "answer": "B"}]
)
def test_open_questions_are_asked_of_the_test_split_alone(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Validation drops a question without options; a submission for the test split needs it, without options."""
    validation = write_parquet(tmp_path / VALIDATION, [mmmu_row(**changes)])
    test = write_parquet(tmp_path / TEST, [mmmu_row("test_Pharmacy_3", **changes | {"answer": "?"})])

    (item,) = items_of("mmmu-test", test)

    assert items_of("mmmu", validation) == []
    assert (item.id, item.dataset) == ("MMMU_Medical_Test/test_Pharmacy_3", "MMMU_Medical_Test")
    assert (item.options, item.answer, item.label) == ((), "?", None)


def test_answers_of_the_test_split_are_not_told(tmp_path: Path) -> None:
    """`?` stays `?`, and no letter is right."""
    file = write_parquet(tmp_path / TEST, [mmmu_row("test_Public_Health_1", answer="?")])

    (item,) = items_of("mmmu-test", file)

    assert (item.answer, item.label, len(item.options)) == ("?", None, 3)


def test_columns_of_further_pictures_may_be_missing(tmp_path: Path) -> None:
    """A file with one column of pictures is enough where no question speaks of another."""
    fewer = dict.fromkeys((*MMMU_PICTURES[1:], "question_type"), MISSING)
    file = write_parquet(tmp_path / VALIDATION, [mmmu_row(**fewer)])

    assert [len(item.pictures) for item in items_of("mmmu", file)] == [1]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"id": "validation_Pharmacy_0"}, "id"),
        ({"id": "test_Pharmacy_1"}, "id"),
        ({"id": "validation_Pharmacy"}, "id"),
        ({"question": None}, "question"),
        ({"options": None}, "options"),
        ({"options": "['one', 'two"}, "options"),
        ({"options": "['one', 2]"}, "options"),
        ({"options": str(["more"] * 27)}, "options"),
        ({"answer": None}, "answer"),
        ({"answer": "D"}, "answer"),
        ({"answer": "AB"}, "answer"),
        ({"answer": ""}, "answer"),
        ({"image_1": None}, "image_1"),
        ({"question": "None is mentioned.", "image_1": None}, "image_1"),
        ({"question": "Compare <image 1> and <image 2>."}, "image_2"),
        ({"options": "['<image 1>', '<image 3>']"}, "image_3"),
        ({"question": "See <image 8>."}, "image_8"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """The error names the file, the row and the column; a picture that the text speaks of must be there."""
    rows = [mmmu_row("validation_Pharmacy_0"), mmmu_row(**changes)]
    file = write_parquet(tmp_path / VALIDATION, rows)

    error = refusal("mmmu", file)

    assert (error.file, error.field) == (file, f"record 1: {field}")


@pytest.mark.parametrize("column", ["id", "question", "options", "answer", "image_1"])
def test_a_missing_column_is_told(tmp_path: Path, column: str) -> None:
    """The error names the file and the column."""
    file = write_parquet(tmp_path / TEST, [mmmu_row("test_Pharmacy_1", **{column: MISSING})])

    error = refusal("mmmu-test", file)

    assert (error.file, error.field) == (file, column)


def test_a_missing_subject_is_told(tmp_path: Path) -> None:
    """A copy with four of the five subjects is incomplete, and the error names the fifth."""
    write_subjects(tmp_path, "validation", VALIDATION)
    (tmp_path / "Pharmacy" / VALIDATION).unlink()

    error = refusal("mmmu", tmp_path)

    assert error.file == tmp_path / "Pharmacy"
    assert "validation*.parquet" in str(error)
