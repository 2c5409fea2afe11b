"""Asking over real sockets: how many at once, what is waited for, what fails alone and what stops the run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from email.utils import formatdate

import httpx
import pytest

from benchmarks.accuracy.answer import Answer, Failure
from benchmarks.accuracy.asking import NO_COMPLETION, Asking, ask_all
from benchmarks.accuracy.errors import DataError, RunError
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.patience import Limits, Patience
from benchmarks.accuracy.reply import MAX_BODY, retry_after_s
from benchmarks.accuracy.server_identity import client
from benchmarks.accuracy.settings import PAPER, PLAIN, Settings
from tests.benchmarks.accuracy.chat_server import MODEL, Reply, Said, chat_server, completion, error
from tests.benchmarks.accuracy.made_items import JPEG, PNG, item

QUICK = Limits(refusals_s=60.0, tries=3, first_wait_s=0.001, failures_in_a_row=5)


def asked(
    base_url: str,
    items: Iterator[Item],
    *,
    concurrency: int = 4,
    settings: Settings = PAPER,
    patience: Patience | None = None,
    timeout_s: float = 60.0,
) -> list[Answer]:
    """All of them, in the order of their answers."""
    answers: list[Answer] = []

    async def ask() -> None:
        async with client(base_url, concurrency) as connection:
            connection.timeout = httpx.Timeout(timeout_s)
            asking = Asking(connection, MODEL, settings, patience or Patience(QUICK, any_answer=False))
            await ask_all(asking, items, answers.append, concurrency)

    asyncio.run(ask())
    return answers


def by_id(answers: list[Answer]) -> dict[str, Answer]:
    """They come in any order."""
    return {answer.id: answer for answer in answers}


def first(said: Said) -> Reply:
    """It is said to each question once, and then a letter."""
    return lambda _question, before: completion() if before else said


def to_question(number: int, said: Said) -> Reply:
    """It is said to one question, always; the others get a letter."""
    return lambda question, _before: said if question == f"Question {number}?" else completion()


def test_an_answer_holds_what_the_model_said_and_what_it_cost() -> None:
    """The text as it came, with the item's right letter and options beside it."""
    with chat_server(lambda _question, _before: completion(" B. No\n", "length")) as server:
        began = time.monotonic()
        (answer,) = asked(server.base_url, iter([item(3, PNG, subset="some")]))
        took = time.monotonic() - began

    assert (answer.id, answer.dataset, answer.subset) == ("Made/3", "Made", "some")
    assert (answer.label, answer.options) == ("A", ("Yes", "No"))
    assert (answer.text, answer.finish_reason, answer.error) == (" B. No\n", "length", None)
    assert (answer.prompt_tokens, answer.completion_tokens) == (600, 2)
    assert 0 <= answer.seconds <= took + 0.001


def test_so_many_questions_are_in_flight_as_were_asked_for_and_never_more() -> None:
    """The server answers only once five are there."""
    with chat_server(together=5) as server:
        answers = asked(server.base_url, map(item, range(40)), concurrency=5)

    assert server.most_at_once == 5
    assert len(by_id(answers)) == 40
    assert set(server.asked.values()) == {1}


def test_items_and_their_pictures_are_read_only_when_there_is_room_for_them() -> None:
    """So that memory does not grow with the data."""
    read = 0

    def items() -> Iterator[Item]:
        nonlocal read
        for number in range(30):
            read += 1
            yield item(number, PNG)

    with chat_server() as server:
        ahead: list[int] = []

        async def ask() -> None:
            async with client(server.base_url, 3) as connection:
                asking = Asking(connection, MODEL, PAPER, Patience(QUICK, any_answer=False))
                await ask_all(asking, items(), lambda _answer: ahead.append(read - len(ahead)), 3)

        asyncio.run(ask())

    assert len(ahead) == 30
    assert max(ahead) == 3


@pytest.mark.parametrize(("status", "code"), [(429, "server_busy"), (503, "not_ready")])
def test_a_refusal_is_waited_out_and_is_no_failure(status: int, code: str) -> None:
    """The question is asked again; refusals are counted."""
    patience = Patience(QUICK, any_answer=False)

    with chat_server(first(error(status, code, "Later.", Retry_After="0"))) as server:
        answers = asked(server.base_url, map(item, range(10)), patience=patience)

    assert [answer.error for answer in answers] == [None] * 10
    assert set(server.asked.values()) == {2}
    assert patience.num_refusals == 10


def test_retry_after_is_kept_to() -> None:
    """Whole seconds, as HTTP has them."""
    with chat_server(first(error(429, "server_busy", "Later.", Retry_After="1"))) as server:
        began = time.monotonic()
        (answer,) = asked(server.base_url, iter([item()]))
        took = time.monotonic() - began

    assert took >= 1.0
    assert answer.seconds < 1.0


def test_a_retry_after_is_a_number_or_a_date() -> None:
    """As RFC 9110 has it; a date that is over is now, and anything else is nothing."""
    assert retry_after_s("7") == 7.0
    assert retry_after_s(formatdate(time.time() + 90, usegmt=True)) == pytest.approx(90, abs=2)
    assert retry_after_s(formatdate(0, usegmt=True)) == 0.0
    assert [retry_after_s(header) for header in (None, "", "soon", "-1", "1e99", "\u00b2")] == [None] * 6


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_a_question_that_the_server_will_not_answer_fails_alone(status: int) -> None:
    """With what the server said; it is asked once, and the run goes on."""
    with chat_server(to_question(2, error(status, "some_code", "Not this one."))) as server:
        answers = by_id(asked(server.base_url, map(item, range(6))))

    assert answers["Made/2"].error == Failure(status, "some_code", "Not this one.")
    assert (answers["Made/2"].text, answers["Made/2"].finish_reason) == ("", None)
    assert server.asked["Question 2?"] == 1
    assert [answers[f"Made/{number}"].error for number in (0, 1, 3, 4, 5)] == [None] * 5


@pytest.mark.parametrize("status", [401, 403, 404, 405, 307])
def test_what_every_question_would_hear_stops_the_run(status: int) -> None:
    """At once, with what the server said; nothing counts as failed."""
    with (
        chat_server(lambda *_: error(status, "some_code", "Go away.")) as server,
        pytest.raises(RunError, match=f"no answer to Made/0: {status} some_code Go away"),
    ):
        asked(server.base_url, map(item, range(100)), concurrency=1)

    assert server.asked.total() == 1


def test_a_key_that_is_missing_is_told_where_it_is_read() -> None:
    """Never on the command line, where other users of the machine see it."""
    with (
        chat_server(lambda *_: error(401, "invalid_api_key", "No key.")) as server,
        pytest.raises(RunError, match="OPENAI_API_KEY"),
    ):
        asked(server.base_url, iter([item()]))


@pytest.mark.parametrize("status", [500, 502, 504, 408])
def test_a_question_on_which_the_server_fails_is_tried_again(status: int) -> None:
    """Most such failures pass."""
    with chat_server(first(error(status, "engine_error", "It failed."))) as server:
        answers = asked(server.base_url, map(item, range(10)))

    assert [answer.error for answer in answers] == [None] * 10


def test_a_question_on_which_the_server_always_fails_is_given_up() -> None:
    """After so many tries, and it alone."""
    with chat_server(to_question(2, error(500, "engine_error", "It failed."))) as server:
        answers = by_id(asked(server.base_url, map(item, range(6))))

    assert answers["Made/2"].error == Failure(500, "engine_error", "It failed.")
    assert server.asked["Question 2?"] == QUICK.tries
    assert sum(answer.error is not None for answer in answers.values()) == 1


def test_a_server_that_fails_on_all_questions_stops_the_run() -> None:
    """Long before 20,000 of them are marked as failed."""
    with (
        chat_server(lambda *_: error(500, "engine_error", "It failed.")) as server,
        pytest.raises(RunError, match="5 questions in a row failed"),
    ):
        asked(server.base_url, map(item, range(20_000)))

    assert len(server.asked) <= 5 + 4


def test_a_server_that_is_gone_stops_the_run() -> None:
    """After a few tries; nothing is marked as failed."""
    with chat_server() as server:
        pass
    kept: list[Answer] = []

    with pytest.raises(RunError, match=r"no answer to Made/.*: ConnectError"):
        kept += asked(server.base_url, map(item, range(20_000)))

    assert kept == []


def test_a_question_that_takes_longer_than_the_client_waits_fails_alone() -> None:
    """It is not asked again at once: it would take as long again."""
    with chat_server(hold_after=3) as server:
        answers = asked(server.base_url, map(item, range(4)), concurrency=1, timeout_s=0.3)
        server.release()

    assert [answer.error and answer.error.code for answer in answers] == [None, None, None, "timeout"]
    assert server.asked["Question 3?"] == 1


def test_a_server_without_the_penalty_is_told_apart_with_the_way_out() -> None:
    """The paper's field is not OpenAI's; leaving it out is the user's choice, and goes on record."""
    refusal = error(400, None, "Unrecognized request argument supplied: repetition_penalty")

    with chat_server(lambda *_: refusal) as server:
        with pytest.raises(RunError, match=r"takes no repetition_penalty: .* --plain asks without it"):
            asked(server.base_url, map(item, range(20)))
        (plain,) = asked(server.base_url, iter([item()]), settings=PLAIN)

    assert plain.error is not None
    assert "repetition_penalty" not in server.bodies[-1]


@pytest.mark.parametrize(
    "body",
    [
        "<html>Please log in.</html>",
        {"choices": []},
        {"choices": [{"message": {"content": [{"type": "text", "text": "A"}]}}]},
        "[" * 100_000,
    ],
    ids=["page", "no choice", "parts", "deep"],
)
def test_a_reply_that_holds_no_answer_fails_alone(body: object) -> None:
    """A 200 must not count as a wrong answer; one such is no reason to ask no more."""
    with chat_server(to_question(2, Said(200, body))) as server:
        answers = by_id(asked(server.base_url, map(item, range(6))))

    error = answers["Made/2"].error
    assert error is not None
    assert (error.status, error.code) == (200, NO_COMPLETION)
    assert error.message.startswith("no chat completion: ")
    assert sum(answer.error is not None for answer in answers.values()) == 1
    assert server.asked["Question 2?"] == 1


def test_a_server_that_answers_nonsense_to_everything_stops_the_run() -> None:
    """Even one that gave answers before: a proxy's log-in page."""
    patience = Patience(QUICK, any_answer=True)

    with (
        chat_server(lambda *_: Said(200, "<html>Please log in.</html>")) as server,
        pytest.raises(RunError, match=r"5 questions in a row failed.*no chat completion: <html>Please log in"),
    ):
        asked(server.base_url, map(item, range(20_000)), patience=patience)

    assert len(server.asked) <= 5 + 4


def test_a_reply_without_an_end_fails_alone_and_is_not_kept() -> None:
    """Memory does not grow with what a server says."""
    huge = completion("x" * (MAX_BODY + 1))

    with chat_server(to_question(2, huge)) as server:
        answers = by_id(asked(server.base_url, map(item, range(6))))

    assert answers["Made/2"].error == Failure(200, "reply_too_large", "more than 8 MiB")
    assert sum(answer.error is not None for answer in answers.values()) == 1


def test_a_picture_that_cannot_be_read_stops_the_run_with_its_own_error() -> None:
    """The copy of the data is damaged: the user is told where."""

    def items() -> Iterator[Item]:
        yield item(0, JPEG)
        raise DataError(__file__, "record 1: image", "there is no such file")  # type: ignore[arg-type]

    with chat_server() as server, pytest.raises(DataError, match="record 1: image"):
        asked(server.base_url, items())


def test_the_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As OpenAI's SDKs send it; none without it."""
    monkeypatch.setenv("OPENAI_API_KEY", "some-key")
    with chat_server() as server:
        asked(server.base_url, iter([item()]))
        monkeypatch.delenv("OPENAI_API_KEY")
        asked(server.base_url, iter([item()]))

    assert [sent.get("authorization") for sent in server.headers] == ["Bearer some-key", None]
