"""Where an answer ends because the client said so: at the first of its stop strings.

The engine works on token ids and knows no text, so that the search is ours. It sees the text in pieces, and gives the
same answer however the text is cut into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """The search through one answer. Text that may be the head of a stop string is held back until that is known.

    Where several stop strings match, the one that is complete first counts, and of those the one that begins first.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = tuple(strings)
        self._held = ""

    def push(self, text: str, *, safe: int = 0) -> tuple[str, bool]:
        """Take more text; return the text that is certain to be part of the answer, and whether it has come to its end.

        safe: so many characters at its head in which no match may end (the first `min_tokens` tokens'); one may begin
        there.
        """
        seen = len(self._held) + safe
        text = self._held + text
        cut = self._match(text, seen)
        if cut is not None:
            self._held = ""
            return text[:cut], True
        self._held = text[len(text) - self._overlap(text) :]
        return text[: len(text) - len(self._held)], False

    def finish(self) -> str:
        """Return the text still held back: no stop string came of it."""
        held, self._held = self._held, ""
        return held

    def _match(self, text: str, seen: int) -> int | None:
        """Where the first match begins that ends after `seen` characters: those before were searched, or are safe."""
        matches = []
        for string in self._strings:
            start = text.find(string, max(0, seen + 1 - len(string)))
            if start >= 0:
                matches.append((start + len(string), start))
        return min(matches)[1] if matches else None

    def _overlap(self, text: str) -> int:
        """How many characters at the end of the text are the beginning of a stop string, at most."""
        return max((_overlap(text, string) for string in self._strings), default=0)


def _overlap(text: str, string: str) -> int:
    for size in range(min(len(text), len(string) - 1), 0, -1):
        if text.endswith(string[:size]):
            return size
    return 0
