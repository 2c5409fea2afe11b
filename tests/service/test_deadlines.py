"""A request's time: told as a status until the answer has begun, as an event afterwards, and nothing runs on."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator

import pytest

from huatuo_server.engine.scripted import Completion
from tests.service.served import Served, ask, scripted_engine, served
from tests.service.supervised import until

SLOW = Completion(text="word " * 200, delay_s=0.02)
SILENT = Completion(text="word", hang_after=0)


def events(text: str) -> list[str]:
    return [line.removeprefix("data: ") for line in text.split("\n\n") if line]


def test_an_answer_that_takes_too_long_is_a_504_and_is_aborted() -> None:
    """Within the time that the client gave, with slack; the figure is printed."""
    with served(scripted_engine(SILENT)) as server:
        began = time.monotonic()
        refused = server.post(ask(), headers={"X-Request-Timeout": "0.3"})
        took = time.monotonic() - began
        aborted = server.engine.aborts.get(timeout=10)

    print(f"a deadline of 0.3 s was told after {took:.2f} s")
    assert refused.status_code == 504
    assert refused.json()["error"]["code"] == "deadline_exceeded"
    assert aborted
    assert 0.3 <= took < 3


def test_a_stream_whose_time_is_over_ends_in_an_error_event_without_done() -> None:
    """What had been said stays, and nobody takes it for the whole."""
    with served(scripted_engine(SLOW)) as server:
        answer = server.post(ask(stream=True), headers={"X-Request-Timeout": "0.5"})
        outcomes = server.outcomes()
        aborted = server.engine.aborts.get(timeout=10)

    *chunks, last = events(answer.text)
    assert answer.status_code == 200
    assert any(json.loads(chunk)["choices"][0]["delta"].get("content") for chunk in chunks)
    assert json.loads(last)["error"]["code"] == "deadline_exceeded"
    assert "[DONE]" not in answer.text
    assert outcomes == {"deadline_exceeded": 1}
    assert aborted


def test_the_servers_own_limit_holds_whatever_the_client_asks_for() -> None:
    """A header can shorten it and not lengthen it."""
    with served(scripted_engine(SILENT), request_timeout_s=0.3) as server:
        statuses = [server.post(ask(), headers=headers).status_code for headers in ({}, {"X-Request-Timeout": "3600"})]

    assert statuses == [504, 504]


@pytest.fixture(scope="module")
def patient() -> Iterator[Served]:
    """One with the limits that it has by default."""
    with served() as running:
        yield running


@pytest.mark.parametrize("value", ["", "soon", "0", "-1", "nan", "inf", "1e999", "5 s", "٣" * 400])
def test_a_time_that_is_none_is_a_400(patient: Served, value: str) -> None:
    """Told with the header's name, and not with what it held."""
    refused = patient.post(ask(), headers={"X-Request-Timeout": value.encode()})

    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "X-Request-Timeout"


def test_who_waits_for_the_engine_is_told_when_the_time_is_over_and_never_runs() -> None:
    """Queued behind one that hangs: 504, and the engine saw the first alone."""
    with served(scripted_engine(SILENT, max_num_seqs=1)) as server:
        hanging = threading.Thread(target=lambda: server.post(ask(), headers={"X-Request-Timeout": "2"}))
        hanging.start()
        until(lambda: len(asked(server)) == 1)
        refused = server.post(ask(), headers={"X-Request-Timeout": "0.3"})
        num_generations = len(asked(server))
        hanging.join()

    assert refused.status_code == 504
    assert num_generations == 1


def asked(server: Served) -> list[str]:
    """Of clients' requests, those that reached the engine."""
    return [one.request_id for one in server.engine.generations if not one.request_id.startswith(("warm", "canary"))]


def test_a_body_that_comes_too_slowly_is_a_408() -> None:
    """The limit is on the whole body, so that a byte now and then does not help."""
    with served(body_timeout_s=0.4) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.putrequest("POST", "/v1/chat/completions")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"{")
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]
        outcomes = server.outcomes()

    assert answer.status == 408
    assert error["code"] == "upload_timeout"
    assert outcomes == {"upload_timeout": 1}
