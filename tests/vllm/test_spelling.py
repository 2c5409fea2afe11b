"""Answers whose text is given: spelled as the tokenizer spells it where it can, and right where it cannot."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed")

import llguidance
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask
from vllm.tokenizers import get_tokenizer

from huatuo_vllm.spelling import spelled
from tests import golden

BLANK = "\u2581"
"""As sentencepiece writes one."""

PIECES = [
    BLANK, "<unk>", "<|endoftext|>", "<|im_start|>", "<|System|>", "</s>", "<0x0A>", "<", "|>", " ", "  ", "\n", "\xa0",
    "a", "T2", "FLAIR", "\u6b63\u5e38", "\U0001f642", "\xe9",
]  # fmt: skip


@pytest.fixture(scope="module")
def theirs() -> Any:
    """As vLLM builds it."""
    tokenizer = get_tokenizer(str(golden.CHECKPOINT))
    return from_tokenizer(tokenizer, len(tokenizer))


@pytest.fixture(scope="module")
def ours(theirs: Any) -> Any:
    return spelled(theirs)


def answered(tokenizer: Any, grammar: str, chance: random.Random) -> tuple[list[int], bytes]:
    """An answer by a model that knows nothing: any token that is allowed, up to the end."""
    matcher = LLMatcher(tokenizer, grammar, log_level=0)
    mask = allocate_token_bitmask(1, tokenizer.vocab_size)
    ids: list[int] = []
    while True:
        fill_next_token_bitmask(matcher, mask, 0)
        assert not matcher.is_error()
        allowed = ((mask[0][:, None] >> torch.arange(32)) & 1).flatten().nonzero().flatten().tolist()
        token_id = chance.choice(allowed)
        if token_id == tokenizer.eos_token:
            return ids, tokenizer.decode_bytes(ids)
        ids.append(token_id)
        assert matcher.consume_tokens([token_id])


def texts() -> list[str]:
    chance = random.Random(7)
    return PIECES + ["".join(chance.choices(PIECES, k=chance.randint(2, 5))) for _ in range(100)]


def test_a_choice_is_answered_whatever_it_spells(ours: Any) -> None:
    """A sentencepiece blank and the names of special tokens are text like any other."""
    chance = random.Random(1)
    for text in texts():
        choices = [text, *chance.choices(PIECES, k=2)]

        _, answer = answered(ours, llguidance.grammar_from("choice", json.dumps(choices)), chance)

        assert answer.decode() in choices


def test_a_name_and_a_value_of_a_document_are_what_the_schema_says(ours: Any) -> None:
    """The names of required properties leave no choice either."""
    chance = random.Random(2)
    for text in texts():
        schema = {
            "type": "object", "properties": {text: {"enum": [text, "a"]}}, "required": [text],
            "additionalProperties": False,
        }  # fmt: skip
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), defaults={"whitespace_flexible": False})

        _, answer = answered(ours, grammar, chance)

        assert json.loads(answer) in ({text: text}, {text: "a"})


def test_what_was_spelled_right_is_spelled_as_before(theirs: Any, ours: Any) -> None:
    """The tokens that the model knows a word by, and no others."""
    for text in ("Yes", "No acute finding.", "T2 FLAIR", "\u6b63\u5e38 \U0001f642", '{"finding":"none"}\n'):
        grammar = llguidance.grammar_from("choice", json.dumps([text]))

        ids, _ = answered(ours, grammar, random.Random(3))

        assert ids == answered(theirs, grammar, random.Random(3))[0] == theirs.tokenize_str(text)


def test_every_token_is_what_it_was(theirs: Any, ours: Any) -> None:
    """Its bytes, whether it is special, and which ends an answer."""
    ids = range(theirs.vocab_size)

    assert [ours.decode_bytes([one]) for one in ids] == [theirs.decode_bytes([one]) for one in ids]
    assert [ours.is_special_token(one) for one in ids] == [theirs.is_special_token(one) for one in ids]
    assert (ours.vocab_size, ours.eos_tokens) == (theirs.vocab_size, theirs.eos_tokens)
