"""An answer or a failure as a JSON object, for a line of a file or of stdout."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from huatuo_client.answer import Answer, Choices
from huatuo_client.errors import HuatuoError


def of_answer(answer: Answer | Choices, *, by_schema: bool = False) -> dict[str, Any]:
    """answer: the text, or the most probable choice. value: of an answer by a schema, its JSON.

    Raises AnswerCut and AnswerBroken where there is no value though there should be.
    """
    said: dict[str, Any]
    if isinstance(answer, Choices):
        said = {"answer": answer.best.text, "choices": [asdict(one) for one in answer.choices], "note": answer.note}
    else:
        said = {"answer": answer.text, "finish_reason": answer.finish_reason}
        if by_schema:
            said["value"] = answer.value()
        if answer.max_tokens_clamped_to is not None:
            said["max_tokens_clamped_to"] = answer.max_tokens_clamped_to
    return {**said, **_about(answer)}


def _about(answer: Answer | Choices) -> dict[str, Any]:
    """Where it came from, so that it can be told years later."""
    told = {
        "model": answer.model,
        "system_fingerprint": answer.system_fingerprint,
        "request_id": answer.request_id,
        "usage": None if answer.usage is None else asdict(answer.usage),
        "images": [asdict(one) for one in answer.images],
    }
    return told if answer.demo is None else {**told, "demo": answer.demo}


def of_error(error: HuatuoError) -> dict[str, Any]:
    """What is known of a failure."""
    return {
        "code": error.code,
        "message": error.message,
        "status": getattr(error, "status", None),
        "param": getattr(error, "param", None),
        "request_id": getattr(error, "request_id", None),
    }
