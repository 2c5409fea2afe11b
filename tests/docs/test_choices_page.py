"""docs/choices.md is what the endpoint takes and gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.protocol.choices_request import (
    MAX_CHOICE_CHARS,
    MAX_CHOICES,
    MIN_CHOICES,
    OTHER_ANSWERS,
    ChoicesRequestShape,
)
from huatuo_server.protocol.choices_response import ChatChoices, ChoiceToken, WeighedChoice
from huatuo_server.protocol.unsupported import REQUEST_FIELDS
from huatuo_server.responses.choices import NOTE
from huatuo_server.scoring import AT_ONCE, MAX_TOKENS, softmax
from tests.docs.markdown import ROOT, code_words, section, table

PAGE = ROOT / "docs" / "choices.md"


def paragraph(heading: str, beginning: str) -> str:
    return next(one for one in section(PAGE, heading).split("\n\n") if one.startswith(beginning))


def example() -> dict[str, Any]:
    text = section(PAGE, "Answer")
    found: dict[str, Any] = json.loads(text[text.index("```json\n") + 8 : text.rindex("```")])
    return found


def test_the_request_fields_are_the_shapes() -> None:
    """And their bounds are the code's."""
    rows = {row[0]: row[1] for row in table(PAGE, "Request")}

    assert rows.keys() == ChoicesRequestShape.model_fields.keys()
    for number in (MIN_CHOICES, MAX_CHOICES, f"{MAX_CHOICE_CHARS:,}", f"{MAX_TOKENS:,}"):
        assert str(number) in rows["choices"]
    assert AT_ONCE == 8
    assert "up to eight" in section(PAGE, "What it costs")


def test_every_field_of_a_chat_stands_on_the_page() -> None:
    """As one that changes nothing, or as one that is refused; no list holds a field that is neither."""
    changes_nothing = code_words(paragraph("Request", "The log-probabilities are raw")) & set(
        ChatRequestShape.model_fields
    )
    refused = code_words(paragraph("Request", "What asks for another"))

    assert refused == set(OTHER_ANSWERS)
    assert changes_nothing | refused | set(REQUEST_FIELDS) >= set(ChatRequestShape.model_fields) - {"model", "messages"}
    assert not changes_nothing & (refused | set(REQUEST_FIELDS))


def test_the_example_is_an_answer() -> None:
    """With the fields, the sentence and the arithmetic of a real one."""
    answer = example()

    assert answer.keys() == get_type_hints(ChatChoices).keys() - {"demo"}
    assert answer["note"] == NOTE
    assert all(choice.keys() == get_type_hints(WeighedChoice).keys() for choice in answer["choices"])
    assert all(token.keys() == get_type_hints(ChoiceToken).keys() for token in tokens(answer))
    for name, log in (("probability", "logprob_sum"), ("probability_mean", "logprob_mean")):
        shares = softmax([choice[log] for choice in answer["choices"]])
        assert [choice[name] for choice in answer["choices"]] == pytest.approx(shares, abs=0.001)
    assert answer["usage"]["completion_tokens"] == len(list(tokens(answer)))


def tokens(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (token for choice in answer["choices"] for token in choice["tokens"])


def test_every_field_of_an_answer_is_explained() -> None:
    """In the table, or as a chat's."""
    rows = {row[0] for row in table(PAGE, "Answer")}
    as_a_chats = code_words(paragraph("Answer", "`id`"))
    of_a_choice = {f"choices.N.{name}" for name in set(get_type_hints(WeighedChoice)) - {"index", "text"}}

    assert rows | as_a_chats == set(get_type_hints(ChatChoices)) - {"object"} | of_a_choice
