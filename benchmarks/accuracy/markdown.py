"""Pieces of a Markdown page, made of texts that nobody checked: a model's, a data set's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from benchmarks.accuracy.printable import printable


def table(head: Sequence[str], rows: Iterable[Sequence[str]], num_texts: int = 1) -> str:
    """num_texts: columns whose cells begin at the left; the others hold figures, which end at the right."""
    sides = ["---"] * num_texts + ["---:"] * (len(head) - num_texts)
    lines = [head, sides, *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def plain(text: str) -> str:
    """One line in which no letter has a meaning to Markdown, HTML or a terminal."""
    line = " ".join(_printable(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#~!])", r"\\\1", line)


def fenced(text: str) -> str:
    """As it is, but for control characters, between fences that the text cannot end."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{_printable(text)}\n{fence}"


def _printable(text: str) -> str:
    # The line ends of Windows are no more than line ends.
    return printable(text.replace("\r\n", "\n"))
