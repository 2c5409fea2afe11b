"""An image's identity is ours: keyed, and different wherever sharing a cache entry would be wrong."""

from __future__ import annotations

from huatuo_server.images.identity import asked, cache_salt, identity, resolved
from huatuo_server.protocol.view import WHOLE, View, Window

KEY = ("5e", asked(WHOLE), "7B", b"secret", "ward")


def test_the_same_image_is_recognised() -> None:
    """Equal bytes, view, family and tenant give one identity, 64 hexadecimal digits."""
    found = identity(*KEY)
    assert found == identity(*KEY)
    assert len(found) == 64
    assert int(found, 16) > 0


def test_every_part_counts() -> None:
    """Another image, view, family, secret or tenant gives another identity."""
    found = {
        identity(*KEY),
        identity("5f", *KEY[1:]),
        identity("5e", asked(View(frame=1)), *KEY[2:]),
        identity("5e", asked(View(window=Window(40, 400))), *KEY[2:]),
        identity("5e", asked(View(region=(0, 0, 1, 1))), *KEY[2:]),
        identity(*KEY[:2], "34B", *KEY[3:]),
        identity(*KEY[:3], b"secreu", "ward"),
        identity(*KEY[:4], "ware"),
        identity(*KEY[:4], ""),
    }
    assert len(found) == 9


def test_parts_cannot_run_into_each_other() -> None:
    """Moving a letter from one field to the next does not give the same identity."""
    assert identity("ab", "c", "7B", b"s", "t") != identity("a", "bc", "7B", b"s", "t")


def test_what_was_seen_is_what_the_engine_shares() -> None:
    """A default and the same thing asked for by name are one picture; another frame is another."""
    facts = {"frame": 3, "window": None, "region": None, "warnings": ["the middle one"]}
    assert resolved(facts) == resolved({**facts, "warnings": []})
    assert resolved(facts) != resolved({**facts, "frame": 4})


def test_tenants_never_share_a_prefix() -> None:
    """The salt differs by tenant and by server."""
    assert len({cache_salt(b"s", "a"), cache_salt(b"s", "b"), cache_salt(b"t", "a")}) == 3
