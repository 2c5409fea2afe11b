"""A judge that answers well, badly, late or not at all."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.judge import KEY, Judge, NoJudgement, reply_object
from benchmarks.accuracy.patience import Limits, Patience
from benchmarks.accuracy.rubric import Malformed
from benchmarks.accuracy.server_identity import client
from tests.benchmarks.accuracy.scripted_judge import MODEL, Said, Script, scripted_judge

QUESTION = "What of k7.1? <answer></answer>"
ASKED = "matches 7"
GOOD = Said('{"key_points": [3]}')
HURRY = Limits(tries=2, first_wait_s=0.0)


def read(found: Mapping[str, Any]) -> int:
    """The first key point."""
    if not found.get("key_points"):
        raise Malformed("it names no point")
    return int(found["key_points"][0])


def ask(base_url: str, limits: Limits = HURRY) -> int:
    """The question, of the judge there."""

    async def asking() -> int:
        async with client(base_url, 1, KEY) as connection:
            return await Judge(connection, MODEL, Patience(limits, any_answer=False)).ask(QUESTION, read)

    return asyncio.run(asking())


def once(first: Said) -> Script:
    """This first, then a good reply."""
    return lambda _asked, before: first if before == 0 else GOOD


def always(said: Said) -> Script:
    """This each time."""
    return lambda _asked, _before: said


@pytest.mark.parametrize(
    "reply",
    [
        '{"key_points": [3]}',
        'Here it is:\n```json\n{"key_points": [3]}\n```\nI hope that this helps.',
        '<think>{"key_points": [1, 2]} perhaps? No, {3} only.</think>{"key_points": [3]}',
    ],
)
def test_the_last_object_of_a_reply_is_the_reply(reply: str) -> None:
    """Judges reason first, and wrap what they say."""
    assert reply_object(reply) == {"key_points": [3]}


@pytest.mark.parametrize("reply", ["", "None of them.", "[3]", '{"key_points": [3', "{" * 5000, '{"a":' * 5000])
def test_a_reply_without_an_object_is_malformed(reply: str) -> None:
    """However it fails to be one."""
    with pytest.raises(Malformed):
        reply_object(reply)


def test_a_question_is_asked_at_temperature_zero_with_the_judges_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the server that was asked the benchmark stays with that server."""
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-the-judge")
    monkeypatch.setenv("JUDGE_API_KEY", "for-the-judge")
    with scripted_judge(always(GOOD)) as judge:
        found = ask(judge.base_url)

    (body,), (headers,) = judge.bodies, judge.headers
    assert found == 3
    assert headers["authorization"] == "Bearer for-the-judge"
    assert {name: body[name] for name in body if name != "messages"} == {
        "model": MODEL,
        "temperature": 0,
        "max_tokens": 4096,
    }
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert body["messages"][1]["content"] == QUESTION


def test_without_a_key_of_the_judge_none_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the other server's either."""
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-the-judge")
    monkeypatch.delenv("JUDGE_API_KEY", raising=False)
    with scripted_judge(always(GOOD)) as judge:
        ask(judge.base_url)

    assert "authorization" not in judge.headers[0]


def test_a_malformed_reply_is_asked_about_once_more() -> None:
    """The judge is told what was wrong, behind its own reply."""
    with scripted_judge(once(Said('{"key_points": []}'))) as judge:
        found = ask(judge.base_url)

    own, told = judge.bodies[1]["messages"][2:]
    assert found == 3
    assert own == {"role": "assistant", "content": '{"key_points": []}'}
    assert told["role"] == "user"
    assert "it names no point" in told["content"]


def test_three_malformed_replies_are_no_judgement() -> None:
    """There is no fourth try, and nothing is made up."""
    with scripted_judge(always(Said("Well."))) as judge, pytest.raises(NoJudgement, match="no JSON object"):
        ask(judge.base_url)

    assert judge.asked[ASKED] == 3


def test_a_full_judge_is_asked_again_when_it_says() -> None:
    """After a 429 its Retry-After counts, not our own wait, which would be too long for the limit here."""
    full = Said(status=429, headers={"Retry-After": "0"})
    with scripted_judge(once(full)) as judge:
        found = ask(judge.base_url, Limits(refusals_s=10.0, first_wait_s=20.0))

    assert found == 3
    assert judge.asked[ASKED] == 2


def test_a_judge_that_fails_is_tried_again() -> None:
    """A 500 may pass."""
    with scripted_judge(once(Said(status=500))) as judge:
        found = ask(judge.base_url)

    assert found == 3


@pytest.mark.parametrize(("status", "tries"), [(400, 1), (413, 1), (500, 2)])
def test_a_question_that_the_judge_refuses_is_no_judgement(status: int, tries: int) -> None:
    """Others may be judged: too long a one is not the end."""
    with scripted_judge(always(Said(status=status))) as judge, pytest.raises(NoJudgement, match=str(status)):
        ask(judge.base_url)

    assert judge.asked[ASKED] == tries


def test_a_judge_that_refuses_everything_ends_the_command() -> None:
    """A thousand answers must not fail one by one."""

    async def asking(base_url: str) -> None:
        async with client(base_url, 1, KEY) as connection:
            judge = Judge(connection, MODEL, Patience(Limits(failures_in_a_row=2), any_answer=False))
            with pytest.raises(NoJudgement):
                await judge.ask(QUESTION, read)
            with pytest.raises(RunError, match="2 questions in a row failed"):
                await judge.ask(QUESTION, read)

    with scripted_judge(always(Said(status=400))) as judge:
        asyncio.run(asking(judge.base_url))


@pytest.mark.parametrize("status", [401, 404])
def test_a_judge_that_will_answer_nothing_ends_the_command(status: int) -> None:
    """A wrong key or model is told at once, with the place that the key is read from."""
    with (
        scripted_judge(always(Said(status=status))) as judge,
        pytest.raises(RunError, match=f"{status}.*JUDGE_API_KEY"),
    ):
        ask(judge.base_url)

    assert judge.asked[ASKED] == 1


def test_a_dead_judge_ends_the_command() -> None:
    """Nothing answers at the address."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"

    with pytest.raises(RunError, match=address):
        ask(address)


def test_the_digest_is_of_all_that_the_reply_depends_on() -> None:
    """Another judge or another question has another one; the same has the same in any process."""

    async def digests() -> list[str]:
        async with client("http://127.0.0.1:1/v1", 1, KEY) as connection:
            patience = Patience(HURRY, any_answer=False)
            one, other = Judge(connection, MODEL, patience), Judge(connection, "other", patience)
            return [one.digest("a"), one.digest("b"), other.digest("a"), Judge(connection, MODEL, patience).digest("a")]

    one, other_question, other_judge, again = asyncio.run(digests())

    assert len({one, other_question, other_judge}) == 3
    assert again == one


def test_half_a_character_can_be_asked_about() -> None:
    """A model may end in the middle of one."""
    with scripted_judge(always(GOOD)) as judge:

        async def asking() -> int:
            async with client(judge.base_url, 1, KEY) as connection:
                return await Judge(connection, MODEL, Patience(HURRY, any_answer=False)).ask(f"{QUESTION}\ud83d", read)

        assert asyncio.run(asking()) == 3

    assert json.dumps(judge.bodies[0]["messages"][1]["content"]).endswith('\\ud83d"')
