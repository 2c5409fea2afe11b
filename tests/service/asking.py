"""Golden cases as requests to a server, and what must come back."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai

from tests import golden


def image_part(name: str) -> dict[str, Any]:
    """A content part with one of the golden pictures."""
    encoded = base64.b64encode((golden.IMAGES / name).read_bytes()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}


def messages(case: golden.Case) -> list[dict[str, Any]]:
    """The case as a conversation; its images stand in the first turn, as the reference's do."""
    texts = [turn.text for turn in case.history] + [case.text]
    turns: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        parts: list[dict[str, Any]] = [image_part(name) for name in case.images] if number == 0 else []
        turns.append({"role": "user", "content": [*parts, {"type": "text", "text": text}]})
        if number < len(case.history):
            turns.append({"role": "assistant", "content": case.history[number].answer})
    return turns


def fields(case: golden.Case, model: str) -> dict[str, Any]:
    """The case as `chat.completions.create` arguments: greedy, with its penalty, token ids returned."""
    return {
        "model": model,
        "messages": messages(case),
        "temperature": 0,
        "max_tokens": case.max_tokens,
        "extra_body": {"repetition_penalty": case.penalty, "return_token_ids": True},
    }


def as_printed(case: golden.Case, content: str) -> str:
    """The reference's `inference` strips what it prints, its `chat` does not; the service never does."""
    return content.strip() if case.raw["kind"] == "inference" else content


def check(client: openai.OpenAI, case: golden.Case, model: str) -> None:
    """One request, not streamed: prompt ids, answer ids, text, ending and counts are the reference's."""
    completion = client.chat.completions.create(**fields(case, model))
    choice = completion.choices[0]
    extra, choice_extra = completion.model_extra or {}, choice.model_extra or {}
    assert tuple(extra["prompt_token_ids"]) == case.input_ids, case.name
    assert tuple(choice_extra["token_ids"]) == case.output_ids, case.name
    assert choice.message.content is not None
    assert as_printed(case, choice.message.content) == case.answer, case.name
    assert choice.finish_reason == case.finish_reason, case.name
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == len(case.input_ids) + 575 * len(case.images)
    assert completion.usage.completion_tokens == len(case.output_ids)


def check_concurrently(client: openai.OpenAI, cases: tuple[golden.Case, ...], model: str, at_once: int) -> None:
    """The same for many cases, `at_once` in flight; the first that differs fails the test."""
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda case: check(client, case, model), cases))


def check_streamed(client: openai.OpenAI, case: golden.Case, model: str) -> None:
    """One streamed request: the pieces join to the reference's answer, ids and text."""
    chunks = list(
        client.chat.completions.create(**fields(case, model), stream=True, stream_options={"include_usage": True})
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    ids = [token_id for choice in choices for token_id in (choice.model_extra or {}).get("token_ids") or ()]
    assert tuple(ids) == case.output_ids, case.name
    assert as_printed(case, "".join(choice.delta.content or "" for choice in choices)) == case.answer, case.name
    assert choices[0].delta.role == "assistant"
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == [case.finish_reason]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == len(case.output_ids)
