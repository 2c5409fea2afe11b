"""Harnesses of others get our questions in their own formats, with the paper's prompt and settings."""

from __future__ import annotations

import ast
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.accuracy import official
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.harnesses import evalscope, lmms_eval, vlmeval
from benchmarks.accuracy.harnesses.harness import Call, Harness, Scored
from benchmarks.accuracy.harnesses.lmms_eval import questions
from benchmarks.accuracy.harnesses.made_up import KINDS, OPTIONS, items
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.prompt import prompt
from benchmarks.accuracy.settings import Settings

ALL = [lmms_eval, vlmeval, evalscope]


BRIGHT = 150
"""A disc has 220, all around it at most 100."""


def test_made_up_items_are_the_same_each_time() -> None:
    """Ids, texts and the bytes of pictures, for a run that is compared with another."""
    once, again = items(12), items(12)

    assert [(one.id, one.question, one.answer) for one in once] == [(one.id, one.question, one.answer) for one in again]
    assert [one.pictures[0].read() for one in once] == [one.pictures[0].read() for one in again]
    assert len({one.id for one in once}) == 12


def test_every_kind_of_file_and_every_option_is_asked() -> None:
    """Within the driver's default number of questions."""
    made = items(12)

    assert {one.subset for one in made} == set(KINDS)
    assert {one.answer for one in made} == set(OPTIONS)
    assert {one.label for one in made} == set("ABCD")


@pytest.mark.parametrize("item", items(12), ids=lambda item: item.pictures[0].name)
def test_a_picture_shows_as_many_discs_as_its_answer_says(item: Item) -> None:
    """Counted along the middle row of the stored pixels."""
    with Image.open(io.BytesIO(item.pictures[0].read())) as picture:
        shades = np.asarray(picture.convert("L") if picture.mode == "RGB" else picture).astype(np.int64)

    bright = shades[len(shades) // 2] > (16 * BRIGHT if item.subset == "grey-16-bit-png" else BRIGHT)
    assert np.count_nonzero(np.diff(bright.astype(int)) == 1) == OPTIONS.index(item.answer)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text, delimiter="\t"))


def test_lmms_eval_gets_the_papers_prompt_and_the_files_as_they_are(tmp_path: Path) -> None:
    """A line an item."""
    made = items(7)
    lmms_eval.write(made, tmp_path)

    found = lines(tmp_path / "questions.jsonl")
    assert [one["text"] for one in found] == [prompt(item) for item in made]
    assert [one["label"] for one in found] == [item.label for item in made]
    assert [Path(one["pictures"][0]).read_bytes() for one in found] == [item.pictures[0].read() for item in made]


def test_lmms_eval_gets_pictures_that_png_can_hold_upright(tmp_path: Path) -> None:
    """It writes them anew and forgets the orientation; 16 bits stay 16 bits, CMYK becomes RGB."""
    made = items(len(KINDS))
    lmms_eval.write(made, tmp_path)
    Image.new("CMYK", (20, 10)).save(tmp_path / "cmyk.jpg")
    found = dict(zip(KINDS, lines(tmp_path / "questions.jsonl"), strict=True))

    turned = questions.pictures(found["turned-jpeg"])[0]
    with Image.open(io.BytesIO(made[2].pictures[0].read())) as picture:
        assert turned.tobytes() == ImageOps.exif_transpose(picture).tobytes()
    assert turned.size == (480, 640)
    assert questions.pictures(found["grey-16-bit-png"])[0].mode == "I;16"
    assert questions.pictures({"pictures": [str(tmp_path / "cmyk.jpg")]})[0].mode == "RGB"


def test_the_task_of_lmms_eval_asks_with_the_papers_settings() -> None:
    """As far as lmms-eval sends them: it knows no repetition penalty, which is the server's default."""
    task = (Path(lmms_eval.__file__).parent / f"{lmms_eval.TASK}.yaml").read_text(encoding="utf-8")
    told = dict(re.findall(r"^  (max_new_tokens|temperature|seed): (.+)$", task, re.MULTILINE))

    paper = Settings()
    assert told == {
        "max_new_tokens": str(paper.max_tokens),
        "temperature": str(paper.temperature),
        "seed": str(paper.seed),
    }


def test_the_task_of_lmms_eval_judges_as_the_published_scorer() -> None:
    """A lower-case letter is wrong there, and an answer without a letter is not right either."""
    assert questions.results({"label": "B"}, ["B. One"]) == {"accuracy": 1.0}
    assert questions.results({"label": "B"}, ["b"]) == {"accuracy": 0.0}
    assert questions.results({"label": "B"}, [""]) == {"accuracy": 0.0}


def test_evalscope_gets_the_whole_prompt_as_its_question(tmp_path: Path) -> None:
    """Behind the mark of its picture, since evalscope has no picture without a mark; beside it the plain question."""
    made = items(2)
    evalscope.write(made, tmp_path)

    paper, plain = lines(tmp_path / "paper_val.jsonl"), lines(tmp_path / "plain_val.jsonl")
    assert [one["question"] for one in paper] == ["<image 1>" + prompt(item) for item in made]
    assert [one["question"] for one in plain] == ["<image 1>" + item.question for item in made]
    assert Path(paper[0]["image_1"]).read_bytes() == made[0].pictures[0].read()
    assert paper[0]["options"] == list(OPTIONS)


@pytest.mark.parametrize(
    "text",
    [
        *("A", "B. One", " C", "A ", "the answer is D.", "I think that A is right", "(A)", "E. coli is seen; answer A"),
        *("a", "b", "**B**", "答案是C", "A lung.", "A\nB", "Yes", "", "D) MRI", "'A'", "no letter here"),
    ],
)
def test_evalscopes_filter_finds_the_letter_of_the_published_scorer(text: str) -> None:
    """The first match's group is what evalscope judges; none is no answer."""
    found = re.findall(evalscope.LETTER, text)

    assert (found[0] if found else None) == official.verdict(text, "B").letter


def test_vlmeval_gets_options_that_pandas_keeps(tmp_path: Path) -> None:
    """`None` would be a missing value there, and the option gone from the question; the plain table shows it."""
    made = items(4)
    vlmeval.write(made, tmp_path)

    paper, plain = rows(tmp_path / "data" / "paper.tsv"), rows(tmp_path / "data" / "plain.tsv")
    assert [one["A"] for one in plain] == ["None"] * 4
    assert [one["A"] for one in paper] == ["None "] * 4
    assert not {one[letter] for one in paper for letter in "ABCD"} & vlmeval.MISSING


def test_vlmeval_gets_the_prompt_and_the_files_as_they_are(tmp_path: Path) -> None:
    """In a column of its own, which `run.py` asks; pictures as a list's literal."""
    made = items(4)
    vlmeval.write(made, tmp_path)

    found = rows(tmp_path / "data" / "paper.tsv")
    assert [one["prompt"] for one in found] == [prompt(item) for item in made]
    paths = [ast.literal_eval(one["image_path"]) for one in found]
    assert [Path(path).read_bytes() for (path,) in paths] == [item.pictures[0].read() for item in made]


def test_a_table_holds_as_many_options_as_the_longest_list(tmp_path: Path) -> None:
    """A shorter list leaves cells empty, which VLMEvalKit takes for no option."""
    short, long = items(2)
    mixed = [Item(short.id, "", "", "q", ("Yes", "No"), "No", ()), long]
    vlmeval.write(mixed, tmp_path)

    first, second = rows(tmp_path / "data" / "paper.tsv")
    assert (first["B"], first["C"], second["D"]) == ("No", "", "Three")


@pytest.mark.parametrize("harness", ALL, ids=lambda one: one.DISTRIBUTION)
def test_a_command_asks_the_recorder_one_attempt_a_question(harness: Harness, tmp_path: Path) -> None:
    """A retry would hide what the server answered."""
    command = harness.command(Call(Path("/venv/bin/python"), "http://127.0.0.1:1", "a-model", tmp_path, False))

    told = " ".join(command)
    assert command[0] == "/venv/bin/python"
    assert "http://127.0.0.1:1/v1" in told
    assert "a-model" in told
    assert re.search(r'max_retries=1|--retry 1|"retries": 1', told)


@pytest.mark.parametrize("harness", [vlmeval, evalscope], ids=lambda one: one.DISTRIBUTION)
def test_a_command_has_the_papers_settings_unless_the_defaults_are_asked_for(harness: Harness, tmp_path: Path) -> None:
    """lmms-eval's are in its task."""
    ours, theirs = (
        " ".join(harness.command(Call(Path("python"), "http://127.0.0.1:1", "m", tmp_path, defaults)))
        for defaults in (False, True)
    )

    for value in (str(one) for one in Settings().fields().values()):
        assert value in ours
    assert "temperature" in ours
    assert "temperature" not in theirs


def test_scores_are_read_from_what_the_harnesses_write(tmp_path: Path) -> None:
    """How many questions are in the score, and the score."""
    files = {
        "results/m/1_samples_t.jsonl": '{"accuracy": 1.0}\n{"accuracy": 0.0}\n',
        "results/reports/m/general_vmcq.json": json.dumps({"metrics": [{"num": 4, "score": 0.25}]}),
        "results/m/m_paper_exact_matching_result.tsv": "index\thit\n0\t1\n1\t0\n2\t1\n3\t1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    assert lmms_eval.scored(tmp_path) == Scored(2, 0.5)
    assert evalscope.scored(tmp_path) == Scored(4, 0.25)
    assert vlmeval.scored(tmp_path) == Scored(4, 0.75)


@pytest.mark.parametrize("harness", ALL, ids=lambda one: one.DISTRIBUTION)
def test_a_run_without_a_score_is_an_error(harness: Harness, tmp_path: Path) -> None:
    """Never a score of nothing."""
    with pytest.raises(RunError):
        harness.scored(tmp_path)
