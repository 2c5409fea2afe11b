"""Our own scorer: reads a letter where the answer says exactly one, and else none.

The text is brought to compatible characters (Unicode NFKC: full-width letters become plain ones); emphasis, quotes and
opening brackets become blanks. A letter, capital or small, is *said*

1. at the beginning of a line, after nothing or after `answer`, `option`, `choice`, 答案, 选项, 选: `(B) Fracture`;
2. after `answer`, `answer is`, `choice:`, 答案是, 故选 anywhere: `The answer is B, because ...`;
3. before `is correct`, `is the best answer`, 正确: `I think that B is correct`.

In 1 and 2 the letter must end what is said: the line ends there, or there follow one of `.,;:!)]}>。`, a dash between
blanks, `because`, `since`, `as`, or that option's own text. So articles (`A mass`), cells (`B cell lymphoma`) and
organisms (`E. coli`: a point, and then a small letter) are no letters. `Right` is no praise but a side of the body.

4. A whole text that is an option's text says that option's letter.

What is said must be one letter only, and one of the item's. A list (`A or C`) says all its letters, `B. Normal` says
two where `Normal` is option C's text, and so does a text that two options have.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from string import ascii_uppercase

from benchmarks.accuracy.verdict import Verdict

_BLANKS = str.maketrans(dict.fromkeys("*_`#$\"'\u201c\u201d\u2018\u2019([{<【《", " "))
_AROUND_TEXT = " .,;:!)]}>。、-\u2013\u2014"

_JOIN = r"\s*(?:[,/&+、和或及与]|\b(?i:and|or)\b)(?:\s*\b(?i:and|or)\b)?\s*"
_LETTERS = rf"(?P<letters>[A-Za-z](?![A-Za-z0-9])(?:{_JOIN}[A-Z](?!\w)){{0,25}})"
"""One letter, or a list of them; a small letter in a list would be an article: `B, a fracture`."""

_NAME = r"(?i:answer|option|choice)\b"

_AT_BEGINNING = re.compile(rf"\W*(?:(?i:the\s+)?{_NAME}\s*:?\s+|选项\s*:?\s*)?{_LETTERS}(?:选?项(?!\w))?")

_AFTER_WORDS = re.compile(
    rf"(?:\b(?i:answer)\b(?:\s+(?i:is)\b)?\s*:?\s*(?:{_NAME}\s+)?"
    r"|\b(?i:option|choice)(?:\s+(?i:is)\b\s*:?|\s*:)\s*"
    r"|答案(?:应该|应)?[是为选]?\s*:?\s*"
    rf"|(?<!\w)(?:故|应该|应|我|所以|因此)?选择?\s*:?\s*){_LETTERS}(?:选?项(?!\w))?"
)

_CORRECT = re.compile(
    rf"(?:^\W*|[.,;:!。]\s*|\b(?i:option|choice|answer|that|and|both)\s+|选项\s*){_LETTERS}"
    r"(?:\s+(?i:is\s+(?:correct|the\s+(?:correct|right|best|most\s+likely)\s+(?:answer|option|choice))\b)"
    r"|(?:选?项)?是?正确)"
)

_LONE_LETTER = rf"\s*[A-Za-z](?:(?!\w|\s+[a-z])|{_JOIN}[A-Z](?!\w))"
"""Behind a letter's point or colon: what was said is a list after all (`A. B`), or initials."""

_END = re.compile(
    r"[^\w?]*$"
    rf"|\s*(?:[,;:!)\]}}>。]|\.(?!\s*[a-z]))(?!{_LONE_LETTER})"
    r"|\s+(?:[-\u2013\u2014]\s|(?i:because|since|as)\b)"
)


def verdict(text: str, label: str | None, options: Sequence[str]) -> Verdict:
    """text: the model's. label: the right option's letter, None where the data have no right option: never right."""
    texts = {letter: _plain(option) for letter, option in zip(ascii_uppercase, options, strict=False)}
    said = set(_said(text, texts))
    if len(said) != 1 or not said <= texts.keys():
        return Verdict("unparsed", None)
    (letter,) = said
    return Verdict("right" if letter == label else "wrong", letter)


def _said(text: str, texts: Mapping[str, str]) -> Iterator[str]:
    """Every letter that the text says, those that are no option's as well. texts: of the options, plain."""
    yield from _letters_of(_plain(text), texts)
    for line in map(_spaced, _readable(text).splitlines()):
        for match in filter(None, [_AT_BEGINNING.match(line), *_AFTER_WORDS.finditer(line)]):
            yield from _ended(match["letters"], line[match.end() :], texts)
        for match in _CORRECT.finditer(line):
            yield from _listed(match["letters"])


def _ended(letters: str, rest: str, texts: Mapping[str, str]) -> Iterator[str]:
    """The letters, and those of the option whose text is the rest of the line; none where the letters end nothing."""
    same = _letters_of(_bare(rest), texts)
    if letters.upper() in same:
        yield letters.upper()
    elif _END.match(rest):
        yield from _listed(letters)
        yield from same


def _listed(letters: str) -> list[str]:
    first, *others = re.split(_JOIN, letters)
    return [first.upper(), *others]


def _letters_of(text: str, texts: Mapping[str, str]) -> list[str]:
    return [letter for letter, option in texts.items() if text and option == text]


def _plain(text: str) -> str:
    """For comparing options' texts: without case, emphasis, and what may stand before or behind a text."""
    return _bare(_spaced(_readable(text)))


def _bare(line: str) -> str:
    return line.strip(_AROUND_TEXT).casefold()


def _readable(text: str) -> str:
    return unicodedata.normalize("NFKC", text).translate(_BLANKS)


def _spaced(text: str) -> str:
    """With one blank for each white space, so that no expression is slow on a long one."""
    return " ".join(text.split())
