"""Stop strings are found however the text is cut, and nothing is given out too early."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.stop_strings import StopStrings


def fed(strings: list[str], pieces: list[str]) -> tuple[str, bool]:
    """What comes out of a search that is fed piece by piece."""
    stop = StopStrings(strings)
    out = ""
    for piece in pieces:
        text, stopped = stop.push(piece)
        out += text
        if stopped:
            return out, True
    return out + stop.finish(), False


@pytest.mark.parametrize(
    ("strings", "pieces", "expected"),
    [
        (["END"], ["all EN", "D after"], ("all ", True)),
        (["END"], ["all E", "N", "", "D"], ("all ", True)),
        (["END"], ["all EN"], ("all EN", False)),
        (["END"], ["EEEND"], ("EE", True)),
        (["aab"], ["aaa", "ab"], ("aa", True)),
        (["bc", "abcd"], ["abc", "d"], ("a", True)),
        (["abcd", "cd"], ["ab", "cd"], ("", True)),
        ([], ["a", "b"], ("ab", False)),
    ],
)
def test_the_text_ends_before_the_first_complete_match(
    strings: list[str], pieces: list[str], expected: tuple[str, bool]
) -> None:
    """The stop string is not part of the answer, wherever a piece ends."""
    assert fed(strings, pieces) == expected


def test_text_that_cannot_become_a_stop_string_is_not_held_back() -> None:
    """Holding back costs latency: no more than the possible beginning of a match."""
    stop = StopStrings(["\n\nQ"])

    assert stop.push("a\n") == ("a", False)
    assert stop.push("b") == ("\nb", False)
    assert stop.push("\n\n\n") == ("\n", False)
    assert stop.finish() == "\n\n"


def test_a_match_may_begin_but_not_end_where_the_search_is_off() -> None:
    """`min_tokens` tokens are safe from stop strings, as a whole."""
    stop = StopStrings(["END"])

    assert stop.push("END E", safe=5) == ("END ", False)
    assert stop.push("ND more") == ("", True)


def test_only_the_head_of_a_text_may_be_safe() -> None:
    """A match that ends in the first three characters is text, the next one is an end."""
    assert StopStrings(["END"]).push("END END", safe=3) == ("END ", True)
    assert StopStrings(["b", "abc"]).push("abc", safe=2) == ("", True)


SHORT = st.text("ab", min_size=1, max_size=4)


@given(st.lists(SHORT, min_size=1, max_size=4), st.text("abc", max_size=30), st.lists(st.integers(0, 30), max_size=8))
def test_the_cuts_between_pieces_change_nothing(strings: list[str], text: str, cuts: list[int]) -> None:
    """The same text gives the same answer in one piece, in any pieces, and character by character."""
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]

    assert fed(strings, pieces) == fed(strings, [text]) == fed(strings, list(text))


@given(st.lists(SHORT, min_size=1, max_size=4), st.lists(st.text("abc", max_size=5), max_size=8))
def test_no_answer_holds_a_stop_string(strings: list[str], pieces: list[str]) -> None:
    """What comes out is the head of the text, and ends at the first match if there is one."""
    out, stopped = fed(strings, pieces)

    assert "".join(pieces).startswith(out)
    assert not any(string in out for string in strings)
    assert stopped == any(string in "".join(pieces) for string in strings)
