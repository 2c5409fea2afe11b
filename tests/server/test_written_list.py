"""A list that was written item by item goes out as if it had been one of objects."""

from __future__ import annotations

import json
import math
from random import Random
from typing import Any

import pytest

from huatuo_server.answer_text import TokenLogprob
from huatuo_server.protocol import sse
from huatuo_server.protocol.written_list import WrittenList
from huatuo_server.responses.token_logprobs import content_logprobs
from huatuo_server.tokenizer import Tokenizer
from tests.server.vocabularies import KINDS, tokenizer_of


def test_written_lists_stand_where_they_were_put() -> None:
    """Empty or not, in several places, one of them twice; the rest is JSON as ever, whatever its texts look like."""
    words = WrittenList([b'"one"', '"医"'.encode()])
    texts = '"words":[1,2] \\" 医 \x00'

    written = sse.json_bytes({"first": words, "none": WrittenList(), "nested": [{"again": words}, texts]})

    assert json.loads(written) == {"first": ["one", "医"], "none": [], "nested": [{"again": ["one", "医"]}, texts]}
    assert written == sse.json_bytes(json.loads(written))


def test_what_is_no_json_is_still_refused() -> None:
    """Only WrittenLists are put in."""
    with pytest.raises(TypeError, match="set has no JSON"):
        sse.json_bytes({"one": {1}})


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_are_written_as_json_would_write_them(kind: str) -> None:
    """Byte for byte, for every token of a vocabulary and ids past its end, at the head of a text and elsewhere."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    for token_id in range(tokenizer.size + 2):
        at_head = random.random() < 0.5
        top = [
            (random.randrange(tokenizer.size), logprob) for logprob in (-0.0, -1e-7, -20 * random.random(), math.nan)
        ]
        one = TokenLogprob.of(token_id, -random.random(), top, at_head=at_head)
        (written,) = content_logprobs([one], tokenizer)
        expected = {
            **entry(token_id, one.logprob, tokenizer, at_head=at_head),
            "top_logprobs": [entry(*each, tokenizer, at_head=at_head) for each in top],
        }
        assert written == sse.json_bytes(expected)


def entry(token_id: int, logprob: float, tokenizer: Tokenizer, *, at_head: bool) -> dict[str, Any]:
    """OpenAI's."""
    token, said = tokenizer.token_name(token_id), tokenizer.token_bytes(token_id)
    if said is not None and at_head:
        token, said = token.removeprefix(" "), said.removeprefix(b" ")
    return {
        "token": token,
        "logprob": -9999.0 if math.isnan(logprob) else logprob,
        "bytes": None if said is None else list(said),
    }
