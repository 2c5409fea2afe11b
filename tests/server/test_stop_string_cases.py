"""100 adversarial stop strings: the answer ends at the same character however its tokens are cut, or spelled."""

from __future__ import annotations

import dataclasses
import json
from random import Random

import pytest

from huatuo_server.answer_text import Ending, Piece
from huatuo_server.responses.token_logprobs import content_logprobs
from tests.server.random_answers import cut, pieces_of, random_cuts
from tests.server.stop_string_cases import CASES, StopCase, expected
from tests.server.vocabularies import KINDS, byte_ids, num_whole_chars_before, tokenizer_of


def test_there_are_a_hundred_cases() -> None:
    """And most of them do end an answer."""
    assert len(CASES) >= 100
    assert sum(expected(case) != case.text for case in CASES) >= 80


@pytest.mark.parametrize("spelled", ["as words", "as bytes"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_case_ends_where_it_must(kind: str, spelled: str) -> None:
    """One token at a time, all at once, and between: the same text, ids and log-probabilities."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    for case in CASES:
        token_ids = spelling(case, kind, spelled)
        ending = Ending(case.stop, case.min_tokens, num_logprobs=0)
        cuts = [
            cut(token_ids, [1] * len(token_ids), logprobs=True),
            cut(token_ids, [len(token_ids)], logprobs=True),
            *(random_cuts(token_ids, random, logprobs=True) for _ in range(2)),
        ]
        answers = [joined(pieces_of(tokenizer, deltas, ending)) for deltas in cuts]
        assert answers == [answers[0]] * len(cuts), case
        before = num_whole_chars_before(tokenizer, token_ids)
        num_safe = before[case.min_tokens] if case.min_tokens < len(token_ids) else len(case.text)
        decoded = dataclasses.replace(case, text=tokenizer.decode(token_ids))
        assert answers[0].text == expected(decoded, num_safe), case
        spelled_out = [one["bytes"] or [] for one in map(json.loads, content_logprobs(answers[0].logprobs, tokenizer))]
        assert b"".join(map(bytes, spelled_out)).startswith(answers[0].text.encode()), case


def spelling(case: StopCase, kind: str, spelled: str) -> list[int]:
    """The case's text as the tokenizer writes it, or each byte by its own token."""
    if spelled == "as words":
        return tokenizer_of(kind).encode(case.text)
    return [byte_ids(kind)[byte] for byte in case.text.encode()]


def joined(pieces: list[Piece]) -> Piece:
    """The whole answer."""
    return Piece(
        "".join(piece.text for piece in pieces),
        tuple(one for piece in pieces for one in piece.token_ids),
        pieces[-1].finish_reason,
        logprobs=tuple(one for piece in pieces for one in piece.logprobs),
    )
