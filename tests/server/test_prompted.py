"""What of a conversation may become tokens on the event loop."""

from __future__ import annotations

import pytest

from huatuo_server.prompted import SHORT_CHARS, SHORT_MESSAGES, is_short


@pytest.mark.parametrize(
    ("texts", "wanted"),
    [
        (["x" * SHORT_CHARS], True),
        (["x" * SHORT_CHARS, "x"], False),
        (["x"] * SHORT_MESSAGES, True),
        ([""] * (SHORT_MESSAGES + 1), False),
        (["x"] * 4096, False),
    ],
    ids=["long enough", "too long", "many", "too many, and empty", "as many as a request may have"],
)
def test_many_messages_are_as_much_work_as_a_long_one(texts: list[str], wanted: bool) -> None:
    """Each is made into tokens by itself, which costs more than its characters."""
    assert is_short(texts) is wanted
