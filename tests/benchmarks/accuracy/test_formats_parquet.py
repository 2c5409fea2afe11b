"""VQA-RAD and PathVQA in parquet: yes and no are asked, pictures stay on disk, and a bad file is told."""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from benchmarks.accuracy.errors import DataError
from benchmarks.accuracy.formats import READERS
from tests.benchmarks.accuracy.made_data import MISSING, items_of, png, refusal, vqa_row, write_parquet

DATASETS = {"vqa-rad": "VQA-RAD_test", "pathvqa": "PathVQA_test"}


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[int, str]]:
    """How often each column of each row group was read."""
    counted: Counter[tuple[int, str]] = Counter()
    read_row_group = pq.ParquetFile.read_row_group

    def counting(file: Any, group: int, columns: list[str]) -> Any:
        counted.update((group, column) for column in columns)
        return read_row_group(file, group, columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counting)
    return counted


@pytest.mark.parametrize("reader", DATASETS)
def test_the_closed_questions_are_those_with_yes_or_no(tmp_path: Path, reader: str) -> None:
    """Yes and no, in whatever case, become the options Yes and No; ids are places among all rows."""
    answers = ("yes", "the liver", "No", " YES ", "no finding", "no")
    file = write_parquet(tmp_path / "made.parquet", [vqa_row(answer, png(n)) for n, answer in enumerate(answers)])

    items = items_of(reader, file)

    assert [item.id for item in items] == [f"{DATASETS[reader]}/{place}" for place in (0, 2, 3, 5)]
    assert {(item.dataset, item.subset, item.options) for item in items} == {(DATASETS[reader], "", ("Yes", "No"))}
    assert [item.answer for item in items] == ["Yes", "No", "Yes", "No"]
    assert [item.pictures[0].read() for item in items] == [png(0), png(2), png(3), png(5)]
    assert items[1].pictures[0].name == "made.parquet, record 2: image"


@pytest.mark.parametrize("data", [".", "data"])
def test_of_a_folder_the_test_split_is_read(tmp_path: Path, data: str) -> None:
    """The test files in a folder or its folder data, in the order of their names; the train split is left alone."""
    for name, answers in (("train-0", ["yes"] * 5), ("test-1", ["yes"]), ("test-0", ["no", "no"])):
        write_parquet(tmp_path / data / f"{name}.parquet", [vqa_row(answer) for answer in answers])

    items = items_of("vqa-rad", tmp_path)

    assert [(item.id, item.answer) for item in items] == [
        ("VQA-RAD_test/0", "No"),
        ("VQA-RAD_test/1", "No"),
        ("VQA-RAD_test/2", "Yes"),
    ]


def test_two_copies_of_a_split_are_not_read_both(tmp_path: Path) -> None:
    """The folder's own files go before those of its folder data."""
    write_parquet(tmp_path / "test-0.parquet", [vqa_row("yes")])
    write_parquet(tmp_path / "data" / "test-0.parquet", [vqa_row("no")] * 2)

    assert [item.answer for item in items_of("vqa-rad", tmp_path)] == ["Yes"]


def test_files_that_tell_no_split_are_all_read(tmp_path: Path) -> None:
    """A folder of files that are named after no split is taken whole."""
    for name in ("0000", "0001"):
        write_parquet(tmp_path / f"{name}.parquet", [vqa_row()])

    assert len(items_of("pathvqa", tmp_path)) == 2


def test_20000_rows_go_by_without_a_picture_being_read(tmp_path: Path, reads: Counter[tuple[int, str]]) -> None:
    """Only the texts are read; then every row group's pictures are read once, if they are asked for in order."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row()] * 20_000, row_group_size=1000)

    count = deque(enumerate(READERS["pathvqa"](file), 1), maxlen=1)[0][0]
    while_iterating = Counter(reads)
    for item in READERS["pathvqa"](file):
        item.pictures[0].read()

    assert count == 20_000
    assert while_iterating == {(group, column): 1 for group in range(20) for column in ("question", "answer")}
    assert {reads[group, "image.bytes"] for group in range(20)} == {1}


def test_only_one_row_group_of_pictures_is_in_memory(tmp_path: Path) -> None:
    """While all pictures of a file are read, Arrow holds little more than one row group."""
    pictures = [Random(number).randbytes(50_000) for number in range(300)]
    rows = [vqa_row(picture=picture) for picture in pictures]
    file = write_parquet(tmp_path / "test.parquet", rows, row_group_size=10)
    del rows
    before, held = pa.total_allocated_bytes(), []

    for item, picture in zip(READERS["vqa-rad"](file), pictures, strict=True):
        assert item.pictures[0].read() == picture
        held.append(pa.total_allocated_bytes() - before)

    assert 0 < max(held) < 5_000_000 < len(pictures) * 50_000


def test_pictures_can_be_asked_for_by_several_threads_in_any_order(tmp_path: Path) -> None:
    """Each picture is its own row's, whoever else is reading."""
    files = [tmp_path / "test-0.parquet", tmp_path / "test-1.parquet"]
    for file, first in zip(files, (0, 20), strict=True):
        write_parquet(file, [vqa_row(picture=png(first + number)) for number in range(20)], row_group_size=7)
    shades = list(enumerate(items_of("vqa-rad", tmp_path)))
    Random(1).shuffle(shades)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda shade: shade[1].pictures[0].read() == png(shade[0]), shades))

    assert found == [True] * 40


@pytest.mark.parametrize("column", ["question", "answer", "image"])
def test_a_missing_column_is_told(tmp_path: Path, column: str) -> None:
    """The error names the file and the column."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row(**{column: MISSING})])

    error = refusal("vqa-rad", file)

    assert (error.file, error.field) == (file, column)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"answer": None}, "record 3: answer"),
        ({"question": None}, "record 3: question"),
        ({"image": None}, "record 3: image"),
        ({"image": {"bytes": None, "path": "elsewhere.png"}}, "record 3: image"),
    ],
)
def test_a_cell_that_is_missing_is_told_by_its_row(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """The error counts the rows over all row groups, and a picture is missed before it is read."""
    rows = [vqa_row(), vqa_row(), vqa_row(), vqa_row(**changes)]
    file = write_parquet(tmp_path / "test.parquet", rows, row_group_size=2)

    error = refusal("pathvqa", file)

    assert (error.file, error.field) == (file, field)


def test_an_open_question_needs_no_picture(tmp_path: Path) -> None:
    """What is not asked is not looked at: a null picture of an open question is no error."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row("the liver", image=None), vqa_row("no")])

    assert [item.id for item in items_of("pathvqa", file)] == ["PathVQA_test/1"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("answer", pa.array([1])),
        ("question", pa.array([["Why?"]])),
    ],
)
def test_a_column_of_another_kind_is_told(tmp_path: Path, column: str, values: Any) -> None:
    """A cell that is no text is named by its row."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row()])
    table = pq.read_table(file)
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), file)

    assert refusal("vqa-rad", file).field == f"record 0: {column}"


@pytest.mark.parametrize("values", [pa.array(["made.png"]), pa.array([{"path": "made.png"}]), pa.array([{"bytes": 1}])])
def test_a_column_without_pictures_is_told(tmp_path: Path, values: Any) -> None:
    """Paths alone are no pictures: the error names the column."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row()])
    table = pq.read_table(file)
    pq.write_table(table.set_column(0, "image", values), file)

    error = refusal("vqa-rad", file)

    assert (error.file, error.field) == (file, "image")


def test_statistics_are_not_needed(tmp_path: Path) -> None:
    """A file without statistics is read all the same, and a missing picture found."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row(), vqa_row(image=None)])
    pq.write_table(pq.read_table(file), file, write_statistics=False)

    assert refusal("vqa-rad", file).field == "record 1: image"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all"])
def test_a_file_that_is_no_parquet_is_told(tmp_path: Path, content: bytes) -> None:
    """Whatever bytes lie there, the error names the file."""
    file = tmp_path / "test.parquet"
    file.write_bytes(content)

    assert refusal("vqa-rad", file).file == file


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    """Zeros in the middle of a file, as of a broken download, are an error that names it."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row(picture=Random(1).randbytes(10_000))] * 10)
    content = file.read_bytes()
    file.write_bytes(content[:4] + bytes(len(content) // 2) + content[4 + len(content) // 2 :])

    with pytest.raises(DataError) as caught:
        [item.pictures[0].read() for item in READERS["vqa-rad"](file)]

    assert caught.value.file == file


def test_a_text_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    """Bytes that are no text are an error that names the file."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row(question="????")])
    file.write_bytes(file.read_bytes().replace(b"????", b"\xff\xff\xff\xff"))

    assert refusal("vqa-rad", file).file == file


def test_a_folder_without_the_split_is_told(tmp_path: Path) -> None:
    """A folder with the train split alone is not the test split."""
    write_parquet(tmp_path / "train-0.parquet", [vqa_row()])

    error = refusal("vqa-rad", tmp_path)

    assert (error.file, "test*.parquet" in str(error)) == (tmp_path, True)


def test_a_file_that_has_gone_meanwhile_is_told(tmp_path: Path) -> None:
    """A picture whose file is gone is an error when it is read."""
    file = write_parquet(tmp_path / "test.parquet", [vqa_row()])
    (item,) = items_of("vqa-rad", file)
    file.unlink()

    with pytest.raises(DataError) as caught:
        item.pictures[0].read()

    assert caught.value.file == file
