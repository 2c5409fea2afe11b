"""Token deltas become the answer's text, which ends with the right token, and its log-probabilities with it."""

from __future__ import annotations

import pytest

from huatuo_server.answer_text import AnswerText, Ending, Piece, TokenLogprob, merged
from huatuo_server.detokenizer import BytePieceDecoder
from huatuo_server.engine.base import TokenDelta

EOS, SPECIAL = 0, 1

BYTES = 1000
"""Ids of ASCII are letters, and those from here on byte pieces, which a decoder holds back."""

PIECES: dict[int, str | int] = {code: chr(code) for code in range(2, 128)} | {BYTES + byte: byte for byte in range(256)}


def collected(*deltas: TokenDelta, ending: Ending, strip: bool = False) -> list[Piece]:
    """What comes of an engine's deltas, up to the end of the answer."""
    text = AnswerText(BytePieceDecoder(PIECES, strip_leading_space=strip), ending)
    pieces: list[Piece] = []
    for delta in deltas:
        pieces.append(text.piece(delta))
        if pieces[-1].finish_reason is not None:
            break
    return pieces


def ids(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


def byte_ids(text: str) -> tuple[int, ...]:
    return tuple(BYTES + byte for byte in text.encode())


def test_each_delta_is_a_piece() -> None:
    """Text and ids go through, and the finish_reason comes last."""
    deltas = TokenDelta(ids("ab"), num_cached_tokens=3), TokenDelta(ids("c"), "length", num_cached_tokens=3)

    pieces = collected(*deltas, ending=Ending())

    assert pieces == [Piece("ab", ids("ab"), None, 3), Piece("c", ids("c"), "length", 3)]


def test_the_end_of_sequence_has_no_text_but_counts_as_a_token() -> None:
    """As in vLLM: its id is among the ids."""
    pieces = collected(TokenDelta((*ids("a"), EOS), "stop"), ending=Ending())

    assert pieces == [Piece("a", (*ids("a"), EOS), "stop")]


def test_a_token_at_which_the_engine_stops_has_no_text_either() -> None:
    """One of `stop_token_ids` may be any token: as a stop string, it ends the answer and is no part of it."""
    pieces = collected(TokenDelta(ids("ab;"), "stop"), ending=Ending(stop=(";",)))

    assert pieces == [Piece("ab", ids("ab;"), "stop")]


@pytest.mark.parametrize("deltas", [["xxENDyy"], ["xxE", "NDyy"], list("xxENDyy")])
def test_a_stop_string_ends_the_answer_with_the_token_that_completes_it(deltas: list[str]) -> None:
    """However the tokens are dealt into deltas; the rest is neither text nor counted."""
    pieces = collected(*(TokenDelta(ids(one)) for one in deltas), ending=Ending(stop=("END",)))

    assert "".join(piece.text for piece in pieces) == "xx"
    assert [one for piece in pieces for one in piece.token_ids] == list(ids("xxEND"))
    assert [piece.finish_reason for piece in pieces] == [None] * (len(pieces) - 1) + ["stop"]


def test_text_held_back_comes_out_at_the_end() -> None:
    """What looked like a stop string, and what the decoder held, belongs to the answer after all."""
    deltas = TokenDelta(ids("a")), TokenDelta((*ids("E"), *byte_ids("N")), "length")

    pieces = collected(*deltas, ending=Ending(stop=("END",)))

    assert [piece.text for piece in pieces] == ["a", "EN"]
    assert pieces[-1].finish_reason == "length"


def test_a_stop_string_completed_by_held_text_ends_the_answer() -> None:
    """Also the very last character is looked at."""
    token_ids = (*ids("aEN"), *byte_ids("D"))

    pieces = collected(TokenDelta(token_ids, "length"), ending=Ending(stop=("END",)))

    assert pieces == [Piece("a", token_ids, "stop")]


def test_the_first_tokens_cannot_complete_a_stop_string() -> None:
    """min_tokens=3: a match within the first three tokens is text."""
    pieces = collected(TokenDelta(ids("END,END"), "length"), ending=Ending(stop=("END",), min_tokens=3))

    assert pieces == [Piece("END,", ids("END,END"), "stop")]


def test_a_token_that_was_held_back_is_safe_as_well() -> None:
    """min_tokens=2: the second token is a line break that the decoder shows only with the third; it stops nothing."""
    token_ids = (*ids("a"), *byte_ids("\n"), *ids("b"), *byte_ids("\n"), *ids("c"))

    pieces = collected(TokenDelta(token_ids, "length"), ending=Ending(stop=("\n",), min_tokens=2))

    assert pieces == [Piece("a\nb", token_ids, "stop")]


def test_a_character_is_safe_only_when_all_its_tokens_are() -> None:
    """An emoji of four tokens ends the answer where three are safe, and is text where four are."""
    delta = TokenDelta((*byte_ids("🙂"), *ids("b")), "length")

    pieces = [collected(delta, ending=Ending(("🙂",), num)) for num in (3, 4)]

    assert [one[-1].text for one in pieces] == ["", "🙂b"]


def told(*deltas: TokenDelta, stop: tuple[str, ...] = (), min_tokens: int = 0, strip: bool = False) -> list[list[int]]:
    """The ids whose log-probabilities come with each piece; each token's is its id, negative."""
    with_logprobs = [one._replace(logprobs=tuple({id_: -float(id_)} for id_ in one.token_ids)) for one in deltas]
    pieces = collected(*with_logprobs, ending=Ending(stop, min_tokens, num_logprobs=0), strip=strip)
    assert all(one.logprob == -one.token_id and one.top == () for piece in pieces for one in piece.logprobs)
    return [[one.token_id for one in piece.logprobs] for piece in pieces]


def test_log_probabilities_are_the_chosen_tokens_and_the_best_ones() -> None:
    """Exactly as many alternatives as asked for, the best one first, whether the chosen one is among them or not."""
    steps = ({97: -0.5, 98: -0.1, 99: -7.0}, {98: -3.0, 97: -0.2, 99: -0.3})

    (piece,) = collected(TokenDelta(ids("ab"), "length", steps), ending=Ending(num_logprobs=2))

    assert piece.logprobs == (
        TokenLogprob.of(97, -0.5, ((98, -0.1), (97, -0.5))),
        TokenLogprob.of(98, -3.0, ((97, -0.2), (99, -0.3))),
    )


def test_log_probabilities_nobody_asked_for_are_not_told() -> None:
    """An engine may give some all the same."""
    (piece,) = collected(TokenDelta(ids("a"), "length", ({97: -0.1},)), ending=Ending())

    assert piece.logprobs == ()


def test_a_log_probability_is_held_back_with_its_text() -> None:
    """By a decoder or by a stop string that may begin there; it comes with the first character of its token."""
    emoji = byte_ids("🙂")

    pieces = told(
        TokenDelta(emoji[:2]),
        TokenDelta(emoji[2:]),
        TokenDelta(ids("E")),
        TokenDelta(ids("xE"), "length"),
        stop=("END",),
    )

    assert pieces == [[], [], [*emoji], [*ids("ExE")]]


def test_the_token_that_ends_an_answer_has_no_log_probability() -> None:
    """It is no part of the text, which the entries spell."""
    assert told(TokenDelta((*ids("ab"), EOS), "stop")) == [[*ids("ab")]]


@pytest.mark.parametrize("strip", [False, True])
def test_tokens_past_the_cut_of_a_stop_string_lose_theirs(strip: bool) -> None:
    """One that begins before the cut keeps it, also where several characters and a line break are one run of bytes."""
    token_ids = (*byte_ids("医\n"), *ids("x"))

    assert told(TokenDelta(token_ids), stop=("\n",), strip=strip) == [[*byte_ids("医")]]


def test_a_token_without_text_comes_with_the_text_behind_it() -> None:
    """And at the end of the answer with the end; past the cut of a stop string it is lost."""
    token_ids = (*ids("a"), SPECIAL, *ids("b"), SPECIAL)

    assert told(TokenDelta((SPECIAL,)), TokenDelta(token_ids, "length")) == [[], [SPECIAL, *token_ids]]
    assert told(TokenDelta(token_ids, "length"), stop=("b",)) == [[*ids("a")]]


def test_the_token_that_loses_its_leading_space_is_marked() -> None:
    """So that its bytes can be written as the text has them; no later one is marked."""
    token_ids = (SPECIAL, *ids(" a b"))
    deltas = TokenDelta(token_ids, "length", tuple({id_: -1.0} for id_ in token_ids))

    (piece,) = collected(deltas, ending=Ending(num_logprobs=0), strip=True)

    assert piece.text == "a b"
    assert [one.at_head for one in piece.logprobs] == [True, True, False, False, False]


@pytest.mark.parametrize("num", [1, 2, 5])
def test_pieces_that_follow_one_another_may_be_made_one(num: int) -> None:
    """Their texts, ids and log-probabilities joined, the end of the last one, and the most that was cached."""
    logprobs = [TokenLogprob.of(one, -1.0) for one in range(num)]
    pieces = [Piece(f"{one} ", (one, one), None, num - one, (logprobs[one],)) for one in range(num)]

    one = merged([*pieces[:-1], pieces[-1]._replace(finish_reason="length")])

    assert one.text == "".join(f"{each} " for each in range(num))
    assert one.token_ids == tuple(each for each in range(num) for _ in range(2))
    assert one.finish_reason == "length"
    assert one.num_cached_tokens == num
    assert one.logprobs == tuple(logprobs)
    assert merged(pieces).finish_reason is None
    assert merged([merged(pieces[:1]), *pieces[1:]]) == merged(pieces)
