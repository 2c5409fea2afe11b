"""Requests made by schemathesis from `/openapi.json`: those that the document allows, and those that it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import Case as AnyCase
from schemathesis import GenerationMode

from drills.http import CHAT, CHOICES, RESPONSES
from drills.question import part, picture

ANSWER_TOKENS = 8

NUM_IDS = 999
"""Every vocabulary has that many tokens."""

LOGPROBS = "message.output_text.logprobs"

ASKING = frozenset({CHAT, CHOICES, RESPONSES})
"""Paths behind which the engine is."""

Case = AnyCase[Any]
Fields = dict[str, Any]
Parts = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Poison:
    """One request, ready to be sent, and what it is: the operation and how it was made."""

    made: str
    request: requests.PreparedRequest


NUM_CHAT = {GenerationMode.POSITIVE: 300, GenerationMode.NEGATIVE: 150}
NUM_OTHERS = {GenerationMode.POSITIVE: 60, GenerationMode.NEGATIVE: 60}
"""For each operation, before doubles are left out. What the document does not allow takes longer to make."""


def made(url: str, model: str, number: int) -> list[Poison]:
    """No request twice. number: of the random sequence."""
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    found: dict[tuple[Any, ...], Poison] = {}
    for operation in _operations(schema):
        chat = operation.path == CHAT
        for kind, case in _cases(operation, NUM_CHAT if chat else NUM_OTHERS, number):
            for how, one in _variants(case, model) if operation.path in ASKING else [("", case)]:
                request = _prepared(one, url)
                if request is not None:
                    name = " ".join(filter(None, (operation.method.upper(), operation.path, kind, how)))
                    found.setdefault((request.method, request.url, request.body), Poison(name, request))
    return list(found.values())


def _operations(schema: Any) -> list[Any]:
    """Raises where the document describes an operation in a way that nothing can be made of."""
    found = [result.ok() for result in schema.get_all_operations()]
    empty = [one.path for one in found if "requestBody" in one.definition.raw and not one.body]
    assert not empty, f"the document's references for the bodies of {empty} lead nowhere"
    return found


def _cases(operation: Any, nums: Mapping[GenerationMode, int], number: int) -> Iterator[tuple[str, Case]]:
    for mode, num in nums.items():
        # Any text is allowed in a path: nothing but a body or a query can be wrong.
        if mode is GenerationMode.POSITIVE or operation.body or operation.query:
            for case in _drawn(operation.as_strategy(generation_mode=mode), num, number):
                yield mode.value, case


def _drawn(strategy: SearchStrategy[Case], num: int, number: int) -> list[Case]:
    found: list[Case] = []

    @seed(number)
    @settings(
        max_examples=num,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(case: Case) -> None:
        found.append(case)

    draw()
    return found


def _variants(case: Case, model: str) -> Iterator[tuple[str, Case]]:
    """As it is, and as near to an answer as it gets while most of what is odd in it stays."""
    yield "", case
    if isinstance(case.body, dict):
        for how, images in (("mended", []), ("mended, with an image", [part(picture("tiny_5x7.png"))])):
            mended = case.derive()
            usual = _usual(case.body)
            mended.body = {**usual, "model": model, **MENDED[case.operation.path](usual, images)}
            yield how, mended


def _usual(body: Fields) -> Fields:
    """Without what the document allows and the server does not: whole numbers with a point, ids beyond the vocabulary,
    more tokens at least than at most.
    """
    usual = {name: value if name in ("messages", "input") else _whole(value) for name, value in body.items()}
    for name, most in (("min_tokens", ANSWER_TOKENS), ("top_k", NUM_IDS), ("stop_token_ids", NUM_IDS)):
        usual |= {name: _at_most(most, usual[name])} if name in usual else {}
    if isinstance(usual.get("logit_bias"), dict):
        usual["logit_bias"] = {key[: len(str(NUM_IDS))]: bias for key, bias in usual["logit_bias"].items()}
    return usual


def _whole(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _at_most(most: int, value: Any) -> Any:
    if isinstance(value, list):
        return [_at_most(most, one) for one in value]
    return min(most, value) if isinstance(value, int) else value


def _mended_chat(body: Fields, images: Parts) -> Fields:
    """A question at the end, few tokens: random fields seldom make a conversation that has one."""
    few: Fields = {"max_tokens": ANSWER_TOKENS, "max_completion_tokens": None, "n": None}
    if body.get("top_logprobs") is not None:
        few["logprobs"] = True
    wanted = body.get("structured_outputs")
    if isinstance(wanted, dict) and all(wanted.get(name) is None for name in ("choice", "json")):
        few["structured_outputs"] = None
    return {**few, "messages": _talk(body, images)}


def _mended_choices(body: Fields, images: Parts) -> Fields:
    return {"messages": _talk(body, images), "choices": ["yes", "no"]}


def _mended_responses(body: Fields, images: Parts) -> Fields:
    pictures = [{"type": "input_image", "image_url": image["image_url"]["url"]} for image in images]
    content = [*pictures, {"type": "input_text", "text": "And now?"}]
    told = {} if body.get("top_logprobs") is None else {"include": [LOGPROBS]}
    return {**told, "input": [{"role": "user", "content": content}], "max_output_tokens": ANSWER_TOKENS}


def _talk(body: Fields, images: Parts) -> list[Any]:
    talk = [one for one in body["messages"] if _is_question(one)] if isinstance(body.get("messages"), list) else []
    return [*talk, {"role": "user", "content": [*images, {"type": "text", "text": "And now?"}]}]


def _is_question(message: Any) -> bool:
    return isinstance(message, dict) and message.get("role") == "user" and isinstance(message.get("content"), str)


MENDED: dict[str, Callable[[Fields, Parts], Fields]] = {
    CHAT: _mended_chat,
    CHOICES: _mended_choices,
    RESPONSES: _mended_responses,
}


def _prepared(case: Case, url: str) -> requests.PreparedRequest | None:
    """None where no client could send it: a header or an address that HTTP has no way to write."""
    try:
        kwargs = case.as_transport_kwargs(base_url=url)
        # A client that gives too little time gets the 504 that it asks for.
        kwargs["headers"].pop("X-Request-Timeout", None)
        return requests.Request(**{name: kwargs[name] for name in kwargs.keys() & REQUEST_FIELDS}).prepare()
    except (requests.RequestException, ValueError):
        return None


REQUEST_FIELDS = frozenset({"method", "url", "headers", "params", "cookies", "data", "json", "files"})
