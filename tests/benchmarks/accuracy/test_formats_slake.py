"""SLAKE's own files: closed questions in two languages, and the count of those that cannot be asked."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.accuracy.made_data import MISSING, items_of, png, refusal, slake_record, write_slake


def test_closed_questions_of_both_languages_are_asked(tmp_path: Path) -> None:
    """The options are Yes and No, or 是 and 否; the language is the subset; open questions are dropped."""
    records = [
        slake_record(answer="no"),
        slake_record(answer_type="OPEN", answer="Liver"),
        slake_record(q_lang="zh", question="图中包含肝脏吗？", answer="是"),
        slake_record(q_lang="zh", question="图中包含肺吗？", answer="否 ", answer_type="CLOSED "),
    ]

    items = items_of("slake", write_slake(tmp_path, records))

    assert [(item.id, item.dataset, item.subset) for item in items] == [
        ("SLAKE_test/0", "SLAKE_test", "en"),
        ("SLAKE_test/2", "SLAKE_test", "zh"),
        ("SLAKE_test/3", "SLAKE_test", "zh"),
    ]
    assert [(item.options, item.answer, item.label) for item in items] == [
        (("Yes", "No"), "No", "B"),
        (("是", "否"), "是", "A"),
        (("是", "否"), "否", "B"),
    ]
    assert items[1].question == "图中包含肝脏吗？"
    assert [(picture.name, picture.read()) for picture in items[0].pictures] == [("xmlab1/source.jpg", png(0))]


def test_closed_questions_without_options_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A closed question whose answer is neither yes nor no is left out, and the log says how many are."""
    records = [slake_record(answer="Liver"), slake_record(), slake_record(q_lang="zh", answer="左侧")]
    file = write_slake(tmp_path, records)

    with caplog.at_level(logging.WARNING):
        items = items_of("slake", tmp_path)

    assert [item.id for item in items] == ["SLAKE_test/1"]
    (told,) = caplog.messages
    assert told.startswith(f"{file}: 2 closed questions are not asked")


def test_nothing_is_told_where_nothing_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Open questions are no news."""
    file = write_slake(tmp_path, [slake_record(), slake_record(answer_type="OPEN", answer="Liver")])

    with caplog.at_level(logging.WARNING):
        items_of("slake", file)

    assert caplog.messages == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"answer_type": MISSING}, "answer_type"),
        ({"answer_type": "MAYBE"}, "answer_type"),
        ({"q_lang": MISSING}, "q_lang"),
        ({"q_lang": "de"}, "q_lang"),
        ({"answer": MISSING}, "answer"),
        ({"answer": True}, "answer"),
        ({"question": MISSING}, "question"),
        ({"img_name": MISSING}, "img_name"),
        ({"img_name": "xmlab2/source.jpg"}, "img_name"),
        ({"img_name": "../imgs/xmlab1/source.jpg"}, "img_name"),
        ({"img_name": "a" * 300}, "img_name"),
    ],
)
def test_what_is_wrong_with_a_record_is_told(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    """The error names the file, the record and the field."""
    file = write_slake(tmp_path, [slake_record(), slake_record(**changes)])

    error = refusal("slake", tmp_path)

    assert (error.file, error.field) == (file, f"record 1: {field}")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A folder without test.json is told with the name that is missed."""
    assert refusal("slake", tmp_path).file == tmp_path / "test.json"


def test_a_folder_of_pictures_that_is_a_link_to_elsewhere_is_refused(tmp_path: Path) -> None:
    """The data decide nothing about files outside their folder."""
    file = write_slake(tmp_path / "slake", [slake_record()])
    (tmp_path / "slake" / "imgs").rename(tmp_path / "elsewhere")
    (tmp_path / "slake" / "imgs").symlink_to(tmp_path / "elsewhere")

    error = refusal("slake", file)

    assert (error.field, "by a link" in str(error)) == ("record 0: img_name", True)
