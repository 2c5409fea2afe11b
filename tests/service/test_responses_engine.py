"""`POST /v1/responses` on the real engine: golden cases in its form give the reference's answers, and schemas hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests import golden
from tests.service.asking import as_printed, messages
from tests.service.real import MODEL, RealServer

pytestmark = pytest.mark.slow


def item(message: dict[str, Any]) -> dict[str, Any]:
    """A chat message as an item."""
    if isinstance(message["content"], str):
        return message
    parts = [
        {"type": "input_text", "text": part["text"]}
        if part["type"] == "text"
        else {"type": "input_image", "image_url": part["image_url"]["url"]}
        for part in message["content"]
    ]
    return {**message, "content": parts}


@pytest.mark.parametrize("case", [golden.cases()[index] for index in (1, 17, 34)], ids=lambda case: case.name)
def test_a_golden_case_is_answered_as_the_reference_does(real_server: RealServer, case: golden.Case) -> None:
    """Whole and streamed, with as many tokens."""
    fields: dict[str, Any] = {
        "model": MODEL,
        "input": [item(message) for message in messages(case)],
        "temperature": 0,
        "max_output_tokens": case.max_tokens,
        "extra_body": {"repetition_penalty": case.penalty},
    }

    whole = real_server.client.responses.create(**fields)
    *_, last = real_server.client.responses.create(**fields, stream=True)

    assert whole.usage is not None
    assert whole.usage.output_tokens == len(case.output_ids)
    assert as_printed(case, whole.output_text) == case.answer
    assert whole.status == {"stop": "completed", "length": "incomplete"}[case.finish_reason]
    assert last.response.output_text == whole.output_text


def test_a_schema_holds(real_server: RealServer) -> None:
    """Whatever the model would say."""
    schema = {"type": "object", "properties": {"side": {"enum": ["left", "right"]}}, "required": ["side"]}
    told: Any = {"format": {"type": "json_schema", "name": "finding", "schema": schema, "strict": True}}

    answer = real_server.client.responses.create(model=MODEL, input="Which side?", text=told)

    assert json.loads(answer.output_text)["side"] in ("left", "right")
