"""`choices` over a run on disk: letters and their log-probabilities, what fails, and what is not asked twice."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy import command_choices, command_run
from benchmarks.accuracy.data import checked
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.formats import READERS
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.score import Score, scores
from benchmarks.accuracy.weighing import NO_CHOICES
from benchmarks.accuracy.weighing_journal import FILE, Weighings
from tests import golden
from tests.benchmarks.accuracy import made_runs
from tests.benchmarks.accuracy.chat_server import CARD, MODEL, ChatServer, Said, chat_server, error
from tests.benchmarks.accuracy.made_items import answer, bundle
from tests.service.served import MODEL as SERVED_MODEL
from tests.service.served import scripted_engine, served


def weighed(*log_probs: float) -> Said:
    """What the endpoint says, as far as it is read."""
    choices = [{"index": index, "logprob_sum": log_prob} for index, log_prob in enumerate(log_probs)]
    return Said(
        body={"object": "chat.choices", "choices": choices, "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    )


def yes(_question: str, _before: int) -> Said:
    return weighed(-0.5, -1.5)


def made_run(folder: Path, num: int) -> Path:
    """A run over a bundle of so many questions, of which each has an answer."""
    data = bundle(folder / "data", num)
    ids = [item.id for item in READERS["bundle"](data)]
    about = {"reader": "bundle", "path": str(data), "sha256": checked(READERS["bundle"], data).sha256, "num_items": num}
    answers = [answer(id=each, dataset="VQA-RAD") for each in ids]
    made_runs.run(folder / "run", answers, data=about, model=MODEL, server=CARD)
    return folder / "run"


def command(server: ChatServer, run: Path, *more: str) -> int:
    return with_arguments([str(run), "--base-url", server.base_url, *more])


def with_arguments(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser()
    command_choices.add_arguments(parser)
    return command_choices.run(parser.parse_args(arguments))


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / FILE).read_text().splitlines()]


def test_letters_are_weighed_after_the_papers_prompt(tmp_path: Path) -> None:
    """The question's own prompt and pictures, its options' letters, and nothing that chooses tokens."""
    run = made_run(tmp_path, 1)

    with chat_server(yes) as server:
        assert command(server, run) == 0

    (body,) = server.bodies
    assert body.keys() == {"model", "messages", "choices"}
    assert body["choices"] == ["A", "B"]
    picture, text = body["messages"][0]["content"]
    assert picture["image_url"]["url"].startswith("data:image/png;base64,")
    assert text["text"].splitlines() == [
        *("Question 0?", "A. Yes", "B. No"),
        "Answer with the option's letter from the given choices directly.",
    ]
    (line,) = lines(run)
    assert (line["log_probs"], line["label"], line["prompt_tokens"], line["error"]) == ([-0.5, -1.5], "A", 9, None)


def test_the_best_letter_is_scored_beside_the_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Right, wrong and failed are counted as the other scorers' are, in the table and in the record."""
    run = made_run(tmp_path, 3)

    def reply(question: str, _before: int) -> Said:
        replies = {"Question 0?": yes(question, 0), "Question 1?": weighed(-3, -2)}
        return replies.get(question, error(400, "too_long", "too long"))

    with chat_server(reply) as server:
        command(server, run)

    found = scores(Run.open(run).answers(), Weighings(run))
    assert found["choices"].micro == Score(n=3, num_labelled=3, num_right=1, num_wrong=1, num_failed=1)
    assert found["official"].micro == Score(n=3, num_labelled=3, num_right=3)
    page = (run / "report" / "report.md").read_text()
    assert "| all questions (micro) | choices | 3 |" in page
    assert (
        json.loads((run / "report" / "report.json").read_text())["runs"][0]["scores"]["choices"]["micro"]["num_right"]
        == 1
    )
    assert "The same command asks the 1 that failed again." in capsys.readouterr().err


def test_nothing_is_asked_twice_but_what_failed(tmp_path: Path) -> None:
    """Interrupted or not, the same command asks what has no log-probabilities yet; the newest line counts."""
    run = made_run(tmp_path, 4)

    with chat_server(
        lambda question, _: error(422, None, "no") if question == "Question 2?" else weighed(-1, -2)
    ) as server:
        command(server, run)
    with (run / FILE).open("a") as file:
        file.write('{"half a li')
    with chat_server(yes) as server:
        command(server, run)

    assert server.asked == {"Question 2?": 1}
    assert len(lines(run)) == 5
    assert [one.verdict.outcome for one in Weighings(run)] == ["right"] * 4


def test_ties_go_to_the_first(tmp_path: Path) -> None:
    """As the endpoint's `best` does."""
    run = made_run(tmp_path, 1)

    with chat_server(lambda *_: weighed(-1, -1)) as server:
        command(server, run)

    assert [one.verdict.letter for one in Weighings(run)] == ["A"]


@pytest.mark.parametrize(
    "said",
    [
        Said(body="<html>"),
        Said(body={"choices": []}),
        weighed(-1),
        weighed(-1, float("inf")),
        Said(body={"choices": 3}),
    ],
    ids=["page", "none", "one", "infinite", "number"],
)
def test_a_reply_that_does_not_weigh_every_letter_is_a_failure(tmp_path: Path, said: Said) -> None:
    """It is counted, with the beginning of what came, and no letter is guessed."""
    run = made_run(tmp_path, 1)

    with chat_server(lambda *_: said) as server:
        command(server, run)

    (line,) = lines(run)
    assert (line["log_probs"], line["error"]["code"]) == ([], NO_CHOICES)


def test_a_server_without_the_endpoint_is_told_at_once(tmp_path: Path) -> None:
    """Before thousands of questions fail one by one."""
    run = made_run(tmp_path, 5)

    with (
        chat_server(lambda *_: error(404, "not_found", "no such path")) as server,
        pytest.raises(RunError, match="no such path"),
    ):
        command(server, run, "--concurrency", "1")

    assert server.asked.total() == 1


def test_another_model_is_refused(tmp_path: Path) -> None:
    """Its log-probabilities would stand beside another's answers."""
    run = made_run(tmp_path, 1)

    with (
        chat_server(yes, cards=[{**CARD, "digest": "sha256:6"}]) as server,
        pytest.raises(RunError, match="another model"),
    ):
        command(server, run)

    assert not (run / FILE).exists()


def test_a_run_without_closed_questions_has_nothing_to_weigh(tmp_path: Path) -> None:
    """Open questions have no letters."""
    made_runs.run(tmp_path / "run", [answer(options=(), label=None)])

    with pytest.raises(RunError, match="no closed questions"):
        with_arguments([str(tmp_path / "run")])


def test_our_own_server_weighs_what_it_was_asked(tmp_path: Path) -> None:
    """`run` and then `choices`, over the real endpoint: every question has a number for each letter."""
    data = bundle(tmp_path / "data", 3, (golden.IMAGES / "tiny_5x7.png").read_bytes())
    parser = argparse.ArgumentParser()
    command_run.add_arguments(parser)

    with served(scripted_engine()) as server:
        url = f"{server.base_url}/v1"
        command_run.run(
            parser.parse_args(["--data", f"bundle={data}", "--out", str(tmp_path / "run"), "--base-url", url])
        )
        assert with_arguments([str(tmp_path / "run")]) == 0

    weighings = list(Weighings(tmp_path / "run"))
    assert Run.open(tmp_path / "run").about["model"] == SERVED_MODEL
    assert [len(one.log_probs) for one in weighings] == [2, 2, 2]
    assert {one.error for one in weighings} == {None}
    assert {one.completion_tokens for one in weighings} == {2}
