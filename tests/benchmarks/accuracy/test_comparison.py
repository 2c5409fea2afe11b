"""Two runs over the same data: counts, intervals, and each question that flipped, with its picture."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.accuracy import command_compare
from benchmarks.accuracy.answer import Failure
from benchmarks.accuracy.comparison import compare
from benchmarks.accuracy.data import checked
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.pairing import Paired, by_dataset, pairing
from benchmarks.accuracy.picture_copy import copy
from benchmarks.accuracy.run_folder import Run
from tests.benchmarks.accuracy.made_data import bundle_record, png, write_bundle
from tests.benchmarks.accuracy.made_items import answer
from tests.benchmarks.accuracy.made_runs import run
from tests.benchmarks.accuracy.scripted_judge import jama_answer

DICOM = bytes(128) + b"DICM and so on"
GIF_FRAME = b",\0\0\0\0\xff\xff\xff\xff\0\x02\0;"
"""As large as the picture."""

SHARED_ANSWERS = ("A", "A", "B", "B")
"""Right, right, wrong, wrong."""


def of_texts(folder: Path, texts: Sequence[str], **changes: Any) -> Run:
    """A run of made-up questions, answered so."""
    return run(folder, (answer(number, text=text) for number, text in enumerate(texts)), **changes)


def of_bundle(folder: Path, texts: Sequence[str], picture: bytes | None = None, **changes: Any) -> Run:
    """A run over a small bundle, which is written where it is not there yet. picture: in place of a made one."""
    data = folder.parent / "data"
    if not data.exists():
        write_bundle(data, [bundle_record(question=f"Question {number}?") for number in range(len(texts))])
        (data / "images" / "made.png").write_bytes(picture or png(0))
    found = checked(READERS["bundle"], data)
    about = {"reader": "bundle", "path": str(data), "sha256": found.sha256, "num_items": len(found.ids)}
    answers = (answer(id=each, dataset="VQA-RAD_test", text=text) for each, text in zip(found.ids, texts, strict=True))
    return run(folder, answers, data=about, **changes)


def page(out: Path) -> str:
    """What a person reads."""
    return (out / "comparison.md").read_text(encoding="utf-8")


def encoded(mode: str, kind: str) -> bytes:
    """A picture of 4 x 4 pixels in a format of Pillow's."""
    file = BytesIO()
    Image.new(mode, (4, 4)).save(file, kind)
    return file.getvalue()


def test_pairs_are_counted_by_who_was_right(tmp_path: Path) -> None:
    """Both, only the first, only the second, none."""
    first = of_texts(tmp_path / "a", ["A", "A", "A", "B", "B", "B"])
    second = of_texts(tmp_path / "b", ["A", "B", "B", "A", "B", "B"])

    found = by_dataset(pairing(first, second).pairs, "official")

    assert found == {"Made": Paired(both=1, only_first=2, only_second=1, neither=2)}
    assert (found["Made"].n, found["Made"].p) == (6, 1.0)
    assert found["Made"].difference.value == pytest.approx(-1 / 6)


def test_only_what_both_have_is_compared(tmp_path: Path) -> None:
    """The same question with the same options and answer; open questions have neither."""
    first = run(tmp_path / "a", [answer(0), answer(1), answer(2), answer(3, options=(), label=None)])
    second = run(tmp_path / "b", [answer(1), answer(2, label="B"), answer(5), answer(6)])

    found = pairing(first, second)

    assert [pair.first.id for pair in found.pairs] == ["Made/1"]
    assert (found.num_other, found.only_first, found.only_second) == (1, 1, 2)


def test_a_data_set_without_known_answers_is_not_compared(tmp_path: Path) -> None:
    """Two runs that cannot be right do not agree in being wrong."""
    hidden = answer(1, dataset="MMMU_Medical_Test", label=None)
    first, second = (run(tmp_path / name, [answer(0), hidden]) for name in "ab")

    found = by_dataset(pairing(first, second).pairs, "official")

    assert list(found) == ["Made"]


def test_the_table_has_both_scorers_and_all_questions(tmp_path: Path) -> None:
    """1 of 12 against 9 of 12; by hand, 8/14 +- 1.96 sqrt((10/14 - (8/14)^2) / 14), and p is 2 / 2^8."""
    first = of_texts(tmp_path / "before", ["A", *"B" * 11])
    second = of_texts(tmp_path / "after", [*"A" * 9, "B", "B", "B"])

    table = compare(first, second, tmp_path / "out")

    row = "| 12 | 8.3 | 75.0 | +66.7 (+24.5 to +89.8) | 1 | 0 | 8 | 3 | 0.008 |"
    for name in ("Made", "all questions"):
        for scorer in ("official", "strict"):
            assert f"| {name} | {scorer} {row}" in table
    assert table in page(tmp_path / "out")


def test_a_flip_shows_its_question_and_both_answers(tmp_path: Path) -> None:
    """And the right one; what did not flip is not shown."""
    first = of_bundle(tmp_path / "before", ["A", "A", "It is B."])
    second = of_bundle(tmp_path / "after", ["A", "No", "It is B."])

    compare(first, second, tmp_path / "out")

    found = page(tmp_path / "out")
    assert "## Flipped questions: 1" in found
    assert "Question 1?\nA. Yes\nB. No\n" in found
    assert "Right: A." in found
    assert "**before** (official: right, read A, strict: right, read A):\n\n```text\nA\n```" in found
    assert "**after** (official: crashed, strict: wrong, read B):\n\n```text\nNo\n```" in found
    assert "Question 0?" not in found
    assert "Question 2?" not in found


def test_a_flip_to_one_scorer_only_is_a_flip(tmp_path: Path) -> None:
    """`a` is wrong to the official scorer and right to ours."""
    compare(of_texts(tmp_path / "before", ["A"]), of_texts(tmp_path / "after", ["a"]), tmp_path / "out")

    assert "## Flipped questions: 1" in page(tmp_path / "out")


def test_a_flip_shows_its_picture(tmp_path: Path) -> None:
    """The bytes of the data, in a file beside the page."""
    compare(of_bundle(tmp_path / "before", ["A"]), of_bundle(tmp_path / "after", ["B"]), tmp_path / "out")

    assert "![images/made.png](pictures/1-1.png)" in page(tmp_path / "out")
    assert (tmp_path / "out" / "pictures" / "1-1.png").read_bytes() == png(0)


def test_a_dicom_picture_is_linked(tmp_path: Path) -> None:
    """No browser shows one."""
    first = of_bundle(tmp_path / "before", ["A"], DICOM)

    compare(first, of_bundle(tmp_path / "after", ["B"]), tmp_path / "out")

    assert "\n[images/made.png](pictures/1-1.dcm): a DICOM file\n" in page(tmp_path / "out")
    assert (tmp_path / "out" / "pictures" / "1-1.dcm").read_bytes() == DICOM


def test_a_picture_that_is_gone_is_told(tmp_path: Path) -> None:
    """The rest of the page comes all the same."""
    first, second = of_bundle(tmp_path / "before", ["A", "B"]), of_bundle(tmp_path / "after", ["B", "A"])
    (tmp_path / "data" / "images" / "made.png").unlink()

    compare(first, second, tmp_path / "out")

    found = page(tmp_path / "out")
    assert "cannot be read again" in found
    assert "## Flipped questions: 2" in found


@pytest.mark.parametrize("change", ["gone", "other"])
def test_data_that_cannot_be_read_again_are_told(tmp_path: Path, change: str) -> None:
    """Moved away, or not the same any more: the comparison comes without questions and pictures."""
    first, second = of_bundle(tmp_path / "before", ["A"]), of_bundle(tmp_path / "after", ["B"])
    if change == "gone":
        (tmp_path / "data").rename(tmp_path / "elsewhere")
    else:
        write_bundle(tmp_path / "data", [bundle_record(question="Another one?")])

    compare(first, second, tmp_path / "out")

    found = page(tmp_path / "out")
    assert "the data cannot be read again" in found
    assert "```text\nA. Yes\nB. No\n```" in found
    assert not (tmp_path / "out" / "pictures").exists()


def test_the_second_run_s_copy_will_do(tmp_path: Path) -> None:
    """Where the first one's is gone."""
    second = of_bundle(tmp_path / "after", ["B"])
    gone = {**second.about["data"], "path": str(tmp_path / "gone")}
    first = run(tmp_path / "before", [answer(id="VQA-RAD_test/0", dataset="VQA-RAD_test")], data=gone)
    assert [each.id for each in second.answers()] == ["VQA-RAD_test/0"]

    compare(first, second, tmp_path / "out")

    assert "Question 0?" in page(tmp_path / "out")


def test_what_differs_between_the_runs_is_told(tmp_path: Path) -> None:
    """Settings and server; what is the same is not."""
    first = of_texts(tmp_path / "before", SHARED_ANSWERS)
    second = of_texts(
        tmp_path / "after",
        SHARED_ANSWERS,
        settings={"temperature": 0.2, "repetition_penalty": None, "max_tokens": 256, "seed": 42},
        server={"id": "huatuogpt-vision", "digest": "e" * 64},
    )

    compare(first, second, tmp_path / "out")

    found = page(tmp_path / "out")
    assert "| setting: repetition\\_penalty | 1.2 | not sent |" in found
    assert f"| server: digest | {'d' * 64} | {'e' * 64} |" in found
    assert "| server: versions.vllm | 0.32.0 | not told |" in found
    assert "setting: temperature" not in found


def test_another_prompt_is_told(tmp_path: Path) -> None:
    """By the digest of what was sent."""
    second = run(tmp_path / "after", [answer(0), answer(1, prompt_sha256="1" * 64)])

    compare(of_texts(tmp_path / "before", ["A", "A"]), second, tmp_path / "out")

    assert "Asked with another text or other pictures in the second run: 1." in page(tmp_path / "out")


def test_a_failure_is_shown_as_one(tmp_path: Path) -> None:
    """With what the server said."""
    failed = answer(0, text="", error=Failure(400, "too_long", "The prompt is too long."))

    compare(of_texts(tmp_path / "before", ["A"]), run(tmp_path / "after", [failed]), tmp_path / "out")

    found = page(tmp_path / "out")
    assert "**after** (official: failed, strict: failed):\n\n```text\nno answer: The prompt is too long.\n```" in found


def test_an_answer_cannot_change_the_page(tmp_path: Path) -> None:
    """Neither by a fence of its own, nor by half a character or what a terminal obeys."""
    text = "```\n# B\n<script>\n````\n\ud800\x1b[2J"

    compare(of_texts(tmp_path / "before", ["A"]), of_texts(tmp_path / "after", [text]), tmp_path / "out")

    assert "`````text\n```\n# B\n<script>\n````\n\\ud800\\x1b[2J\n`````" in page(tmp_path / "out")


def test_no_text_of_the_runs_is_a_tag(tmp_path: Path) -> None:
    """Outside the fences, nothing that data, run or server say is HTML."""
    tag = "<img src=x>"
    about = {"sessions": [{"started": tag, "ended": tag, "asked": 1, "seconds": 1.0}], "settings": {tag: tag}}
    first, second = (
        run(tmp_path / name, [answer(0, id=tag, dataset=tag, subset=tag, text=text, label="A")], **about, model=name)
        for name, text in (("before", "A"), ("after", "B"))
    )

    compare(first, second, tmp_path / "out")

    assert "&lt;img" in page(tmp_path / "out")
    assert "<img" not in page(tmp_path / "out")


def test_jama_cases_are_not_compared(tmp_path: Path) -> None:
    """A letter in a free answer is no option."""
    first, second = (run(tmp_path / name, [answer(0, text=name), jama_answer(0, name)]) for name in ("A", "B"))

    compare(first, second, tmp_path / "out")

    assert "JAMA" not in page(tmp_path / "out")


def test_the_record_holds_counts_and_flips(tmp_path: Path) -> None:
    """For a program to read."""
    compare(of_texts(tmp_path / "before", ["A", "A"]), of_texts(tmp_path / "after", ["A", "B"]), tmp_path / "out")

    found = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert found["runs"] == ["before", "after"]
    assert found["paired"]["official"]["all questions"]["only_first"] == 1
    assert found["paired"]["strict"]["Made"]["difference"]["value"] == -0.5
    assert [flip["id"] for flip in found["flipped"]] == ["Made/1"]
    assert [each["letter"] for each in found["flipped"][0]["verdicts"]["official"]] == ["A", "B"]


def test_runs_without_a_common_question_are_refused(tmp_path: Path) -> None:
    """As are those of which no right answer is known."""
    first = of_texts(tmp_path / "before", ["A"])

    for number, other in enumerate([answer(9), answer(0, label=None)]):
        second = run(tmp_path / str(number), [other])
        with pytest.raises(RunError, match="no question in common"):
            compare(first, second, tmp_path / "out")


def test_the_command_prints_the_table_and_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 0."""
    runs = [str(of_texts(tmp_path / name, SHARED_ANSWERS).folder) for name in ("before", "after")]
    parser = argparse.ArgumentParser()
    command_compare.add_arguments(parser)

    code = command_compare.run(parser.parse_args([*runs, "--out", str(tmp_path / "out")]))

    printed = capsys.readouterr().out
    assert code == 0
    assert "| all questions | strict | 4 | 50.0 | 50.0 |" in printed
    assert printed.endswith(f"\n{tmp_path / 'out' / 'comparison.md'}\n")


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "TIFF"), ("RGB", "BMP"), ("P", "GIF"), ("CMYK", "TIFF"), ("F", "TIFF")]
)
def test_other_pictures_are_converted(tmp_path: Path, mode: str, kind: str) -> None:
    """To PNG, of the same size."""
    found = copy(encoded(mode, kind), tmp_path, "1")

    assert (found.file, found.remark) == ("1.png", "")
    with Image.open(tmp_path / "1.png") as image:
        assert (image.format, image.size) == ("PNG", (4, 4))


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    """A film keeps its values."""
    copy(encoded("I;16", "TIFF"), tmp_path, "1")

    with Image.open(tmp_path / "1.png") as image:
        assert image.mode == "I;16"


def test_a_jpeg_stays_as_it_is(tmp_path: Path) -> None:
    """Byte for byte."""
    content = encoded("RGB", "JPEG")

    assert copy(content, tmp_path, "1").file == "1.jpg"
    assert (tmp_path / "1.jpg").read_bytes() == content


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "content",
    [b"no picture", encoded("L", "TIFF")[:40], b"BM" + bytes(60), b"GIF89a" + b"\xff" * 4 + bytes(3) + GIF_FRAME],
    ids=["text", "cut", "empty", "4 gigapixels"],
)
def test_an_unreadable_picture_is_linked(tmp_path: Path, content: bytes) -> None:
    """With a remark, and its bytes as they are."""
    found = copy(content, tmp_path, "1")

    assert found.file == "1.bin"
    assert found.remark.startswith("cannot be converted to PNG")
    assert (tmp_path / "1.bin").read_bytes() == content
