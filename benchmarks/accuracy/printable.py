"""Text from a server or from data, made fit for a terminal and a page."""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0, DEL and C1, but tab and newline
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing (UAX 9)
    "\ud800-\udfff]"  # surrogates, which no encoding takes
)


def printable(text: str) -> str:
    """The text with escapes such as `\\x1b` for control characters, marks of direction and lone surrogates.

    Tabs and newlines stay. A terminal would obey the others, or show the text in another order than it stands.
    """
    return _HIDDEN.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
