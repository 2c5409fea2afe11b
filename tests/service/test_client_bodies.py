"""Requests as chat programs write them: each is answered, and told which of its fields changed nothing.

The bodies are written after the programs' sources; their own libraries are in tests/clients.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from huatuo_server.engine.scripted import Completion
from tests.service.served import MODEL, Served, image_part, scripted_engine, served

ANSWER = "No fracture is seen."
SCAN = image_part("ct_128_gray.png")
SCAN_AUTO = {"type": "image_url", "image_url": {**SCAN["image_url"], "detail": "auto"}}

Bodies = dict[str, tuple[dict[str, Any], list[str]]]
"""What is asked -> the request, and what of it changes nothing."""

OPEN_WEBUI: Bodies = {
    # backend/open_webui/routers/openai.py, utils/payload.py: params that are set, and stream_options always
    "a question": (
        {
            "stream": True,
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "You are a radiologist."},
                {"role": "user", "content": [{"type": "text", "text": "A fracture?"}, SCAN]},
            ],
            "stream_options": {"include_usage": True},
        },
        [],
    ),
    "a second question with every knob turned": (
        {
            "stream": True,
            "model": MODEL,
            "messages": [
                {"role": "user", "content": "A fracture?"},
                {"role": "assistant", "content": "No."},
                {"role": "user", "content": "Sure?"},
            ],
            "temperature": 0.8,
            "top_p": 0.9,
            "top_k": 40,
            "min_p": 0.0,
            "max_tokens": 128,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "repeat_penalty": 1.1,
            "reasoning_effort": "medium",
            "seed": 42,
            "stop": ["END"],
            "logit_bias": {"5": 10, "7": -100},
            "num_ctx": 2048,
            "stream_options": {"include_usage": True},
        },
        ["num_ctx", "reasoning_effort", "repeat_penalty"],
    ),
    # backend/open_webui/routers/tasks.py, when the request is not forwarded by its own router
    "a title for the chat": (
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": "### Task: Generate a concise title as JSON."}],
            "stream": False,
            "max_completion_tokens": 1000,
            "metadata": {"task": "title_generation", "chat_id": "c-1"},
        },
        ["metadata"],
    ),
}
LIBRECHAT: Bodies = {
    # packages/api/src/endpoints/openai/llm.ts: options of LangChain's ChatOpenAI; api/server/services/Files/images
    "a question": (
        {
            "model": MODEL,
            "temperature": 1,
            "top_p": 1,
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "user": "66c3f2a1",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [
                {"role": "system", "content": "You are a radiologist."},
                {"role": "user", "content": [{"type": "text", "text": "A fracture?"}, SCAN_AUTO]},
            ],
        },
        ["messages.1.content.1.image_url.detail", "user"],
    ),
    "an answer in the history, in parts": (
        {
            "model": MODEL,
            "stream": True,
            "n": 1,
            "max_tokens": 256,
            "stream_options": {"include_usage": True},
            "messages": [
                {"role": "user", "name": "ann", "content": [{"type": "text", "text": "A fracture?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "No."}], "tool_calls": []},
                {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
            ],
        },
        ["messages.0.name", "messages.1.tool_calls"],
    ),
    # api/app/clients/OpenAIClient.js, titleConvo
    "a title for the chat": (
        {
            "model": MODEL,
            "temperature": 0.2,
            "presence_penalty": 0,
            "frequency_penalty": 0,
            "max_tokens": 16,
            "messages": [
                {"role": "system", "content": "Please generate a concise, 5-word-or-less title."},
                {"role": "user", "content": "Title:"},
            ],
        },
        [],
    ),
}
LOBECHAT: Bodies = {
    # packages/model-runtime/src/core/openaiCompatibleFactory/index.ts
    "a question": (
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": [{"type": "text", "text": "A fracture?"}, SCAN_AUTO]}],
            "temperature": 1,
            "top_p": 1,
            "frequency_penalty": 0,
            "presence_penalty": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            "user": "u-17",
        },
        ["messages.0.content.1.image_url.detail", "user"],
    )
}
LANGCHAIN: Bodies = {
    # libs/partners/openai: with_structured_output(method="json_schema")
    "a structured answer": (
        {
            "model": MODEL,
            "messages": [{"role": "user", "content": "A fracture?"}],
            "stream": False,
            "temperature": 0.0,
            "parallel_tool_calls": False,
            "response_format": {
                "type": "json_schema",
                "json_schema": {
                    "name": "Finding",
                    "description": "What is seen.",
                    "strict": True,
                    "schema": {
                        "type": "object",
                        "title": "Finding",
                        "description": "What is seen.",
                        "properties": {
                            "organ": {"title": "Organ", "type": "string"},
                            "side": {"anyOf": [{"$ref": "#/$defs/Side"}, {"type": "null"}]},
                        },
                        "required": ["organ", "side"],
                        "additionalProperties": False,
                        "$defs": {"Side": {"enum": ["left", "right"], "title": "Side", "type": "string"}},
                    },
                },
            },
        },
        ["parallel_tool_calls", "response_format.json_schema.description"],
    )
}
BODIES = [
    pytest.param(body, ignored, id=f"{program}, {name}")
    for program, bodies in (
        ("Open WebUI", OPEN_WEBUI),
        ("LibreChat", LIBRECHAT),
        ("LobeChat", LOBECHAT),
        ("LangChain", LANGCHAIN),
    )
    for name, (body, ignored) in bodies.items()
]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One that answers every question with ANSWER."""
    with served(scripted_engine(Completion(text=ANSWER))) as running:
        yield running


def answered(text: str, *, stream: bool) -> tuple[str, list[str]]:
    """An answer's text and ignored fields, whole or streamed."""
    if not stream:
        completion = json.loads(text)
        return completion["choices"][0]["message"]["content"], completion["ignored_fields"]
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert events[-1] == "[DONE]"
    chunks: list[dict[str, Any]] = [json.loads(event) for event in events[:-1]]
    deltas = [choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]]
    (ignored,) = [chunk["ignored_fields"] for chunk in chunks if "ignored_fields" in chunk]
    return "".join(deltas), ignored


@pytest.mark.parametrize(("body", "ignored"), BODIES)
def test_a_chat_programs_request_is_answered(server: Served, body: dict[str, Any], ignored: list[str]) -> None:
    """And it is told, by their paths, which fields changed nothing."""
    answer = server.post(body)

    assert answer.status_code == 200, answer.text
    assert answered(answer.text, stream=bool(body.get("stream"))) == (ANSWER, ignored)


def test_a_strict_server_answers_what_says_nothing_idle() -> None:
    """Open WebUI's plain question passes there; LibreChat's is told what to leave out."""
    with served(scripted_engine(Completion(text=ANSWER)), strict=True) as strict:
        plain = strict.post(OPEN_WEBUI["a question"][0])
        idle = strict.post(LIBRECHAT["a question"][0])

    assert (plain.status_code, idle.status_code) == (200, 400)
    assert idle.json()["error"]["param"] == "messages.1.content.1.image_url.detail"
