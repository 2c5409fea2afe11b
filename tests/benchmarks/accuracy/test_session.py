"""Sessions of a run: what one leaves the next one goes on with, or refuses to."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy.data import checked
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.item import Item
from benchmarks.accuracy.run_folder import Run
from benchmarks.accuracy.session import Session
from benchmarks.accuracy.settings import PAPER, PLAIN
from huatuo_server import __version__
from huatuo_server.engine.scripted import Completion
from huatuo_server.images.identity import PREPARATION_VERSION
from tests import golden
from tests.benchmarks.accuracy.chat_server import CARD, MODEL, Said, chat_server, completion, error
from tests.benchmarks.accuracy.made_items import PNG, item, reader
from tests.service.served import DIGEST, scripted_engine, served
from tests.service.served import MODEL as SERVED_MODEL


def session(base_url: str, folder: Path, num: int = 10, **fields: Any) -> Session:
    """Of so many made items."""
    made: dict[str, Any] = {
        "reader": "made",
        "read": reader(num),
        "path": folder / "data.json",
        "folder": folder / "run",
        "base_url": base_url,
        "model": None,
        "settings": PAPER,
        "concurrency": 4,
    }
    return Session(**{**made, **fields})


def held(session: Session) -> int:
    """How many failed."""
    return asyncio.run(session.hold())


def test_a_run_says_what_was_asked_of_whom(tmp_path: Path) -> None:
    """All that decides an answer, and who held the sessions."""
    with chat_server(cards=[{**CARD, "digest": "sha256:5", "preparation_version": 3}]) as server:
        held(session(server.base_url, tmp_path))

    about = json.loads((tmp_path / "run" / "run.json").read_bytes())
    (one,) = about.pop("sessions")
    assert about == {
        "format": 1,
        "data": {
            "reader": "made",
            "path": str(tmp_path / "data.json"),
            "sha256": checked(reader(10), tmp_path).sha256,
            "num_items": 10,
        },
        "base_url": server.base_url,
        "model": MODEL,
        "settings": {"temperature": 0.2, "repetition_penalty": 1.2, "max_tokens": 256, "seed": 42},
        "server": {**CARD, "digest": "sha256:5", "preparation_version": 3, "preparation": 3},
        "concurrency": 4,
    }
    assert one["asked"] == 10
    assert one["seconds"] > 0
    assert one["started"] <= one["ended"]


def test_a_second_session_asks_nothing_that_is_answered(tmp_path: Path) -> None:
    """Nor does a third; each is on record."""
    with chat_server() as server:
        held(session(server.base_url, tmp_path, limit=3))
        held(session(server.base_url, tmp_path))
        held(session(server.base_url, tmp_path))

    run = Run.open(tmp_path / "run")
    assert server.asked == {f"Question {number}?": 1 for number in range(10)}
    assert len(run.answered_ids()) == 10
    assert [each["asked"] for each in run.about["sessions"]] == [3, 7, 0]


def test_what_failed_is_asked_again_after_all_that_is_new(tmp_path: Path) -> None:
    """And has its answer then; one at a time, so that the order is seen."""

    def reply(question: str, before: int) -> Said:
        bad = question in ("Question 1?", "Question 2?") and before == 0
        return error(413, "request_too_large", "Too large.") if bad else completion()

    with chat_server(reply) as server:
        num_failed = held(session(server.base_url, tmp_path, concurrency=1, limit=4))
        num_failed_again = held(session(server.base_url, tmp_path, concurrency=1, limit=6))

    asked = [body["messages"][0]["content"].splitlines()[0] for body in server.bodies]
    assert asked == [f"Question {number}?" for number in (0, 1, 2, 3, 4, 5, 1, 2)]
    assert (num_failed, num_failed_again) == (2, 0)
    assert len(Run.open(tmp_path / "run").answered_ids()) == 6


def test_a_session_that_is_stopped_by_an_error_keeps_what_came(tmp_path: Path) -> None:
    """Here the key runs out after the fifth question."""

    def reply(question: str, _before: int) -> Said:
        return error(401, "invalid_api_key", "Revoked.") if question == "Question 5?" else completion()

    with chat_server(reply) as server, pytest.raises(RunError, match="Revoked"):
        held(session(server.base_url, tmp_path, concurrency=1))

    run = Run.open(tmp_path / "run")
    assert run.answered_ids() == {f"Made/{number}" for number in range(5)}
    assert run.about["sessions"][0]["asked"] == 5
    assert run.about["sessions"][0]["ended"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"num": 11}, r"the data \(sha256\) .{64}, now .{64}\. Another run"),
        ({"model": "other"}, "the model some-model, now other; the server's id some-model, now other"),
        ({"settings": PLAIN}, r"the setting repetition_penalty 1\.2, now None\. Another run"),
    ],
)
def test_a_run_does_not_go_on_with_anything_else(tmp_path: Path, changed: dict[str, Any], problem: str) -> None:
    """What differs is named, and nothing is asked."""
    with chat_server(cards=[CARD, {"id": "other"}]) as server:
        held(session(server.base_url, tmp_path, model=MODEL, limit=2))
        with pytest.raises(RunError, match=problem):
            held(session(server.base_url, tmp_path, **{"model": MODEL, **changed}))

    assert server.asked.total() == 2


def test_a_run_does_not_go_on_with_other_weights_of_the_same_name(tmp_path: Path) -> None:
    """The digest tells them apart."""
    with chat_server(cards=[{**CARD, "digest": "sha256:5", "created": 1}]) as server:
        held(session(server.base_url, tmp_path, limit=2))

    with (
        chat_server(cards=[{**CARD, "digest": "sha256:6", "created": 1}]) as other,
        pytest.raises(RunError, match="the server's digest sha256:5, now sha256:6"),
    ):
        held(session(other.base_url, tmp_path))

    assert other.asked.total() == 0


def test_a_run_goes_on_with_the_same_server_elsewhere(tmp_path: Path) -> None:
    """Started anew on another port, with other limits: the address on record is the last one."""
    with chat_server(cards=[{**CARD, "created": 1, "max_images_per_request": 6}]) as server:
        held(session(server.base_url, tmp_path, limit=2))
    with chat_server(cards=[{**CARD, "created": 2, "max_images_per_request": 7}]) as other:
        held(session(other.base_url, tmp_path, concurrency=2))

    about = Run.open(tmp_path / "run").about
    assert (server.asked.total(), other.asked.total()) == (2, 8)
    assert (about["base_url"], about["concurrency"]) == (other.base_url, 2)


def test_a_run_goes_on_with_data_that_have_moved(tmp_path: Path) -> None:
    """The place on record is the one where they lie now: judge and compare read them there."""
    with chat_server() as server:
        held(session(server.base_url, tmp_path, limit=2))
        held(session(server.base_url, tmp_path, path=tmp_path / "moved.json"))

    assert Run.open(tmp_path / "run").about["data"]["path"] == str(tmp_path / "moved.json")


@pytest.mark.parametrize(
    ("then", "problem"),
    [
        ({"repetition_penalty": 1.2, "max_tokens": 256, "seed": 42}, "temperature None, now 0.2"),
        ({**asdict(PAPER), "top_p": 0.5}, "top_p 0.5, now None"),
    ],
)
def test_a_run_does_not_go_on_where_only_one_version_has_a_setting(
    tmp_path: Path, then: dict[str, Any], problem: str
) -> None:
    """Neither one that was not sent then, nor one that is not sent now."""
    with chat_server() as server:
        held(session(server.base_url, tmp_path, limit=2))
        run = Run.open(tmp_path / "run")
        run.rewrite({**run.about, "settings": then})
        with pytest.raises(RunError, match=f"the setting {problem}"):
            held(session(server.base_url, tmp_path))

    assert server.asked.total() == 2


def test_a_session_that_is_cancelled_while_the_data_are_checked_ends_at_once(tmp_path: Path) -> None:
    """The check is in a thread, which would be waited for to its end."""
    reading, num_read, num = threading.Event(), 0, 10_000_000

    def read(_path: Path) -> Iterator[Item]:
        nonlocal num_read
        for number in range(num):
            num_read += 1
            reading.set()
            yield item(number)

    async def cancelled() -> None:
        holding = asyncio.create_task(session("http://127.0.0.1:1/v1", tmp_path, read=read).hold())
        await asyncio.to_thread(reading.wait)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding

    asyncio.run(cancelled())

    assert 0 < num_read < num


def test_two_sessions_of_one_run_at_once_are_refused(tmp_path: Path) -> None:
    """By the second one; it asks nothing."""
    with chat_server() as server:
        held(session(server.base_url, tmp_path, limit=2))
        with Run.open(tmp_path / "run"), pytest.raises(RunError, match="another process"):
            held(session(server.base_url, tmp_path))

    assert server.asked.total() == 2


def test_our_own_server_answers_a_run(tmp_path: Path) -> None:
    """The paper's settings reach the engine with the pictures, and what the server says of itself goes on record."""
    picture = (golden.IMAGES / sorted(file.name for file in golden.IMAGES.iterdir())[0]).read_bytes()
    engine = scripted_engine(Completion(text="B. No"))

    with served(engine) as server:
        num_failed = held(
            session(f"{server.base_url}/v1", tmp_path, 6, read=reader(6, lambda number: item(number, picture)))
        )

    run = Run.open(tmp_path / "run")
    answers = list(run.answers())
    assert num_failed == 0
    assert [answer.text for answer in answers] == ["B. No"] * 6
    assert {answer.finish_reason for answer in answers} == {"stop"}
    assert all(answer.prompt_tokens and answer.prompt_tokens > 576 for answer in answers)
    sampling = engine.generations[-1].sampling
    assert (sampling.temperature, sampling.repetition_penalty) == (0.2, 1.2)
    assert (sampling.max_tokens, sampling.seed) == (256, 42)
    assert run.about["model"] == SERVED_MODEL
    assert run.about["server"]["digest"] == DIGEST
    assert run.about["server"]["preparation"] == PREPARATION_VERSION
    assert run.about["server"]["versions"] == {"huatuo_server": __version__}


def test_a_picture_that_our_own_server_cannot_read_fails_alone(tmp_path: Path) -> None:
    """With its code; the others have their answers."""

    def made(number: int) -> Any:
        return item(number, PNG) if number == 2 else item(number)

    with served() as server:
        num_failed = held(session(f"{server.base_url}/v1", tmp_path, 5, read=reader(5, made)))

    failed = [answer for answer in Run.open(tmp_path / "run").answers() if answer.error]
    assert num_failed == 1
    assert [(answer.id, answer.error and answer.error.code) for answer in failed] == [("Made/2", "invalid_image")]


def test_our_own_server_is_waited_for_while_it_is_full(tmp_path: Path) -> None:
    """Its 429s are no failures, whenever they come; more questions are in flight than it lets wait."""
    engine = scripted_engine(Completion(text="A", delay_s=0.25), max_num_seqs=1)

    with served(engine, max_waiting=1) as server:
        num_failed = held(session(f"{server.base_url}/v1", tmp_path, 3, concurrency=3))
        num_refused = server.metric("hgv_rejections_total", reason="queue_full")

    assert num_failed == 0
    assert len(Run.open(tmp_path / "run").answered_ids()) == 3
    assert num_refused > 0
