"""Token ids -> text, a few at a time, in linear time and without a broken character on the way.

The two kinds of vocabulary write bytes differently, and Hugging Face decodes them differently. Once finished, each
decoder here has given the text of transformers' `decode(all ids, skip_special_tokens=True)`.
"""

from __future__ import annotations

import codecs
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Protocol

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TextDecoder(Protocol):
    """The state of one text under way. The pushes and `finish`, joined, are `Tokenizer.decode` of all ids."""

    @property
    def begins(self) -> Sequence[int]:
        """For each id so far: how many characters are whole before it, so that its text begins in the one after those.

        The last ids are missing while that is not known; they have given no text yet.
        """
        ...

    @property
    def at_head(self) -> bool:
        """Whether the next id with text loses a leading space."""
        ...

    def push(self, token_ids: Iterable[int]) -> str:
        """Take more ids and return the text that no later id can change."""
        ...

    def finish(self) -> str:
        """Return what was held back; nothing may be pushed after it."""
        ...


class ByteLevelDecoder:
    """Every piece is a run of bytes (Qwen2): their concatenation is UTF-8, malformed parts become U+FFFD.

    pieces: id -> bytes. Ids that it lacks (special tokens, rows past the tokenizer) have no text.
    """

    at_head = False

    def __init__(self, pieces: Mapping[int, bytes]) -> None:
        self._pieces = pieces
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._within_character = False
        self._num_chars = 0
        self._begins = array("I")

    @property
    def begins(self) -> Sequence[int]:
        """As `TextDecoder.begins`; none is ever missing."""
        return self._begins

    def push(self, token_ids: Iterable[int]) -> str:
        """Take more ids and return the text that no later id can change."""
        return "".join(map(self._push, token_ids))

    def finish(self) -> str:
        """Return U+FFFD if the text ends within a character."""
        return self._utf8.decode(b"", final=True)

    def _push(self, token_id: int) -> str:
        piece = self._pieces.get(token_id, b"")
        if self._within_character or not piece.isascii():
            self._begins.append(self._num_chars + self._chars_before(piece))
            text = self._utf8.decode(piece)
            self._within_character = bool(self._utf8.getstate()[0])
        else:
            self._begins.append(self._num_chars)
            text = piece.decode("ascii")
        self._num_chars += len(text)
        return text

    def _chars_before(self, piece: bytes) -> int:
        """1 when the piece breaks off the character that has begun, which is then a U+FFFD before it."""
        begun = self._utf8.getstate()[0]
        if not (begun and piece):
            return 0
        return len((begun + piece[:1]).decode("utf-8", "replace")) - 1


class BytePieceDecoder:
    """Pieces are text, and 256 of them single bytes (sentencepiece with byte fallback: Yi, Llama).

    A run of byte pieces is decoded as a whole: when it is not UTF-8, each of its bytes becomes one U+FFFD, also those
    that would have been valid. That is the rule of Hugging Face's `ByteFallback`, and so of the reference; it is why a
    run is held back until it ends.

    pieces: id -> text, or the byte as an int. Ids that it lacks have no text.
    strip_leading_space: drop one space at the head of the text (tokenizers that put one before every text).
    """

    def __init__(self, pieces: Mapping[int, str | int], *, strip_leading_space: bool) -> None:
        self._pieces = pieces
        self._strips = strip_leading_space
        self._run = bytearray()
        self._places: list[int] = []
        self._num_chars = 0
        self._begins = array("I")

    @property
    def begins(self) -> Sequence[int]:
        """As `TextDecoder.begins`."""
        return self._begins

    @property
    def at_head(self) -> bool:
        """As `TextDecoder.at_head`."""
        return self._strips and not self._run

    def push(self, token_ids: Iterable[int]) -> str:
        """Take more ids and return the text that no later id can change."""
        return "".join(map(self._push, token_ids))

    def finish(self) -> str:
        """Return the run of bytes at the end of the text."""
        return self._end_run()

    def _push(self, token_id: int) -> str:
        piece = self._pieces.get(token_id)
        if isinstance(piece, str):
            if self._places or self._strips:
                return self._end_run() + self._add(piece, [0])
            self._begins.append(self._num_chars)
            self._num_chars += len(piece)
            return piece
        self._places.append(len(self._run))
        if piece is not None:
            self._run.append(piece)
        return ""

    def _end_run(self) -> str:
        text, chars_before = _decoded(self._run)
        begins = [chars_before[place] for place in self._places]
        self._run, self._places = bytearray(), []
        return self._add(text, begins)

    def _add(self, text: str, begins: Iterable[int]) -> str:
        """More of the text, with the ids that begin in it. begins: counted from its own beginning."""
        kept = text.removeprefix(" ") if self._strips else text
        dropped = len(text) - len(kept)
        self._strips = self._strips and not text
        self._begins.extend(self._num_chars + max(0, begin - dropped) for begin in begins)
        self._num_chars += len(kept)
        return kept


def _decoded(run: bytearray) -> tuple[str, Sequence[int]]:
    """The run's text; before each of its bytes, and before its end, how many characters are whole."""
    try:
        text = run.decode("utf-8")
    except UnicodeDecodeError:
        return REPLACEMENT * len(run), range(len(run) + 1)
    begun = accumulate(byte & 0xC0 != 0x80 for byte in run)
    return text, [*(count - 1 for count in begun), len(text)]
