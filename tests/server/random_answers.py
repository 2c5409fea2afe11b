"""Answers as token ids that are hard to write as text, piece by piece; the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from huatuo_server.answer_text import AnswerText, Ending, Piece
from huatuo_server.engine.base import TokenDelta
from huatuo_server.tokenizer import Tokenizer
from tests.server.vocabularies import byte_ids, tokenizer_of

TEXTS = (
    "A fracture of the distal radius. ",
    " ",
    "\n",
    "\r\n\t",
    "\u533b\u5b66\u5f71\u50cf:\u672a\u89c1\u660e\u663e\u5f02\u5e38\u3002",
    "\U0001f642",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f44d\U0001f3fd",
    "\U0001f1e8\U0001f1f3",
    "e\u0301\u0323o\u0302",
    "\u00e9",
    "\u0648\u0631\u0645 \u062d\u0645\u064a\u062f",
    "\u202eabc\u202c \u05d0\u05d1",
    "\u0e19\u0e49\u0e33",
    "\u0915\u094d\u0937",
    "\U00020000\U000e0041",
    "\ufeff\u2028\u0000\x7f",
    "\ufffd",
    "\u2581 _",
    "<|im_start|><0x41></s>",
)
"""Words, white space, CJK, emoji with joiners and modifiers, combining marks, right to left, Indic conjuncts, the
astral planes, control characters, the replacement character itself, and what looks like a token.
"""

MALFORMED = (
    b"\xe5\x8c",
    b"\xbb",
    b"\xf0\x9f",
    b"\xf0\x9f\x99",
    b"\x99\x82",
    b"\xff\xfe",
    b"\xc0\x80",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe5",
)
"""Characters cut short, tails without a head, and what UTF-8 does not allow."""


def random_answer(kind: str, random: Random, *, valid: bool = False) -> list[int]:
    """Token ids over one kind of vocabulary. valid: their text has no U+FFFD that is not spelled."""
    tokenizer, of_byte = tokenizer_of(kind), byte_ids(kind)
    special, size = sorted(tokenizer.special_ids), tokenizer.size
    answer: list[int] = []
    for _ in range(random.randint(1, 14)):
        text = random.choice(TEXTS)
        kinds = [
            tokenizer.encode(text),
            [of_byte[byte] for byte in text.encode()],
            [random.choice(special)],
            [random.choice((size, size + 1, 152_063, 10**9))],
            [of_byte[byte] for byte in random.choice(MALFORMED)],
            random.choices(of_byte, k=random.randint(1, 5)),
            random.choices(range(size), k=random.randint(1, 5)),
        ]
        answer += random.choices(kinds[:4] if valid else kinds, weights=(6, 3, 1, 1, 2, 1, 2)[: 4 if valid else 7])[0]
    return answer


def random_cuts(token_ids: Sequence[int], random: Random, *, logprobs: bool = False) -> list[TokenDelta]:
    """The same ids as an engine may give them: up to eight at a time."""
    sizes: list[int] = []
    while sum(sizes) < len(token_ids):
        sizes.append(random.choice((1, 1, 1, 2, 3, 8)))
    return cut(token_ids, sizes, logprobs=logprobs)


def cut(token_ids: Sequence[int], sizes: Iterable[int], *, logprobs: bool = False) -> list[TokenDelta]:
    """Ids in deltas of these sizes, the end of an answer at max_tokens; the log-probability of an id is -id."""
    deltas: list[TokenDelta] = []
    rest = tuple(token_ids)
    for size in sizes:
        some, rest = rest[:size], rest[size:]
        steps = tuple({one: -float(one)} for one in some) if logprobs else ()
        deltas.append(TokenDelta(some, None if rest else "length", steps))
    return deltas


def pieces_of(tokenizer: Tokenizer, deltas: Iterable[TokenDelta], ending: Ending) -> list[Piece]:
    """What comes of an engine's deltas, up to the end of the answer."""
    text = AnswerText(tokenizer.text_decoder(), ending)
    pieces: list[Piece] = []
    for delta in deltas:
        pieces.append(text.piece(delta))
        if pieces[-1].finish_reason is not None:
            break
    return pieces
