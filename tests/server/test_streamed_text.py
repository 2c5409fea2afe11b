"""1,000 hard answers of each kind of vocabulary: however they are cut, the text is the whole text, byte for byte."""

from __future__ import annotations

import json
from random import Random

import pytest

from huatuo_server.answer_text import Ending, Piece
from huatuo_server.engine.base import TokenDelta
from huatuo_server.responses.token_logprobs import content_logprobs
from huatuo_server.tokenizer import Tokenizer
from tests.server.random_answers import pieces_of, random_answer, random_cuts
from tests.server.vocabularies import KINDS, num_whole_chars_before, tokenizer_of

NUM_ANSWERS = 1000


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_of_random_answers_does_not_depend_on_the_cuts(kind: str) -> None:
    """Streamed, at once and decoded: one text. What was streamed was never anything but its beginning."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    for _ in range(NUM_ANSWERS):
        token_ids = random_answer(kind, random)
        whole = tokenizer.decode(token_ids)
        (at_once,) = pieces_of(tokenizer, [TokenDelta(tuple(token_ids), "length")], Ending())
        pieces = pieces_of(tokenizer, random_cuts(token_ids, random), Ending())
        assert "".join(piece.text for piece in pieces) == at_once.text == whole, token_ids


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_string_that_never_comes_changes_nothing(kind: str) -> None:
    """Text that was held back for it comes out all the same."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    for _ in range(NUM_ANSWERS):
        token_ids = random_answer(kind, random)
        whole = tokenizer.decode(token_ids)
        begin = random.randrange(len(whole) + 1)
        stop = whole[begin : begin + random.randint(0, 20)] + "\ue000never"
        pieces = pieces_of(tokenizer, random_cuts(token_ids, random), Ending((stop,)))
        assert "".join(piece.text for piece in pieces) == whole, token_ids


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_nothing_in_it_can_end_is_the_same_whether_it_is_searched_or_not(kind: str) -> None:
    """Piece by piece: text, ids, ending and what was cached, of an answer that ends by itself or at its ceiling."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    for _ in range(NUM_ANSWERS):
        token_ids = random_answer(kind, random)
        *deltas, last = random_cuts(token_ids, random, logprobs=True)
        deltas = [one._replace(num_cached_tokens=random.randrange(100)) for one in deltas]
        deltas.append(last._replace(finish_reason=random.choice(("stop", "length"))))
        plain = pieces_of(tokenizer, deltas, Ending())
        searched = pieces_of(tokenizer, deltas, Ending(("\U0010fffenever",)))
        named = pieces_of(tokenizer, deltas, Ending(num_logprobs=0))
        assert plain == searched == [one._replace(logprobs=()) for one in named], token_ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_probabilities_of_random_answers_spell_their_text(kind: str) -> None:
    """Every token has one, in order, and their bytes joined are the text's; so they are of what came so far."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    for _ in range(NUM_ANSWERS):
        token_ids = random_answer(kind, random, valid=True)
        pieces = pieces_of(tokenizer, random_cuts(token_ids, random, logprobs=True), Ending(num_logprobs=0))
        assert [one.token_id for piece in pieces for one in piece.logprobs] == token_ids
        text = spelled = b""
        for piece in pieces:
            text += piece.text.encode()
            spelled += spelling(tokenizer, piece)
            assert spelled.startswith(text), token_ids
        assert spelled == text == tokenizer.decode(token_ids).encode()


@pytest.mark.parametrize("kind", KINDS)
def test_the_log_probabilities_of_a_text_that_was_cut_cover_it(kind: str) -> None:
    """Their bytes begin with the text, and without the last of them would not."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    num_cut = 0
    for _ in range(NUM_ANSWERS):
        token_ids = random_answer(kind, random, valid=True)
        whole = tokenizer.decode(token_ids)
        begin = random.randrange(len(whole) + 1)
        stop = whole[begin : begin + random.randint(1, 5)] or "never"
        deltas = random_cuts(token_ids, random, logprobs=True)
        pieces = pieces_of(tokenizer, deltas, Ending((stop,), num_logprobs=0))
        text = "".join(piece.text for piece in pieces).encode()
        said = [one for piece in pieces for one in map(json.loads, content_logprobs(piece.logprobs, tokenizer))]
        spelled = b"".join(bytes(one["bytes"] or ()) for one in said)
        assert spelled.startswith(text), (token_ids, stop)
        if pieces[-1].finish_reason == "stop":
            num_cut += 1
            assert not said or len(spelled) - len(said[-1]["bytes"] or ()) < len(text), (token_ids, stop)
    assert num_cut > NUM_ANSWERS / 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_begins_behind_the_characters_that_are_whole_before_it(kind: str) -> None:
    """What the decoder says of each id is what the bytes before it hold."""
    tokenizer, random = tokenizer_of(kind), Random(kind)
    for _ in range(NUM_ANSWERS // 10):
        token_ids = random_answer(kind, random, valid=True)
        decoder = tokenizer.text_decoder()
        for token_id in token_ids:
            decoder.push((token_id,))
        decoder.finish()
        assert list(decoder.begins) == num_whole_chars_before(tokenizer, token_ids), token_ids


def spelling(tokenizer: Tokenizer, piece: Piece) -> bytes:
    return b"".join(bytes(one["bytes"] or ()) for one in map(json.loads, content_logprobs(piece.logprobs, tokenizer)))
