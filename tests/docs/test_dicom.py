"""docs/dicom.md says of DICOM what the code does, and every test that it names is there."""

from __future__ import annotations

import re

import pytest
from pydicom.data import get_testdata_file

from huatuo_server.images.dicom.file import MAX_INFLATED_BYTES
from huatuo_server.images.dicom.image_pixel_module import COLOUR, GREY, PALETTE, RETIRED
from huatuo_server.images.dicom.transfer_syntax import SYNTAXES
from huatuo_server.protocol.view import PRESETS
from tests.docs.markdown import ROOT, code_words, section, table

DICOM = ROOT / "docs" / "dicom.md"
TESTS = sorted((ROOT / "tests" / "server" / "images" / "dicom").glob("test_dicom*.py"))


def words(prefix: str) -> set[str]:
    return {word for word in code_words(DICOM.read_text(encoding="utf-8")) if word.startswith(prefix)}


def test_every_test_that_is_named_exists() -> None:
    """By its function's name, in one of the files of DICOM's tests."""
    there = {name for file in TESTS for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)}

    assert len(words("test_")) > 25
    assert words("test_") <= there


@pytest.mark.parametrize("heading", ["Transfer syntaxes", "Samples and colours"])
def test_every_real_file_that_is_named_is_installed_and_tested(heading: str) -> None:
    """And is read by the test that stands beside it, or by one of its file."""
    texts = "".join(file.read_text(encoding="utf-8") for file in TESTS)
    for row in table(DICOM, heading):
        for name in re.findall(r"\S+\.dcm", row[2]):
            assert get_testdata_file(name, download=False), name
            assert f'"{name}"' in texts, name
        assert row[3].startswith("test_")


def test_the_table_of_transfer_syntaxes_is_the_codes() -> None:
    """Each that is read has a row or two, and no other has."""
    assert {row[0].split(",")[0] for row in table(DICOM, "Transfer syntaxes")} == {s.name for s in SYNTAXES.values()}


def test_the_table_of_photometric_interpretations_is_the_codes() -> None:
    """Each that is read; and the retired ones in the text."""
    rows = [row[0].removesuffix(", segmented") for row in table(DICOM, "Samples and colours")]
    assert {name for row in rows for name in row.split(", ")} == {*GREY, PALETTE, *COLOUR}
    text = section(DICOM, "Samples and colours")
    assert all(model.removesuffix("_422").removesuffix("_420") in text for model in RETIRED if model != "XYB")


def test_the_presets_and_limits_are_the_codes() -> None:
    """As level and width."""
    text = section(DICOM, "Values and windows")
    for name, window in PRESETS.items():
        assert f"{name} {window.center:g} / {window.width:g}" in text
    assert f"{MAX_INFLATED_BYTES // 2**20} MiB once inflated" in section(DICOM, "What is refused")
