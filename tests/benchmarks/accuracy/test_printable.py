"""Texts that a terminal and a page show as they stand."""

from __future__ import annotations

import pytest

from benchmarks.accuracy.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\x00\x7f", "a\\x0db\\x00\\x7f"),
        ("\x85\x9b31m", "\\x85\\x9b31m"),
        ("A\u202eB\u2066C\u2069\u200e\u200f\u061c", "A\\u202eB\\u2066C\\u2069\\u200e\\u200f\\u061c"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_an_escape(text: str, shown: str) -> None:
    """Control characters, marks of direction, and half characters, which no file takes."""
    assert printable(text) == shown
    assert printable(text).encode()


def test_what_people_write_stays_as_it_is() -> None:
    """In any script, with its lines and tabs."""
    text = "Ja,\n\t37,5 °C. 是 نعم 👩\u200d⚕️ C:\\x1b"

    assert printable(text) == text
