"""OpenAI's SDK for Python, as it is: the Responses API."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from huatuo_server.engine.scripted import Completion
from tests.clients.answers import FINDING, PNG_URL, TEXT, Finding
from tests.service.served import MODEL, Served, scripted_engine, served


def test_a_question_is_answered(text_server: Served) -> None:
    """`output_text`, and the tokens that it took."""
    answer = text_server.client.responses.create(model=MODEL, input="What is this?", instructions="Be brief.")

    assert (answer.object, answer.status, answer.output_text) == ("response", "completed", TEXT)
    assert answer.instructions == "Be brief."
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_a_picture_is_looked_at(text_server: Served) -> None:
    """As an `input_image` part."""
    parts: Any = [{"type": "input_image", "image_url": PNG_URL}, {"type": "input_text", "text": "What is this?"}]

    answer = text_server.client.responses.create(model=MODEL, input=[{"role": "user", "content": parts}])

    assert answer.output_text == TEXT
    assert answer.usage is not None
    assert answer.usage.input_tokens > 576


def test_an_answer_goes_back_as_it_came(text_server: Served) -> None:
    """Nothing is stored here: the client sends the conversation again, with the output items of the answer in it."""
    create = text_server.client.responses.create
    question: Any = {"role": "user", "content": "What is this?"}
    first = create(model=MODEL, input=[question])
    history: Any = [question, *(item.model_dump() for item in first.output), {"role": "user", "content": "Why?"}]

    second = create(model=MODEL, input=history)

    assert second.output_text == TEXT
    assert first.usage is not None
    assert second.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens - 1


def test_an_answer_streams_in_typed_events(text_server: Served) -> None:
    """From `response.created` to `response.completed`, numbered without a gap."""
    events = list(text_server.client.responses.create(model=MODEL, input="What is this?", stream=True))

    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(pieces) > 1
    assert "".join(pieces) == TEXT


def test_the_sdks_own_stream_reader_puts_the_answer_together(text_server: Served) -> None:
    """`responses.stream` checks the order of the events while it reads."""
    with text_server.client.responses.stream(model=MODEL, input="What is this?") as stream:
        done = [event.text for event in stream if event.type == "response.output_text.done"]
        final = stream.get_final_response()

    assert done == [TEXT]
    assert final.output_text == TEXT
    assert final.status == "completed"


def test_a_schema_becomes_a_value(json_server: Served) -> None:
    """`responses.parse` and `responses.stream` with a pydantic class."""
    client = json_server.client
    whole = client.responses.parse(model=MODEL, input="What is this?", text_format=Finding)
    with client.responses.stream(model=MODEL, input="What is this?", text_format=Finding) as stream:
        streamed = stream.get_final_response()

    assert whole.output_parsed == FINDING
    assert streamed.output_parsed == FINDING


def test_an_answer_that_ends_early_says_why(text_server: Served) -> None:
    """`incomplete`, for want of tokens."""
    answer = text_server.client.responses.create(model=MODEL, input="What is this?", max_output_tokens=16)
    cut = text_server.client.responses.create(model=MODEL, input="What is this?", max_output_tokens=3)

    assert {answer.status, cut.status} <= {"completed", "incomplete"}
    assert cut.status == "incomplete"
    assert cut.incomplete_details is not None
    assert cut.incomplete_details.reason == "max_output_tokens"


def test_a_stored_answer_cannot_be_continued(text_server: Served) -> None:
    """Nothing is kept, so a `previous_response_id` is refused by its name."""
    with pytest.raises(openai.BadRequestError) as caught:
        text_server.client.responses.create(model=MODEL, input="And?", previous_response_id="resp_1")

    assert caught.value.param == "previous_response_id"


def test_a_stream_that_fails_says_so() -> None:
    """The last event has the failure; the SDK gives it as it gives OpenAI's."""
    with served(scripted_engine(Completion(text=TEXT, fail_after=5))) as server:
        events = list(server.client.responses.create(model=MODEL, input="What is this?", stream=True))

    assert events[-1].type in {"response.failed", "error"}
    assert not any(event.type == "response.completed" for event in events)
