"""OmniMedVQA's folder: a JSON file a data set, two to four options, modalities as they are spelt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.accuracy.made_data import MISSING, items_of, omni_record, png, refusal, write_omnimedvqa

OPEN_ACCESS = Path("QA_information") / "Open-access"


def test_a_record_becomes_an_item(tmp_path: Path) -> None:
    """The id is the data's own, the subset is the modality letter by letter, the picture lies under the root."""
    modality = "OCT (Optical Coherence Tomography"
    write_omnimedvqa(tmp_path, {"ACRIMA": [omni_record(modality_type=modality)]})

    (item,) = items_of("omnimedvqa", tmp_path)

    assert (item.id, item.dataset, item.subset) == ("OmniMedVQA/ACRIMA_0000", "OmniMedVQA", modality)
    assert item.options == ("Mammogram", "Fundus imaging", "Endoscopy", "MRI")
    assert (item.answer, item.label) == ("Fundus imaging", "B")
    assert [(picture.name, picture.read()) for picture in item.pictures] == [("Images/ACRIMA/Im002.png", png(0))]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        ({"option_D": MISSING}, ("Mammogram", "Fundus imaging", "Endoscopy")),
        ({"option_C": MISSING, "option_D": None}, ("Mammogram", "Fundus imaging")),
        ({"option_C": None}, ("Mammogram", "Fundus imaging", "MRI")),
    ],
)
def test_c_and_d_may_be_missing(tmp_path: Path, changes: dict[str, Any], options: tuple[str, ...]) -> None:
    """The options that are there get the letters from A on."""
    write_omnimedvqa(tmp_path, {"ACRIMA": [omni_record(**changes)]})

    assert [item.options for item in items_of("omnimedvqa", tmp_path)] == [options]


@pytest.mark.parametrize("path", [Path(), OPEN_ACCESS, OPEN_ACCESS / "B.json"])
def test_the_root_the_folder_and_a_file_will_do(tmp_path: Path, path: Path) -> None:
    """Files are read in the order of their names, and their pictures are found from wherever the user begins."""
    write_omnimedvqa(tmp_path, {"B": [omni_record(2)], "A": [omni_record(1), omni_record(0)]})

    items = items_of("omnimedvqa", tmp_path / path)

    ids = ["OmniMedVQA/ACRIMA_0001", "OmniMedVQA/ACRIMA_0000", "OmniMedVQA/ACRIMA_0002"]
    assert [item.id for item in items] == (ids[2:] if path.suffix else ids)
    assert items[0].pictures[0].read() == png(0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"question_id": MISSING}, "question_id"),
        ({"question_id": 1.5}, "question_id"),
        ({"question_id": "ACRIMA_0000"}, "question_id"),
        ({"question": MISSING}, "question"),
        ({"option_A": MISSING}, "option_A"),
        ({"option_B": None}, "option_B"),
        ({"option_C": 3}, "option_C"),
        ({"gt_answer": MISSING}, "gt_answer"),
        ({"gt_answer": "fundus imaging"}, "gt_answer"),
        ({"gt_answer": "?"}, "gt_answer"),
        ({"modality_type": MISSING}, "modality_type"),
        ({"image_path": MISSING}, "image_path"),
        ({"image_path": "Images/ACRIMA/gone.png"}, "image_path"),
        ({"image_path": "/etc/passwd"}, "image_path"),
    ],
)
def test_what_is_wrong_with_a_record_is_told(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """The error names the file, the record in it and the field; an id of two files' records is wrong too."""
    write_omnimedvqa(tmp_path, {"A": [omni_record(0)], "B": [omni_record(1), omni_record(2, **changes)]})

    error = refusal("omnimedvqa", tmp_path)

    assert (error.file, error.field) == (tmp_path / OPEN_ACCESS / "B.json", f"record 1: {field}")


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"gt_answer": " Fundus imaging\n"}, "Fundus imaging"),
        ({"option_B": "Fundus imaging "}, "Fundus imaging "),
        ({"option_A": "MRI ", "gt_answer": "MRI"}, "MRI"),
    ],
)
def test_white_space_at_the_ends_hides_no_answer(tmp_path: Path, changes: dict[str, Any], answer: str) -> None:
    """The answer is the option as it is written; one that is exactly the same goes first."""
    write_omnimedvqa(tmp_path, {"A": [omni_record(**changes)]})

    (item,) = items_of("omnimedvqa", tmp_path)

    assert item.answer == answer
    assert item.label is not None


def test_links_out_of_the_data_are_refused(tmp_path: Path) -> None:
    """Images may not lead to a folder elsewhere."""
    write_omnimedvqa(tmp_path / "data", {"A": [omni_record()]})
    (tmp_path / "data" / "Images").rename(tmp_path / "elsewhere")
    (tmp_path / "data" / "Images").symlink_to(tmp_path / "elsewhere")

    assert refusal("omnimedvqa", tmp_path / "data").field == "record 0: image_path"


def test_a_copy_without_pictures_is_told(tmp_path: Path) -> None:
    """Where Images is not unpacked, the error names the path where the picture should be."""
    write_omnimedvqa(tmp_path, {"A": [omni_record()]})
    (tmp_path / "Images").rename(tmp_path / "Elsewhere")

    error = refusal("omnimedvqa", tmp_path)

    assert (error.field, str(tmp_path / "Images" / "ACRIMA" / "Im002.png") in str(error)) == (
        "record 0: image_path",
        True,
    )


def test_a_folder_without_questions_is_told(tmp_path: Path) -> None:
    """A copy without its JSON files is told, and so is a path that does not exist."""
    (tmp_path / OPEN_ACCESS).mkdir(parents=True)

    assert refusal("omnimedvqa", tmp_path).file == tmp_path / OPEN_ACCESS
    assert refusal("omnimedvqa", tmp_path / "gone").file == tmp_path / "gone"
