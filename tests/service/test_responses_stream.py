"""`POST /v1/responses` as a stream: its typed events, byte by byte, and how it ends when it does not end well."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from huatuo_server.demo.label import TRAINED
from huatuo_server.engine.scripted import Completion
from tests.service.served import MODEL, SMALLEST_CONTEXT, Served, image_part, scripted_engine, served
from tests.service.test_hangup import wait_for
from tests.service.test_responses import ANSWER, PATH, outcomes, respond

BEGIN = ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
DELTA = "response.output_text.delta"
END = ["response.output_text.done", "response.content_part.done", "response.output_item.done"]

OF_THE_SDK: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One that answers every question with ANSWER."""
    with served(scripted_engine(Completion(text=ANSWER))) as running:
        yield running


def events(body: str) -> list[dict[str, Any]]:
    """The events; asserts that each is one `event:` line and one `data:` line of the same type, numbered from 0."""
    blocks = body.split("\n\n")
    assert blocks.pop() == ""
    read = []
    for number, block in enumerate(blocks):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        read.append(event)
    return read


def streamed(server: Served, body: dict[str, Any] | None = None, **options: Any) -> list[dict[str, Any]]:
    return events(respond(server, {"stream": True, **(body or {})}, **options).text)


def text_of(sent: list[dict[str, Any]]) -> str:
    return "".join(event["delta"] for event in sent if event["type"] == DELTA)


def test_the_events_come_in_openais_order(server: Served) -> None:
    """The response, its message, its part, the text; then each of them whole; each is of one of the SDK's types."""
    sent = streamed(server)

    types = [event["type"] for event in sent]
    num_deltas = types.count(DELTA)
    assert types == [*BEGIN, *[DELTA] * num_deltas, *END, "response.completed"]
    assert num_deltas > 1
    for event in sent:
        assert OF_THE_SDK.validate_python(event).type == event["type"]


def test_a_stream_says_what_the_whole_answer_says(server: Served) -> None:
    """Delta by delta, in each event that ends a part of it, and in the last one."""
    sent = streamed(server)
    whole = respond(server, {}).json()

    *_, text, part, item, completed = sent
    assert text_of(sent) == text["text"] == part["part"]["text"] == ANSWER
    assert completed["response"]["output"] == [item["item"]]
    assert item["item"]["content"] == [part["part"]] == whole["output"][0]["content"]
    its_own = {"id", "created_at", "completed_at", "output"}
    assert {name: value for name, value in completed["response"].items() if name not in its_own} == {
        name: value for name, value in whole.items() if name not in its_own
    }


def test_the_first_events_know_no_end(server: Served) -> None:
    """Under way, with no output and no usage."""
    created, in_progress, added, *_ = streamed(server)

    assert created["response"] == in_progress["response"]
    assert (created["response"]["status"], created["response"]["output"]) == ("in_progress", [])
    assert "usage" not in created["response"]
    assert (added["item"]["status"], added["item"]["content"]) == ("in_progress", [])


def test_a_stream_has_no_done(server: Served) -> None:
    """The last event is the response's end."""
    answer = respond(server, {"stream": True})

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert "[DONE]" not in answer.text


def test_a_ceiling_that_is_reached_ends_in_incomplete(server: Served) -> None:
    """The message is incomplete too."""
    *_, item, last = streamed(server, {"max_output_tokens": 2})

    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert item["item"]["status"] == "incomplete"


def test_extensions_stand_in_the_last_event() -> None:
    """And in no other."""
    image = {"type": "input_image", "image_url": image_part("tiny_5x7.png")["image_url"]["url"]}
    asked = {"input": [{"role": "user", "content": [image]}], "max_output_tokens": 4096, "user": "u"}

    with served(scripted_engine(max_model_len=SMALLEST_CONTEXT), demo=TRAINED) as server:
        first, *_, last = streamed(server, asked)

    (told,) = last["response"]["images"]
    assert (told["format"], told["width"], told["height"]) == ("PNG", 5, 7)
    assert last["response"]["ignored_fields"] == ["user"]
    assert last["response"]["max_tokens_clamped_to"] < 4096
    assert last["response"]["demo"] == TRAINED
    assert not first["response"].keys() & {"images", "ignored_fields", "max_tokens_clamped_to", "demo"}


def test_log_probabilities_come_with_their_text(server: Served) -> None:
    """Joined they are the whole answer's."""
    sent = streamed(server, {"include": ["message.output_text.logprobs"], "top_logprobs": 1})

    joined = [one for event in sent if event["type"] == DELTA for one in event["logprobs"]]
    *_, text, _, item, _ = sent
    assert joined == text["logprobs"] == item["item"]["content"][0]["logprobs"]
    assert bytes(byte for one in joined for byte in one["bytes"]).decode() == ANSWER


@pytest.mark.parametrize("stop", ["small", "r s"])
def test_a_stop_string_is_found_across_events(server: Served, stop: str) -> None:
    """No part of it gets out, and the answer is complete."""
    sent = streamed(server, {"stop": [stop]})

    assert text_of(sent) == ANSWER.partition(stop)[0]
    assert sent[-1]["type"] == "response.completed"


def test_the_sdk_makes_a_class_of_a_streamed_answer() -> None:
    """Its own reader is content with the order of the events."""

    class Finding(BaseModel):
        side: str

    with served(scripted_engine(Completion(text='{"side": "left"}'))) as server:  # noqa: SIM117 - one is the other's
        with server.client.responses.stream(model=MODEL, input="Which side?", text_format=Finding) as stream:
            final = stream.get_final_response()

    assert final.output_parsed == Finding(side="left")


def test_a_failure_before_the_first_token_is_a_status() -> None:
    """Nothing was sent yet."""
    with served(scripted_engine(Completion(text=ANSWER, fail_after=0))) as server:
        with pytest.raises(openai.InternalServerError) as caught:
            server.client.responses.create(model=MODEL, input="hi", stream=True)
        counted = outcomes(server)

    assert (caught.value.status_code, caught.value.code) == (500, "engine_error")
    assert counted == {"engine_error": 1}


def test_a_failure_in_the_middle_is_an_error_event_and_nothing_after_it() -> None:
    """In OpenAI's form, numbered as the next one; what came so far stays."""
    with served(scripted_engine(Completion(text=ANSWER, fail_after=3))) as server:
        sent = streamed(server)
        given = list(server.client.responses.create(model=MODEL, input="hi", stream=True))
        counted = outcomes(server)

    last = sent[-1]
    assert last.keys() == {"type", "code", "message", "param", "sequence_number"}
    assert (last["type"], last["code"], last["param"]) == ("error", "engine_error", None)
    assert [event["type"] for event in sent[:-1]] == [*BEGIN, *[DELTA] * (len(sent) - 5)]
    assert given[-1].type == "error"
    assert given[-1].code == "engine_error"
    assert counted == {"engine_error": 2}


def test_a_stream_whose_time_is_over_ends_in_an_error_event() -> None:
    """And its generation is aborted."""
    slow = Completion(text="word " * 200, delay_s=0.02)

    with served(scripted_engine(slow)) as server:
        sent = streamed(server, headers={"X-Request-Timeout": "0.5"})
        aborted = server.engine.aborts.get(timeout=10)

    assert text_of(sent)
    assert (sent[-1]["type"], sent[-1]["code"]) == ("error", "deadline_exceeded")
    assert aborted


def test_hanging_up_aborts_the_generation() -> None:
    """Wherever the client leaves."""
    slow = Completion(text="word " * 200, delay_s=0.02)
    body = json.dumps({"model": MODEL, "input": "hi", "stream": True}).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: leaving\r\nContent-Length: {len(body)}\r\n\r\n"

    with served(scripted_engine(slow)) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head.encode() + body)
            received = b""
            while b"output_text.delta" not in received:
                received += connection.recv(4096)
        aborted = server.engine.aborts.get(timeout=10)
        wait_for(lambda: outcomes(server) == {"client_closed": 1})

    assert aborted.startswith("leaving-")


def test_whoever_has_the_last_event_finds_the_request_counted() -> None:
    """It is held back until the books are closed."""
    with served() as server, httpx.Client(base_url=server.base_url) as client:  # noqa: SIM117 - one is the other's
        with client.stream("POST", PATH, json={"model": MODEL, "input": "hi", "stream": True}) as answer:
            for line in answer.iter_lines():
                if line == "event: response.completed":
                    assert outcomes(server) == {"ok": 1}
                    break
            else:
                pytest.fail("the stream had no end")
