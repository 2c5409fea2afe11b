"""Token ids -> text, a few at a time, in linear time and without a broken character on the way.

The two kinds of vocabulary write bytes differently, and Hugging Face decodes them differently. Once finished, each
decoder here has given the text of transformers' `decode(all ids, skip_special_tokens=True)`.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping
from typing import Protocol

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TextDecoder(Protocol):
    """The state of one text under way. The pushes and `finish`, joined, are `Tokenizer.decode` of all ids."""

    def push(self, token_ids: Iterable[int]) -> str:
        """Take more ids and return the text that no later id can change."""
        ...

    def finish(self) -> str:
        """Return what was held back; the decoder is used up."""
        ...


class ByteLevelDecoder:
    """Every piece is a run of bytes (Qwen2): their concatenation is UTF-8, malformed parts become U+FFFD.

    pieces: id -> bytes. Ids that it lacks (special tokens, rows past the tokenizer) have no text.
    """

    def __init__(self, pieces: Mapping[int, bytes]) -> None:
        self._pieces = pieces
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token_ids: Iterable[int]) -> str:
        """Take more ids and return the text that no later id can change."""
        return self._utf8.decode(b"".join(self._pieces.get(token_id, b"") for token_id in token_ids))

    def finish(self) -> str:
        """Return U+FFFD if the text ends within a character."""
        return self._utf8.decode(b"", final=True)


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
        self._run = bytearray()
        self._at_head = strip_leading_space

    def push(self, token_ids: Iterable[int]) -> str:
        """Take more ids and return the text that no later id can change."""
        parts: list[str] = []
        for token_id in token_ids:
            piece = self._pieces.get(token_id)
            if isinstance(piece, int):
                self._run.append(piece)
            elif piece is not None:
                parts += [self._end_run(), piece]
        return self._without_head("".join(parts))

    def finish(self) -> str:
        """Return the run of bytes at the end of the text."""
        return self._without_head(self._end_run())

    def _end_run(self) -> str:
        run, self._run = self._run, bytearray()
        try:
            return run.decode("utf-8")
        except UnicodeDecodeError:
            return REPLACEMENT * len(run)

    def _without_head(self, text: str) -> str:
        if not (text and self._at_head):
            return text
        self._at_head = False
        return text.removeprefix(" ")
