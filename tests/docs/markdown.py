"""Reads the documentation: its code blocks and its tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block. language: the word after the fence, empty where there is none."""

    language: str
    text: str


def blocks(page: Path, language: str) -> list[str]:
    """The texts of a page's code blocks in one language, in their order."""
    return [block.text for block in all_blocks(page) if block.language == language]


def all_blocks(page: Path) -> list[Block]:
    """Every code block of a page."""
    return [Block(language, text) for language, text in _FENCE.findall(page.read_text(encoding="utf-8"))]


def section(page: Path, heading: str) -> str:
    """The text under a heading, up to the next heading of its level or above. Raises ValueError where it is missing."""
    lines = page.read_text(encoding="utf-8").splitlines()
    titles = {number: line for number, line in enumerate(lines) if re.match(r"#+ ", line)}
    start = next((number for number, line in titles.items() if line.lstrip("# ").replace("`", "") == heading), None)
    if start is None:
        raise ValueError(f"{page.name} has no heading {heading!r}")
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    ends = (n for n, line in titles.items() if n > start and len(line) - len(line.lstrip("#")) <= level)
    return "\n".join(lines[start + 1 : next(ends, len(lines))])


def table(page: Path, heading: str, number: int = 0) -> list[list[str]]:
    """The cells of a table under a heading, without its head; back-quotes are taken off. Raises IndexError."""
    groups = re.findall(r"(?:^\|.*\n?)+", section(page, heading), re.MULTILINE)
    rows = groups[number].splitlines()
    return [[cell.strip().replace("`", "") for cell in _cells(row)] for row in rows[2:]]


def code_words(text: str) -> set[str]:
    """Everything between back-quotes."""
    return set(_CODE.findall(text))


def _cells(row: str) -> list[str]:
    return re.split(r"(?<!\\)\|", row.strip().strip("|"))
