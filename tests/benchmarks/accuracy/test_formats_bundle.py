"""The official bundle: its records become items as they are, and what is wrong with one is told with its number."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats import READERS
from tests.benchmarks.accuracy.made_data import MISSING, bundle_record, items_of, png, refusal, write_bundle


def test_a_record_becomes_an_item(tmp_path: Path) -> None:
    """Question, options, answer, data set and subset are the record's own, and the picture reads as it lies on disk."""
    subset = "MR (Mag-netic Resonance Imaging)"
    file = write_bundle(tmp_path, [bundle_record(dataset="OmniMedVQA", subset=subset)])

    (item,) = items_of("bundle", file)

    assert (item.id, item.dataset, item.subset) == ("OmniMedVQA/0", "OmniMedVQA", subset)
    assert item.question == "Is there evidence of an aortic aneurysm?"
    assert (item.options, item.answer, item.label) == (("Yes", "No"), "Yes", "A")
    assert [(picture.name, picture.read()) for picture in item.pictures] == [("images/made.png", png(0))]


def test_the_folder_will_do(tmp_path: Path) -> None:
    """The folder that holds the JSON file gives the same items as the file."""
    file = write_bundle(tmp_path, [bundle_record(), bundle_record(question="Really?")])

    assert [item.id for item in items_of("bundle", tmp_path)] == [item.id for item in items_of("bundle", file)]


@pytest.mark.parametrize(
    ("changes", "options", "label"),
    [
        ({"options": "['It\\'s one', \"two\"]", "answer": "two"}, ("It's one", "two"), "B"),
        ({"options": [*ascii_lowercase], "answer": "z"}, tuple(ascii_lowercase), "Z"),
        ({"question_type": MISSING}, ("Yes", "No"), "A"),
        ({"subset": MISSING}, ("Yes", "No"), "A"),
        ({"image": "images/made.png"}, ("Yes", "No"), "A"),
        ({"image": ["images/made.png"] * 3}, ("Yes", "No"), "A"),
        ({"answer": "?"}, ("Yes", "No"), None),
    ],
)
def test_the_forms_that_the_bundle_uses_are_read(
    tmp_path: Path, changes: dict[str, Any], options: tuple[str, ...], label: str | None
) -> None:
    """Options as a literal, up to 26, one path for a list of images, fields that may be missing, an untold answer."""
    file = write_bundle(tmp_path, [bundle_record(**changes)])

    (item,) = items_of("bundle", file)

    assert (item.options, item.subset) == (options, "")
    assert {picture.read() for picture in item.pictures} == {png(0)}
    assert item.label == label


def test_open_questions_are_not_asked_and_ids_do_not_move(tmp_path: Path) -> None:
    """Open records and records without options are dropped, whatever else they hold; the others keep their places."""
    dropped = [bundle_record(question_type="open", options=MISSING), {"options": []}, bundle_record(options="[]")]
    file = write_bundle(tmp_path, [*dropped, bundle_record(), bundle_record(dataset="SLAKE_test")])

    assert [item.id for item in items_of("bundle", file)] == ["VQA-RAD_test/3", "SLAKE_test/4"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"question": MISSING}, "question"),
        ({"question": None}, "question"),
        ({"question": ["Why?"]}, "question"),
        ({"question": "half \ud800 a character"}, "question"),
        ({"options": MISSING}, "options"),
        ({"options": "['Yes', 'No"}, "options"),
        ({"options": "Yes, No"}, "options"),
        ({"options": "{'Yes': 1}"}, "options"),
        ({"options": "[" * 5000}, "options"),
        ({"options": {"A": "Yes"}}, "options"),
        ({"options": ["Yes", 2]}, "options"),
        ({"options": [str(number) for number in range(27)]}, "options"),
        ({"answer": MISSING}, "answer"),
        ({"answer": 1}, "answer"),
        ({"answer": "Yes "}, "answer"),
        ({"answer": "Perhaps"}, "answer"),
        ({"dataset": MISSING}, "dataset"),
        ({"dataset": "JAMA"}, "dataset"),
        ({"subset": 3}, "subset"),
        ({"image": MISSING}, "image"),
        ({"image": 3}, "image"),
        ({"image": [None]}, "image"),
        ({"image": []}, "image"),
        ({"image": ["a" * 300]}, "image"),
        ({"image": ["images/made.png", "images/gone.png"]}, "image"),
        ({"image": "images"}, "image"),
    ],
)
def test_what_is_wrong_with_a_record_is_told(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """The error names the file, the record by its place in the list, and the field."""
    file = write_bundle(tmp_path, [bundle_record(), bundle_record(**changes)])

    error = refusal("bundle", file)

    assert (error.file, error.field) == (file, f"record 1: {field}")
    assert str(error).startswith(f"{file}: record 1: {field}: ")


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret.png", "images/../../secret.png"])
def test_no_path_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """A bundle cannot have a file sent that lies elsewhere."""
    (tmp_path / "secret.png").write_bytes(png(9))
    file = write_bundle(tmp_path / "bundle", [bundle_record(image=[name])])

    error = refusal("bundle", file)

    assert (error.field, "leads out of" in str(error)) == ("record 0: image", True)


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    """Neither as the picture itself nor as a folder on the way to it."""
    file = write_bundle(tmp_path / "bundle", [bundle_record(image=["images/link.png"])])
    other = write_bundle(tmp_path / "other", [bundle_record(image=["images/made.png"])])
    (tmp_path / "secret.png").write_bytes(png(9))
    (tmp_path / "bundle" / "images" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "other" / "images").rename(tmp_path / "elsewhere")
    (tmp_path / "other" / "images").symlink_to(tmp_path / "elsewhere")

    errors = [refusal("bundle", each) for each in (file, other)]

    assert [(error.file, error.field) for error in errors] == [(file, "record 0: image"), (other, "record 0: image")]
    assert all("by a link" in str(error) for error in errors)


def test_links_within_the_data_and_to_the_data_are_followed(tmp_path: Path) -> None:
    """A user's data may lie on another disk, and one of its pictures may be another's link."""
    write_bundle(tmp_path / "bundle", [bundle_record(image=["images/link.png"])])
    (tmp_path / "bundle" / "images" / "link.png").symlink_to("made.png")
    (tmp_path / "link").symlink_to(tmp_path / "bundle")

    (item,) = items_of("bundle", tmp_path / "link")

    assert item.pictures[0].read() == png(0)


def test_an_archive_that_is_not_unpacked_is_named(tmp_path: Path) -> None:
    """Where a picture is missing and images.zip lies beside the file, the error says what to do."""
    file = write_bundle(tmp_path, [bundle_record(image=["images/gone.png"])])
    before = refusal("bundle", file)
    (tmp_path / "images.zip").touch()

    after = refusal("bundle", file)

    assert "unpack" not in str(before)
    assert str(after).endswith(f"gone.png; unpack images.zip in {tmp_path}")


@pytest.mark.parametrize("content", [b"", b"[{", b'{"question": 1}', b"3", b'["\xff"]', b"[" * 100_000])
def test_a_file_that_is_no_json_list_is_told(tmp_path: Path, content: bytes) -> None:
    """Whatever bytes lie there, the error names the file."""
    file = tmp_path / "medical_multimodel_evaluation_data.json"
    file.write_bytes(content)

    error = refusal("bundle", tmp_path)

    assert (error.file, error.field) == (file, "")


def test_a_list_of_something_else_is_told(tmp_path: Path) -> None:
    """An entry that is no object is named by its place."""
    file = write_bundle(tmp_path, [bundle_record(), "a record"])

    assert refusal("bundle", file).field == "record 1"


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_is_missing_is_told(tmp_path: Path, name: str) -> None:
    """The error names the file that should be there, in a folder too."""
    error = refusal("bundle", tmp_path / name)

    assert error.file.parent == tmp_path
    assert error.file.suffix == ".json"


def test_a_picture_that_has_gone_meanwhile_is_told(tmp_path: Path) -> None:
    """A picture that cannot be read when its question is asked is an error of its record."""
    file = write_bundle(tmp_path, [bundle_record()])
    (item,) = items_of("bundle", file)
    (tmp_path / "images" / "made.png").unlink()

    with pytest.raises(DataError, match=r"made\.png cannot be read") as caught:
        item.pictures[0].read()

    assert (caught.value.file, caught.value.field) == (file, "record 0: image")


def test_20000_records_go_by_without_a_picture_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large bundle only the JSON file is read, until a picture is asked for."""
    file = write_bundle(tmp_path, [bundle_record()] * 20_000)
    reads: list[Path] = []
    read_bytes = Path.read_bytes

    def counting(path: Path) -> bytes:
        reads.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", counting)

    last = deque(enumerate(READERS["bundle"](file), 1), maxlen=1)

    assert reads == [file]
    assert last[0][0] == 20_000
    assert last[0][1].pictures[0].read() == png(0)
