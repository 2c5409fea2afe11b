"""When a question is asked again: as long as the server says, and never sooner."""

from __future__ import annotations

import asyncio
from itertools import count

import httpx2
import openai
import pytest

from huatuo_client import HuatuoClient, Question, Retrying, errors
from huatuo_client.retrying import FIRST_WAIT_S, LONGEST_WAIT_S, Trial
from huatuo_server.engine.scripted import Completion
from tests.clients.answers import TEXT, Keys
from tests.service.served import scripted_engine, served

BUSY = errors.ServerBusy("Busy.", status=429, retry_after_s=3.0)


def waits(retrying: Retrying, error: errors.HuatuoError) -> list[float]:
    """How long it waits each time until it gives up, at most twenty times."""
    trial, found = Trial(retrying), []
    for _ in range(20):
        try:
            found.append(trial.wait_s(error))
        except type(error):
            break
    return found


def test_what_the_server_asks_for_is_obeyed_while_patience_lasts() -> None:
    """Never sooner, hardly later, and more often than there are retries."""
    found = waits(Retrying(max_retries=1, patience_s=20.0), BUSY)

    assert all(3.0 <= one <= 3.3 for one in found)
    assert len(found) == 6


def test_a_wait_beyond_patience_is_not_begun() -> None:
    """Who would have to wait too long hears so at once."""
    assert waits(Retrying(patience_s=2.0), BUSY) == []


def test_other_trouble_is_tried_again_with_growing_waits() -> None:
    """Half a second, one, two ... up to a bound, as often as there are retries."""
    found = waits(Retrying(max_retries=7), errors.Unreachable("Gone."))

    bounds = [min(FIRST_WAIT_S * 2**one, LONGEST_WAIT_S) for one in range(7)]
    assert len(found) == 7
    assert all(0.75 * bound <= one <= bound for one, bound in zip(found, bounds, strict=True))


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidImage("No image.", status=400),
        errors.Unauthorized("No key.", status=401),
        errors.BodyTooLarge("Too large.", status=413),
        errors.TimedOut("Silent."),
        errors.AnswerBroken("Broken."),
        errors.UnreadableImage("Gone."),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_would_fail_again_is_asked_once(error: errors.HuatuoError) -> None:
    """And so is what the server may still be at work on."""
    assert waits(Retrying(), error) == []


def test_a_busy_server_is_asked_again_when_it_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Over a real socket: a key with one question at a time answers all of them, one after another."""
    keys = Keys(tmp_path_factory.mktemp("keys"))
    secret = keys.add(max_concurrent=1)
    with served(scripted_engine(Completion(text=TEXT, delay_s=0.02)), keys_file=keys.path) as server:
        client = HuatuoClient(server.base_url, api_key=secret, retrying=Retrying(max_retries=0, patience_s=60))
        outcomes = list(client.map([Question("What is this?")] * 4, concurrency=4))
        refused = server.outcomes()["rate_limit_exceeded"]

    assert [one.error for one in outcomes] == [None] * 4
    assert refused >= 3


def test_a_server_that_starts_is_waited_for() -> None:
    """503 and `Retry-After`, until it answers."""
    with served(scripted_engine(Completion(text=TEXT), start_delay_s=1.0), ready=False) as server:
        assert HuatuoClient(server.base_url).ask("What is this?").text == TEXT


def test_a_stop_ends_the_wait() -> None:
    """What waits to be asked again is in flight nowhere: it fails with what the server said last."""
    attempts = count()

    async def busy() -> None:
        next(attempts)
        request = httpx2.Request("POST", "http://127.0.0.1/")
        response = httpx2.Response(429, headers={"retry-after": "50"}, request=request)
        raise openai.RateLimitError("busy", response=response, body={"code": "server_busy", "message": "Busy."})

    async def stopped() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.05, stop.set)
        with pytest.raises(errors.ServerBusy):
            await Retrying().acall(busy, stop)

    asyncio.run(stopped())

    assert next(attempts) == 1
