"""The report: our numbers with their intervals, beside the published ones, with all that is not as in the paper."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy import command_report, jama_score
from benchmarks.accuracy.answer import Answer, Failure
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.jama_score import Ratings
from benchmarks.accuracy.protocol import differences
from benchmarks.accuracy.published import SIZES
from benchmarks.accuracy.report import report
from benchmarks.accuracy.score import Score, Scores
from tests.benchmarks.accuracy.made_items import answer
from tests.benchmarks.accuracy.made_runs import about, run
from tests.benchmarks.accuracy.scripted_judge import jama_answer

FAILED = Failure(400, "too_long", "too long")

RATED = [Ratings(1, 1, 1), Ratings(2, 2, 2)]


def rad(num_right: int, num_wrong: int) -> list[Answer]:
    """Of VQA-RAD."""
    texts = ["A"] * num_right + ["B"] * num_wrong
    return [answer(number, dataset="VQA-RAD_test", text=text) for number, text in enumerate(texts)]


def omni(subset: str, num_right: int, num_wrong: int) -> list[Answer]:
    """Of OmniMedVQA."""
    texts = ["A"] * num_right + ["B"] * num_wrong
    return [
        answer(id=f"{subset}/{number}", dataset="OmniMedVQA", subset=subset, text=text)
        for number, text in enumerate(texts)
    ]


def page(out: Path) -> str:
    """What a person reads."""
    return (out / "report.md").read_text(encoding="utf-8")


def row(text: str, start: str) -> list[str]:
    """The cells of the first table row that begins so."""
    (line, *_) = [line for line in text.splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def whole(**changes: int) -> Scores:
    """As many questions as the paper's, all right. changes: n by data set."""
    sizes = {**SIZES, **changes}
    return Scores({name: {"": Score(n=n, num_labelled=n, num_right=n)} for name, n in sizes.items() if n}, 0)


def differing(scores: Scores, **changes: Any) -> dict[str, tuple[str, str]]:
    """The paper's and the run's, by what differs."""
    return {each.what: (each.paper, each.run) for each in differences(about(**changes), scores)}


def test_ours_stand_beside_the_published_with_interval_and_n(tmp_path: Path) -> None:
    """154 of 251 are 61.4 (55.2 to 67.2); a data set that was not asked is an empty cell."""
    table = report([run(tmp_path / "ours", rad(154, 97))], tmp_path / "out")

    assert table in page(tmp_path / "out")
    assert row(table, "**ours**")[1:3] == ["61.4 (55.2 to 67.2), n = 251", ""]
    assert row(table, "HuatuoGPT-Vision-34B")[1] == "68.1"
    assert "| 61.35 | 76.44 | 57.67 | 54.20 | 73.46 | 50.34 |  |  | independent rerun |" in table
    assert row(table, "PMC-Cambrian-8B-AN")[1:] == ["", "", "", "", "", "", "", "79.0", "SemiHVision"]


def test_every_source_is_named(tmp_path: Path) -> None:
    """So that a figure can be looked up."""
    report([run(tmp_path / "ours", rad(1, 0))], tmp_path / "out")

    for reference in ("arXiv 2406.19280", "arXiv 2410.14948", "Leokuan0208/huatuo-llava-v15-med-pruning"):
        assert reference in page(tmp_path / "out")


def test_every_outcome_is_shown_by_both_scorers(tmp_path: Path) -> None:
    """Yes ends the official scorer and is A to ours; a failure is one to both."""
    failed = answer(8, dataset="VQA-RAD_test", text="", error=FAILED)
    given = [*rad(1, 1), answer(7, dataset="VQA-RAD_test", text="Yes"), failed]

    report([run(tmp_path / "ours", given)], tmp_path / "out")

    found = page(tmp_path / "out")
    crashed, parsed = ["0", "1 (25.0 %)", "1 (25.0 %)"], ["0", "0", "1 (25.0 %)"]
    assert row(found, "VQA-RAD\\_test | official")[2:] == ["4", "25.0 (4.6 to 69.9)", "1", "1", *crashed]
    assert row(found, "VQA-RAD\\_test | strict")[2:] == ["4", "50.0 (15.0 to 85.0)", "2", "1", *parsed]


def test_subsets_have_rows_and_a_figure(tmp_path: Path) -> None:
    """OmniMedVQA's, with the number of questions of each."""
    given = [*omni("CT(Computed Tomography)", 3, 1), *omni("X-Ray", 1, 1)]

    report([run(tmp_path / "ours", given)], tmp_path / "out")

    found = page(tmp_path / "out")
    assert row(found, "OmniMedVQA | X-Ray")[2:] == ["2", "50.0 (9.5 to 90.5)", "50.0 (9.5 to 90.5)"]
    assert "](omnimedvqa.svg)" in found
    assert {path.name for path in (tmp_path / "out").glob("omnimedvqa.*")} == {"omnimedvqa.svg", "omnimedvqa.png"}


def test_a_run_without_omnimedvqa_has_one_figure(tmp_path: Path) -> None:
    """Of the data sets that it has."""
    report([run(tmp_path / "ours", rad(1, 1))], tmp_path / "out")

    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.md",
        "report.json",
        "accuracy.svg",
        "accuracy.png",
    }


def test_hidden_answers_are_no_nought(tmp_path: Path) -> None:
    """MMMU's test: counts, no accuracy, no figure."""
    hidden = [answer(number, dataset="MMMU_Medical_Test", label=None) for number in range(3)]

    table = report([run(tmp_path / "ours", hidden)], tmp_path / "out")

    assert row(table, "**ours**")[7] == "answers not public, n = 3"
    assert not list((tmp_path / "out").glob("*.svg"))


def test_who_was_asked_what_is_told(tmp_path: Path) -> None:
    """The model's digest, versions, preparation, settings and the data's digest."""
    report([run(tmp_path / "ours", rad(1, 0))], tmp_path / "out")

    found = page(tmp_path / "out")
    assert row(found, "server: digest")[1] == "d" * 64
    assert row(found, "server: versions.vllm")[1] == "0.32.0"
    assert row(found, "server: preparation")[1] == "1"
    assert row(found, "setting: seed")[1] == "42"
    assert row(found, "data: SHA-256")[1] == "0" * 64
    assert row(found, "asked")[1] == "2026-01-01T00:00:00 to 2026-01-01T01:00:00"


def test_cost_and_time_are_told(tmp_path: Path) -> None:
    """Tokens an answer, seconds a request, questions a second."""
    report([run(tmp_path / "ours", rad(2, 0))], tmp_path / "out")

    found = page(tmp_path / "out")
    assert row(found, "prompt tokens")[1] == "1,200 (600.0 an answer)"
    assert row(found, "completion tokens")[1] == "4 (2.0 an answer)"
    assert row(found, "time of a request, median")[1] == "0.25 s"
    assert row(found, "wall-clock time")[1] == "3,600 s"
    assert row(found, "questions a second")[1] == "0.0025"


def test_a_run_as_the_paper_s_differs_in_two_things_only() -> None:
    """Its seed is each question's, and of MMMU only the validation split has answers."""
    assert differing(whole()) == {
        "seed": ("one for the whole run", "the same for each question"),
        "MMMU H&M": ("test split", "validation split, 145 of 145 questions"),
    }


def test_other_settings_are_told() -> None:
    """A penalty that was not sent as well."""
    settings = {"temperature": 0.0, "repetition_penalty": None, "max_tokens": 256, "seed": 42}

    found = differing(whole(), settings=settings, concurrency=16)

    assert found["temperature"] == ("0.2", "0.0")
    assert found["repetition_penalty"] == ("1.2", "not sent")
    assert found["questions at a time"] == ("1", "16")
    assert "max_tokens" not in found


def test_other_data_are_told() -> None:
    """Other files, fewer questions, a data set that is missing and one that the paper has not."""
    data = {"reader": "slake", "path": "/nowhere", "sha256": "0" * 64, "num_items": 99_999}

    found = differing(whole(SLAKE_test=100, OmniMedVQA=0, Own=7), data=data)

    assert found["data"] == ("the official bundle", "read by `slake`, from the benchmark's own files")
    assert found["questions of the data"] == ("all", "5865 of 99999")
    assert found["SLAKE"] == ("416 questions", "100 questions")
    assert found["OmniMedVQA"] == ("11124 questions", "not asked")
    assert found["Own"] == ("not asked", "7 questions")


def test_what_the_published_scorer_would_not_survive_is_told() -> None:
    """Crashes, and questions without an answer."""
    scores = Scores({"VQA-RAD_test": {"": Score(n=251, num_labelled=251, num_crashed=2, num_failed=3)}}, 0)

    found = differing(scores)

    assert found["answers in which the scorer finds no letter"] == ("it ends", "2, counted as not right")
    assert found["questions without an answer"] == ("none", "3, counted as not right")


def test_the_record_holds_what_the_page_rounds(tmp_path: Path) -> None:
    """Shares with all their digits, and the published rows."""
    report([run(tmp_path / "ours", rad(1, 2))], tmp_path / "out")

    found = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert found["runs"][0]["scores"]["official"]["datasets"]["VQA-RAD_test"]["accuracy"]["value"] == 1 / 3
    assert found["runs"][0]["identity"]["server: digest"] == "d" * 64
    assert found["published"][0]["accuracy"]["SLAKE_test"] == 67.3


def test_several_runs_stand_in_one_report(tmp_path: Path) -> None:
    """Two folders of the same name are told apart by their paths."""
    runs = [run(tmp_path / "one" / "run", rad(1, 0)), run(tmp_path / "two" / "run", rad(0, 1))]

    table = report(runs, tmp_path / "out")

    first, second = (str(each.folder).replace("_", "\\_") for each in runs)
    assert row(table, f"**{first}**")[1].startswith("100.0")
    assert row(table, f"**{second}**")[1].startswith("0.0")


def test_a_judged_run_shows_its_jama_score(tmp_path: Path) -> None:
    """With its interval, its judge and what is not in the means, beside the published ones."""
    given = run(tmp_path / "ours", [jama_answer(number, "A") for number in range(5)])
    jama_score.save(jama_score.score("some-judge", RATED, num_failed=3, num_unanswered=4), given.folder)

    report([given], tmp_path / "out")

    found = page(tmp_path / "out")
    assert row(found[found.index("## JAMA") :], "**ours**")[1:6] == ["1.50 (0.52 to 2.48)", "2", "3", "4", "some-judge"]
    assert row(found[found.index("## JAMA") :], "PMC-Cambrian-8B-AN")[1] == "1.29"
    assert "than when it was judged" not in found


def test_answers_newer_than_the_jama_score_are_told(tmp_path: Path) -> None:
    """The means do not hold them; a question that failed is no answer."""
    answers = [*(jama_answer(number, "A") for number in range(6)), jama_answer(6, None), *rad(1, 0)]
    given = run(tmp_path / "ours", answers)
    jama_score.save(jama_score.score("some-judge", RATED, num_failed=1, num_unanswered=0), given.folder)

    report([given], tmp_path / "out")

    assert "ours: has 3 answers more than when it was judged" in page(tmp_path / "out")


def test_jama_answers_are_not_scored_by_letter(tmp_path: Path) -> None:
    """A free answer with an A in it is in no accuracy and in no figure."""
    given = run(tmp_path / "ours", [*(jama_answer(number, "Hepatitis A") for number in range(3)), *rad(1, 1)])

    table = report([given], tmp_path / "out")

    found = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))["runs"][0]["scores"]["strict"]
    assert list(found["datasets"]) == ["VQA-RAD_test"]
    assert (found["micro"]["n"], found["macro"]["value"], found["num_open"]) == (2, 0.5, 3)
    assert "JAMA" not in table
    assert "JAMA" not in (tmp_path / "out" / "accuracy.svg").read_text(encoding="utf-8")
    assert "ours: 3 open questions" in page(tmp_path / "out")


def test_questions_without_a_right_option_are_counted(tmp_path: Path) -> None:
    """Where the data say "?", they lower the accuracy whatever the model says."""
    report([run(tmp_path / "ours", [*rad(1, 1), answer(9, dataset="VQA-RAD_test", label=None)])], tmp_path / "out")

    told = "ours: questions without a right option, which no answer gets right: 1 of VQA-RAD\\_test."
    assert told in page(tmp_path / "out")


def test_names_cannot_change_the_page(tmp_path: Path) -> None:
    """Names of data, run and server are texts: no table, no tag, nothing that a terminal obeys."""
    name = "<b>|x|<img src=x>\x1b[2J"
    sessions = [{"started": name, "ended": name, "asked": 2, "seconds": 1.0}]
    given = run(
        tmp_path / "ours",
        [answer(0, dataset=name, subset=name), answer(1, dataset=name, label=None), jama_answer(0, name)],
        data={"reader": name, "path": name, "sha256": name, "num_items": None},
        model=name,
        base_url=name,
        settings={name: name},
        server={name: name},
        sessions=sessions,
    )
    jama_score.save(jama_score.score(name, RATED, num_failed=0, num_unanswered=0), given.folder)

    report([given], tmp_path / "out")

    found = page(tmp_path / "out")
    assert "&lt;b>\\|x\\|&lt;img src=x>\\\\x1b\\[2J" in found
    assert not any(each in found for each in ("<b>", "<img", "|x|", "\x1b"))


def test_a_figure_that_is_cut_says_so(tmp_path: Path) -> None:
    """Data may have any number of subsets, with letters that no font has; nothing goes to the terminal."""
    given = [each for number in range(31) for each in omni(f"子集 {number}", 1, 1)]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report([run(tmp_path / "ours", given)], tmp_path / "out")

    assert "The figure has 30 of 31 subsets" in page(tmp_path / "out")


def test_an_empty_run_is_refused(tmp_path: Path) -> None:
    """There is nothing to report."""
    with pytest.raises(RunError, match="has no answers"):
        report([run(tmp_path / "ours", [])], tmp_path / "out")


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    """In one sentence."""
    (tmp_path / "out").write_text("a file")

    with pytest.raises(RunError, match="out: File exists"):
        report([run(tmp_path / "ours", rad(1, 0))], tmp_path / "out")


def test_the_command_prints_the_table_and_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And ends with 0."""
    made, out = run(tmp_path / "ours", rad(1, 0)), tmp_path / "out"
    parser = argparse.ArgumentParser()
    command_report.add_arguments(parser)

    code = command_report.run(parser.parse_args([str(made.folder), "--out", str(out)]))

    printed = capsys.readouterr().out
    assert code == 0
    assert "| **ours** |" in printed
    assert printed.endswith(f"\n{out / 'report.md'}\n")
