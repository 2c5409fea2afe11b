"""`judge` over a run on disk: exact ratings, what fails, and what is not asked twice."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.accuracy import command_judge
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.jama_score import JamaScore, Mean, summary
from tests.benchmarks.accuracy.scripted_judge import (
    LIMIT_S,
    MODEL,
    Said,
    ScriptedJudge,
    jama_answer,
    jama_file,
    jama_run,
    scripted_judge,
)


def arguments(judge: ScriptedJudge, folder: Path, *more: str) -> list[str]:
    """Of the command."""
    return [str(folder), "--judge-base-url", judge.base_url, "--judge-model", MODEL, *more]


def command(judge: ScriptedJudge, folder: Path, *more: str) -> JamaScore:
    """The command, and the score that it leaves."""
    parser = argparse.ArgumentParser()
    command_judge.add_arguments(parser)
    assert command_judge.run(parser.parse_args(arguments(judge, folder, *more))) == 0
    score = summary(folder)
    assert score is not None
    return score


def steps(folder: Path) -> Counter[tuple[str, bool]]:
    """Of the journal's lines: the step, and whether something was found."""
    lines = map(json.loads, (folder / "judgements.jsonl").read_text().splitlines())
    return Counter((line["step"], "found" in line) for line in lines)


def test_an_answer_is_rated_by_the_entries_that_it_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half a point each, at most 5, in the file and in the table."""
    evidence = " ".join(f"e0.{entry}" for entry in range(1, 13))
    jama_run(tmp_path / "run", jama_file(tmp_path, 1), {0: f"k0.1 k0.10 k0.3 i0.2 {evidence}"})

    with scripted_judge() as judge:
        score = command(judge, tmp_path / "run")

    assert (score.key_points, score.inference, score.evidence) == (
        Mean(1.5, None, None),
        Mean(0.5, None, None),
        Mean(5.0, None, None),
    )
    assert score.overall.mean == pytest.approx(7 / 3)
    assert judge.asked == {"rubric 0": 1, "matches 0": 1}
    assert "| key points | 1.50 |" in capsys.readouterr().out


def test_answers_are_told_apart_from_failures_and_from_no_answer(tmp_path: Path) -> None:
    """The means are over what was judged: no rating is made up, and a blank answer has 0 without a judge."""
    data = jama_file(tmp_path, 5)
    jama_run(tmp_path / "run", data, {0: "k0.1 k0.2", 1: "k1.1", 2: None, 3: " \n"})

    def script(asked: str, _before: int) -> Said | None:
        return Said('{"key_points": "all of them"}') if asked == "matches 1" else None

    with scripted_judge(script) as judge:
        score = command(judge, tmp_path / "run")

    assert (score.n, score.num_failed, score.num_unanswered) == (2, 1, 2)
    assert score.key_points.mean == 0.5
    assert judge.asked == {"rubric 0": 1, "matches 0": 1, "rubric 1": 1, "matches 1": 3}
    assert steps(tmp_path / "run") == {("rubric", True): 2, ("matches", True): 1, ("matches", False): 1}


def test_the_same_command_asks_only_what_failed(tmp_path: Path) -> None:
    """What is judged is in the journal; a failure is no judgement."""
    jama_run(tmp_path / "run", jama_file(tmp_path, 3), {number: f"k{number}.1" for number in range(3)})
    bad = Said("Sorry.")
    with scripted_judge(lambda asked, before: bad if asked == "rubric 1" and before < 3 else None) as judge:
        first = command(judge, tmp_path / "run")
        asked_before = judge.asked.copy()
        second = command(judge, tmp_path / "run")

    assert (first.n, first.num_failed) == (2, 1)
    assert (second.n, second.num_failed) == (3, 0)
    assert judge.asked - asked_before == {"rubric 1": 1, "matches 1": 1}


def test_an_answer_that_was_asked_again_is_judged_again(tmp_path: Path) -> None:
    """By the same rubric: a judgement is of one text."""
    run = jama_run(tmp_path / "run", jama_file(tmp_path, 1), {0: "k0.1"})
    with scripted_judge() as judge:
        command(judge, tmp_path / "run")
        with run:
            run.append(jama_answer(0, "k0.1 k0.2 k0.3"))
        score = command(judge, tmp_path / "run")

    assert score.key_points.mean == 1.5
    assert judge.asked == {"rubric 0": 1, "matches 0": 2}


def test_a_rubric_that_someone_has_changed_is_asked_for_again(tmp_path: Path) -> None:
    """What is taken from the journal is checked as a reply is: nine key points would shift the scale."""
    jama_run(tmp_path / "run", jama_file(tmp_path, 1), {0: "k0.10"})
    with scripted_judge() as judge:
        command(judge, tmp_path / "run")
        file = tmp_path / "run" / "judgements.jsonl"
        file.write_text(file.read_text().replace(', "k0.10"', ""))
        score = command(judge, tmp_path / "run")

    assert score.key_points.mean == 0.5
    assert judge.asked == {"rubric 0": 2, "matches 0": 1}


def test_two_runs_can_be_held_against_the_same_rubrics(tmp_path: Path) -> None:
    """Those of the other run are not asked for again, and are then in this run's journal too."""
    data = jama_file(tmp_path, 2)
    jama_run(tmp_path / "first", data, {0: "k0.1", 1: "k1.1"})
    jama_run(tmp_path / "second", data, {0: "k0.1 k0.2", 1: ""})
    with scripted_judge() as judge:
        command(judge, tmp_path / "first")
        score = command(judge, tmp_path / "second", "--rubrics-from", str(tmp_path / "first"))

    assert score.key_points.mean == 0.5
    assert judge.asked == {"rubric 0": 1, "rubric 1": 1, "matches 0": 2, "matches 1": 1}
    assert steps(tmp_path / "second") == {("rubric", True): 2, ("matches", True): 1}


def test_rubrics_of_another_judge_are_not_taken(tmp_path: Path) -> None:
    """Nor is a folder without any: the two runs would not be comparable, unnoticed."""
    data = jama_file(tmp_path, 1)
    jama_run(tmp_path / "first", data, {0: "k0.1"})
    jama_run(tmp_path / "second", data, {0: "k0.1"})
    with scripted_judge() as judge:
        command(judge, tmp_path / "first", "--judge-model", "another-judge")
        with pytest.raises(RunError, match=r"first: has no rubrics by some-judge"):
            command(judge, tmp_path / "second", "--rubrics-from", str(tmp_path / "first"))


def test_a_killed_judge_command_goes_on(tmp_path: Path) -> None:
    """SIGKILL in the middle loses what was in flight and nothing else."""
    numbers = range(6)
    jama_run(tmp_path / "run", jama_file(tmp_path, 6), {number: f"k{number}.1" for number in numbers})
    stuck, released = threading.Event(), threading.Event()

    def script(asked: str, before: int) -> Said | None:
        if asked == "matches 3" and before == 0:
            stuck.set()
            released.wait(LIMIT_S)
        return None

    with scripted_judge(script) as judge:
        code = (
            "import argparse, sys; from benchmarks.accuracy import command_judge as c; p = argparse.ArgumentParser();"
            "c.add_arguments(p); c.run(p.parse_args(sys.argv[1:]))"
        )
        given = arguments(judge, tmp_path / "run", "--concurrency", "1")
        importing = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen([sys.executable, "-c", code, *given], env=importing) as process:
            try:
                assert stuck.wait(LIMIT_S)
            finally:
                process.kill()
        with (tmp_path / "run" / "judgements.jsonl").open("ab") as file:
            file.write(b'{"id": "JAMA/3", "st')
        released.set()
        assert summary(tmp_path / "run") is None
        score = command(judge, tmp_path / "run")

    assert score.n == 6
    assert score.key_points == Mean(0.5, 0.5, 0.5)
    once = {f"{step} {number}": 1 for step in ("rubric", "matches") for number in numbers}
    assert judge.asked == {**once, "matches 3": 2}


def test_a_judge_that_goes_away_ends_the_command_and_loses_nothing(tmp_path: Path) -> None:
    """The command says so at once; what was judged is not asked again."""
    jama_run(tmp_path / "run", jama_file(tmp_path, 2), {0: "k0.1", 1: "k1.1"})

    def script(asked: str, before: int) -> Said | None:
        return Said(status=401) if asked == "rubric 1" and before == 0 else None

    with scripted_judge(script) as judge:
        with pytest.raises(RunError, match="401"):
            command(judge, tmp_path / "run", "--concurrency", "1")
        score = command(judge, tmp_path / "run")

    assert score.n == 2
    assert judge.asked == {"rubric 0": 1, "matches 0": 1, "rubric 1": 2, "matches 1": 1}


def test_several_answers_are_judged_at_once(tmp_path: Path) -> None:
    """As many as are asked for: here each waits for the others."""
    jama_run(tmp_path / "run", jama_file(tmp_path, 4), {number: f"k{number}.1" for number in range(4)})
    together = threading.Barrier(4)

    def script(_asked: str, _before: int) -> None:
        together.wait(LIMIT_S)

    with scripted_judge(script) as judge:
        score = command(judge, tmp_path / "run", "--concurrency", "4")

    assert (score.n, score.num_failed) == (4, 0)


def test_a_case_without_a_discussion_cannot_be_judged(tmp_path: Path) -> None:
    """The scraper leaves it empty where the licence does not reach: the judge would make a rubric up."""
    data = jama_file(tmp_path, 2)
    cases = json.loads(data.read_text())
    cases[1]["explanation"] = " "
    data.write_text(json.dumps(cases))
    jama_run(tmp_path / "run", data, {0: "k0.1", 1: "k1.1"})

    with scripted_judge() as judge:
        score = command(judge, tmp_path / "run")

    assert (score.n, score.num_failed) == (1, 1)
    assert judge.asked == {"rubric 0": 1, "matches 0": 1}


def test_other_data_than_the_run_was_asked_from_is_refused(tmp_path: Path) -> None:
    """Answers would be held against another case's discussion."""
    data = jama_file(tmp_path, 1)
    jama_run(tmp_path / "run", data, {0: "k0.1"})
    jama_file(tmp_path, 1, explanation="Another one.")

    with scripted_judge() as judge, pytest.raises(RunError, match=r"jama_raw\.json: is not the data any more"):
        command(judge, tmp_path / "run")

    assert not judge.asked


def test_a_run_without_jama_answers_is_refused(tmp_path: Path) -> None:
    """There is nothing to judge."""
    jama_run(tmp_path / "run", jama_file(tmp_path, 1), {0: None})

    with scripted_judge() as judge, pytest.raises(RunError, match="has no JAMA answers"):
        command(judge, tmp_path / "run")
