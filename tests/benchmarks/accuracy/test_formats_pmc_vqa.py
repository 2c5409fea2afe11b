"""PMC-VQA's CSV: columns by their place, options without their letters, answers as letters or texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.accuracy.made_data import items_of, pmc_row, png, refusal, write_pmc_vqa

OPTIONS = ("Diffuse uptake", "Focal uptake", "No uptake", "None of these")


@pytest.mark.parametrize("answer", ["B", " B ", "Focal uptake", " Focal uptake", " B:Focal uptake ", "B: focal"])
@pytest.mark.parametrize("pictures", ["figures", "images"])
def test_a_row_becomes_an_item(tmp_path: Path, answer: str, pictures: str) -> None:
    """Options lose their letters, the answer becomes an option's text, and the picture is found in either folder."""
    write_pmc_vqa(tmp_path, [pmc_row(answer)], pictures)

    (item,) = items_of("pmc-vqa", tmp_path)

    assert (item.id, item.dataset, item.subset) == ("PMC-VQA_test/0", "PMC-VQA_test", "")
    assert (item.question, item.options) == ("What is the uptake?", OPTIONS)
    assert (item.answer, item.label) == ("Focal uptake", "B")
    assert [(picture.name, picture.read()) for picture in item.pictures] == [("PMC1_F1.jpg", png(0))]


def test_only_its_own_letter_is_taken_off_an_option(tmp_path: Path) -> None:
    """What merely looks like a prefix stays; an option may have none."""
    row = pmc_row("A")
    row[4:8] = ["Ratio", "A: as before", "C. difficile", "D : dense"]
    file = write_pmc_vqa(tmp_path, [row])

    (item,) = items_of("pmc-vqa", file)

    assert item.options == ("Ratio", "A: as before", "C. difficile", "dense")
    assert item.answer == "Ratio"


def test_a_letter_is_a_letter_even_where_options_are_letters(tmp_path: Path) -> None:
    """Where the options are the names of panels, the answer A is the first option and not the panel A."""
    row = pmc_row("A")
    row[4:8] = ["A: D", "B: A", "C: B", "D: C"]

    (item,) = items_of("pmc-vqa", write_pmc_vqa(tmp_path, [row]))

    assert (item.answer, item.label) == ("D", "A")


def test_quoted_commas_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    """A caption may hold commas and lines, and a blank line at the end is no row."""
    row = pmc_row()
    row[2] = 'First, "quoted"\nthen a line'
    file = write_pmc_vqa(tmp_path, [row, pmc_row()])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes() + b"\r\n")

    assert [item.id for item in items_of("pmc-vqa", file)] == ["PMC-VQA_test/0", "PMC-VQA_test/1"]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        (pmc_row()[:8], "record 1"),
        ([*pmc_row(), "more"], "record 1"),
        (pmc_row("E"), "record 1: answer"),
        (pmc_row(""), "record 1: answer"),
        (pmc_row("Something else"), "record 1: answer"),
        (pmc_row(figure="gone.jpg"), "record 1: figure_path"),
        (pmc_row(figure="a" * 300), "record 1: figure_path"),
        (pmc_row(figure="../figures/PMC1_F1.jpg"), "record 1: figure_path"),
    ],
)
def test_what_is_wrong_with_a_row_is_told(tmp_path: Path, row: list[str], field: str) -> None:
    """The error names the file, the row as it is counted without the header, and the column."""
    file = write_pmc_vqa(tmp_path, [pmc_row(), row])

    error = refusal("pmc-vqa", file)

    assert (error.file, error.field) == (file, field)


def test_a_file_of_version_1_is_told(tmp_path: Path) -> None:
    """Fewer columns in the header are told before any row is misread."""
    file = tmp_path / "test_2.csv"
    file.write_text("Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D,Answer_label\n", encoding="utf-8")

    error = refusal("pmc-vqa", tmp_path)

    assert (error.file, error.field) == (file, "header")


@pytest.mark.parametrize("content", ["x\xff".encode("latin-1"), b'1,2,"an open quote\n'])
def test_a_file_that_is_no_csv_is_told(tmp_path: Path, content: bytes) -> None:
    """What is not UTF-8, or ends within a quoted field, is an error that names the file."""
    file = write_pmc_vqa(tmp_path, [pmc_row()])
    file.write_bytes(file.read_bytes() + content)

    error = refusal("pmc-vqa", file)

    assert (error.file, error.field) == (file, "")


def test_an_empty_or_missing_file_is_told(tmp_path: Path) -> None:
    """No file, and a file without even a header, are told by their path."""
    file = tmp_path / "test_2.csv"

    missing = refusal("pmc-vqa", tmp_path)
    file.touch()
    empty = refusal("pmc-vqa", tmp_path)

    assert (missing.file, missing.field) == (file, "")
    assert (empty.file, empty.field) == (file, "header")
