"""What a batch asks is read from a folder, a CSV or a JSONL, and known again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from huatuo_client import Question, View
from huatuo_client.item import Item, ItemError, read
from tests.huatuo_client.pictures import grey_png

ASKED = Question("What is this?")


def written(folder: Path, name: str, text: str) -> Path:
    """A file."""
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_folders_images_come_in_order(tmp_path: Path) -> None:
    """Known by their bytes; numbers by their value; what is hidden, a DICOMDIR and other files are left out."""
    (tmp_path / "series").mkdir()
    for name in ("im10.png", "im2.png", "series/a", ".hidden.png"):
        (tmp_path / name).write_bytes(grey_png(1))
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "scan")
    shutil.copy(str(get_testdata_file("DICOMDIR")), tmp_path / "DICOMDIR")
    written(tmp_path, "notes.txt", "no image")

    found = read(tmp_path, ASKED)

    assert [one.id for one in found.items] == ["im2.png", "im10.png", "scan", "series/a"]
    assert [one.files for one in found.items] == [(one.id,) for one in found.items]
    assert found.items[3].question.images == (tmp_path / "series" / "a",)
    assert found.notes == ("2 files are no images and are left out.",)


def test_a_csv_names_images_and_questions(tmp_path: Path) -> None:
    """Paths are relative to it; a spreadsheet's byte order mark does not hurt; other columns are named."""
    source = written(
        tmp_path,
        "studies.csv",
        '\ufeffid,image,image_2,question,view,label\n1,a.png,b.png,"Changed, or?","{""frame"": 2}",x\n2,c.png,,,,\n',
    )

    found = read(source, replace(ASKED, view=View(preset="lung")))

    first, second = found.items
    assert (first.id, first.files, first.question.text) == ("1", ("a.png", "b.png"), "Changed, or?")
    assert (first.question.view, second.question.view) == (View(frame=2), View(preset="lung"))
    assert (second.files, second.question.text) == (("c.png",), "What is this?")
    assert second.question.images == (tmp_path / "c.png",)
    assert found.notes == (f"{source}: not used: label.",)


def test_a_jsonl_names_images_and_questions(tmp_path: Path) -> None:
    """A list of images, or one; empty lines are passed over."""
    lines = [
        {"images": ["a.png", "b.png"], "question": "Changed?\u2028"},
        {"image": "c.png", "view": {"preset": "bone"}},
        {"ID": 7, "Image": "d.png", "question": "What is a fracture?"},
    ]
    text = "\n\n".join(json.dumps(one, ensure_ascii=False) for one in lines)
    found = read(written(tmp_path, "q.jsonl", text), ASKED).items

    assert [one.files for one in found] == [("a.png", "b.png"), ("c.png",), ("d.png",)]
    assert [one.id for one in found] == [None, None, "7"]
    assert [one.question.text for one in found] == ["Changed?\u2028", "What is this?", "What is a fracture?"]
    assert found[1].question.view == View(preset="bone")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "id,image\n1,a.png\n1,b.png\n", "twice"),
        ("b.csv", "image,question\na.png,x,y\n", "line 2"),
        ("c.jsonl", '{"image": "a.png"}\n[]\n', "line 2"),
        ("d.jsonl", '{"images": "a.png"}\n', "list"),
        ("e.jsonl", '{"image": "a.png", "view": {"veiw": 1}}\n', "veiw"),
        ("f.txt", "a.png", r"\.csv"),
        ("g.csv", "id,picture\n1,a.png\n", "line 2: there is no image in it; it has id, picture"),
        ("h.csv", "image\na.png\n ,\n", "line 3"),
        ("i.csv", "id,image,question\n1,a.png,\n2,,What?\n", "line 3: there is no image"),
        ("j.jsonl", '{"question": "What?"}\n', "line 1: there is no image"),
        ("k.jsonl", '{"images": []}\n', "line 1: there is no image"),
        ("l.csv", "File\na.png\n", "not in file"),
        ("m.csv", "image,path\na.png,b.png\n", "not in path"),
        ("n.csv", "image,Image2\na.png,b.png\n", "not in image2"),
        ("o.jsonl", '{"files": ["a.png"]}\n', "not in files"),
        ("p.jsonl", '{"image": "a.png", "images": ["b.png"]}\n', "both"),
        ("q.csv", "image,Image\na.png,b.png\n", "line 1: image stands there twice"),
        ("r.jsonl", '{"image": "a.png", "IMAGE": "b.png"}\n', "image stands there twice"),
        ("s.jsonl", '{"image": "a.png", "view": {"region": [0, 0, 1e999, 9]}}\n', "whole numbers"),
    ],
)
def test_a_source_that_is_wrong_is_told_where(tmp_path: Path, name: str, text: str, said: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ItemError, match=said):
        read(written(tmp_path, name, text), ASKED)


def test_columns_may_be_written_in_large_letters(tmp_path: Path) -> None:
    """As spreadsheets do, with a space behind; none of them is passed over."""
    source = written(tmp_path, "studies.csv", "ID,Image ,IMAGE_2,Question\n1,a.png,b.png,Changed?\n")

    found = read(source, Question(""))

    (item,) = found.items
    assert (item.id, item.files, item.question.text, found.notes) == ("1", ("a.png", "b.png"), "Changed?", ())


def test_a_path_that_no_file_can_have_is_still_an_item(tmp_path: Path) -> None:
    """It fails when it is asked about, and the others are asked."""
    (item,) = read(written(tmp_path, "q.jsonl", '{"image": "a\\u0000.png"}\n'), ASKED).items

    assert item.files == ("a\0.png",)
    assert item.key("m")


def test_there_must_be_a_question(tmp_path: Path) -> None:
    """On the command line, or on the row."""
    (tmp_path / "films").mkdir()
    for source in (tmp_path / "films", written(tmp_path, "a.csv", "image\na.png\n")):
        with pytest.raises(ItemError, match="question"):
            read(source, Question(""))


def test_a_folder_without_images_is_told(tmp_path: Path) -> None:
    """Rather than nothing being done about it."""
    with pytest.raises(ItemError, match="no image"):
        read(tmp_path, ASKED)


def test_an_item_is_known_by_all_that_its_answer_depends_on(tmp_path: Path) -> None:
    """Another question, file, content, view, setting or model is another item; the folder's place does not matter."""
    films, elsewhere, other = (tmp_path / name / "a.png" for name in ("films", "elsewhere", "of another patient"))
    for path, content in ((films, b"film"), (elsewhere, b"film"), (other, b"another")):
        path.parent.mkdir()
        path.write_bytes(content)
    item = Item("a", ("a.png",), replace(ASKED, images=(films,)))
    others = [
        item.key("other-model"),
        Item("a", ("b.png",), item.question).key("m"),
        replace(item, question=replace(item.question, images=(other,))).key("m"),
        *(replace(item, question=one).key("m") for one in _changed(item.question)),
    ]

    moved = replace(item, id=None, question=replace(item.question, images=(elsewhere,)))

    assert moved.key("m") == item.key("m")
    assert len({item.key("m"), *others}) == len(others) + 1


def _changed(question: Question) -> list[Question]:
    return [
        replace(question, text="What?"),
        replace(question, view=View(frame=1)),
        replace(question, choices=("yes", "no")),
        replace(question, json_schema={"type": "object"}),
        replace(question, temperature=0.0),
        replace(question, max_tokens=5),
        replace(question, seed=1),
    ]
