"""Streamed text is the whole text, without broken characters on the way and without re-reading what came before."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from huatuo_server.detokenizer import REPLACEMENT, ByteLevelDecoder, BytePieceDecoder
from huatuo_server.tokenizer import Tokenizer
from tests import golden

load = functools.cache(Tokenizer.load)

YI = load(golden.CHECKPOINT)


def streamed(tokenizer: Tokenizer, steps: Sequence[Sequence[int]]) -> list[str]:
    decoder = tokenizer.text_decoder()
    return [*(decoder.push(step) for step in steps), decoder.finish()]


def steps_of(ids: st.SearchStrategy[int]) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(ids, max_size=4), max_size=30)


# Byte pieces are few among the vocabulary and all of the difficulty, so they come more often than chance has them.
YI_IDS = st.one_of(st.integers(0, 5000), st.integers(8, 263), st.sampled_from(YI.encode("医🙂é\n")))
QWEN_IDS = st.one_of(st.integers(0, 1100), st.integers(0, 255))


@settings(deadline=None)
@given(steps=steps_of(YI_IDS))
def test_streamed_text_is_the_whole_text_of_yi(steps: list[list[int]]) -> None:
    """However the ids are cut, the pieces join to what transformers decodes at once."""
    ids = [id_ for step in steps for id_ in step]
    assert "".join(streamed(YI, steps)) == YI.decode(ids) == transformers_text(ids)


_theirs: list[object] = []


def transformers_text(ids: list[int]) -> str:
    """The oracle: transformers' own tokenizer, which drops no unknown id silently, so they are dropped for it."""
    from transformers import LlamaTokenizer

    if not _theirs:
        _theirs.append(LlamaTokenizer.from_pretrained(golden.CHECKPOINT))
    known = [id_ for id_ in ids if id_ < 4096]
    return str(_theirs[0].decode(known, skip_special_tokens=True))  # type: ignore[attr-defined]


@settings(deadline=None)
@given(steps=steps_of(QWEN_IDS))
def test_streamed_text_is_the_whole_text_of_qwen2(steps: list[list[int]], demo_7b: Path) -> None:
    """However the ids are cut, the pieces join to the text of all ids."""
    tokenizer = load(demo_7b)
    ids = [id_ for step in steps for id_ in step]
    assert "".join(streamed(tokenizer, steps)) == tokenizer.decode(ids)


@settings(deadline=None)
@given(text=st.text(max_size=40))
def test_no_broken_character_is_streamed(text: str, demo_7b: Path) -> None:
    """One id at a time, no piece has a U+FFFD unless the text itself has one."""
    for tokenizer in (YI, load(demo_7b)):
        pieces = streamed(tokenizer, [[id_] for id_ in tokenizer.encode(text)])
        assert "".join(pieces).count(REPLACEMENT) == text.count(REPLACEMENT)


def test_a_split_character_is_held_back_until_it_is_whole() -> None:
    """An emoji of four byte pieces appears once and whole, as soon as it cannot change."""
    emoji, letter = YI.encode("🙂"), YI.encode("a")
    assert len(emoji) == 4
    assert streamed(YI, [*([id_] for id_ in emoji), letter]) == ["", "", "", "", "🙂a", ""]


def test_a_split_character_of_qwen2_appears_with_its_last_byte(demo_7b: Path) -> None:
    """Where bytes are decoded one after another, nothing waits for the next id."""
    tokenizer = load(demo_7b)
    emoji = tokenizer.encode("🙂")
    assert streamed(tokenizer, [[id_] for id_ in emoji]) == ["", "", "", "🙂", ""]


def test_an_unfinished_character_is_replaced_at_the_end(demo_7b: Path) -> None:
    """A text that ends within a character ends in U+FFFD: one for the byte-level kind, one a byte for the other."""
    qwen = load(demo_7b)
    assert streamed(qwen, [qwen.encode("🙂")[:3]]) == ["", REPLACEMENT]
    assert streamed(YI, [YI.encode("🙂")[:3]]) == ["", REPLACEMENT * 3]


def test_a_run_of_bytes_that_is_not_utf8_is_replaced_as_a_whole() -> None:
    """As in the reference, a valid newline beside a stray byte is lost with it."""
    newline, stray = YI.encode("\n"), YI.encode("🙂")[:1]
    assert YI.decode([*newline, *stray]) == REPLACEMENT * 2
    assert YI.decode([*newline, *YI.encode("a"), *stray]) == f"\na{REPLACEMENT}"


@pytest.mark.parametrize("kind", ["yi", "qwen2"])
def test_a_token_costs_the_same_late_as_early(kind: str, demo_7b: Path) -> None:
    """200,000 ids, one at a time, byte runs among them, take seconds; re-decoding the text would take hours."""
    tokenizer = YI if kind == "yi" else load(demo_7b)
    ids = random.Random(0).choices(range(8, 1000), k=150_000) + [8 + 0xE6] * 50_000
    decoder = tokenizer.text_decoder()
    started = time.monotonic()
    for id_ in ids:
        decoder.push([id_])
    decoder.finish()
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("runs", "begins", "text"),
    [
        ([b"\xe5", b"\x8c\xbb", b"a"], [0, 0, 1], "\u533b" + "a"),
        ([b"\xe5", b"a"], [0, 1], REPLACEMENT + "a"),
        ([b"x\xf0\x9f", b"\xe5\x8c\xbb"], [0, 2], "x" + REPLACEMENT + "\u533b"),
        ([b"\xf0\x9f", b"", b"\x99\x82", b"\xff"], [0, 0, 0, 1], "\U0001f642" + REPLACEMENT),
        ([b"", b"a", b""], [0, 0, 1], "a"),
    ],
)
def test_a_character_that_is_broken_off_is_whole_before_what_follows(
    runs: list[bytes], begins: list[int], text: str
) -> None:
    """Byte level: an id begins where its first byte is seen, in the character that it goes on with or in the next."""
    decoder = ByteLevelDecoder(dict(enumerate(runs)))

    assert decoder.push(range(len(runs))) + decoder.finish() == text
    assert list(decoder.begins) == begins


@pytest.mark.parametrize(
    ("pieces", "begins", "text"),
    [
        (["ab", 0xE5, 0x8C, 0xBB, 0x0A, "c"], [0, 2, 2, 2, 3, 4], "ab\u533b\nc"),
        ([0x0A, 0xE5, "c"], [0, 1, 2], REPLACEMENT * 2 + "c"),
        ([" a", " b"], [0, 1], "a b"),
        ([" ", " ", "a"], [0, 0, 1], " a"),
        ([0x20, 0x20, 0xC3, 0xA9], [0, 0, 1, 1], " \u00e9"),
        ([0xFF], [0], REPLACEMENT),
    ],
)
def test_in_a_run_of_bytes_each_begins_in_its_character(pieces: list[str | int], begins: list[int], text: str) -> None:
    """Byte pieces: in one of the run's characters, or each in a U+FFFD of its own; a space may be lost before them."""
    decoder = BytePieceDecoder(dict(enumerate(pieces)), strip_leading_space=True)

    assert decoder.push(range(len(pieces))) + decoder.finish() == text
    assert list(decoder.begins) == begins


def test_where_an_id_begins_is_not_said_before_it_is_known() -> None:
    """A run of bytes may yet turn out not to be UTF-8; what has no text is part of the run it stands in."""
    decoder = BytePieceDecoder({0: "a", 1: 0xC3, 2: 0xA9}, strip_leading_space=False)

    decoder.push([0, 1, 9])
    assert list(decoder.begins) == [0]
    decoder.push([2, 0])
    assert list(decoder.begins) == [0, 1, 1, 1, 2]
