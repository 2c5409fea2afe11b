"""The cache of prepared pictures: bounded, one tenant's only, and forgetful when a file is deleted."""

from __future__ import annotations

import numpy as np

from huatuo_server.images.cache import Picture, PictureCache
from tests.server.images.provenance import provenance


def picture(sha256: str = "5e", num_bytes: int = 100) -> Picture:
    return Picture(np.zeros(num_bytes, np.uint8), "identity", provenance(sha256=sha256))


def test_a_picture_comes_back_to_its_own_tenant_only() -> None:
    """The same key of another tenant finds nothing."""
    cache, kept = PictureCache(1000), picture()
    cache.put("ward", "key", kept)

    assert cache.get("ward", "key") is kept
    assert cache.get("clinic", "key") is None
    assert cache.get("ward", "other") is None


def test_the_least_recently_used_goes_first() -> None:
    """The sum of the pixels never exceeds the limit."""
    cache = PictureCache(250)
    cache.put("t", "a", picture())
    cache.put("t", "b", picture())
    cache.get("t", "a")
    cache.put("t", "c", picture())

    assert [cache.get("t", key) is not None for key in "abc"] == [True, False, True]


def test_putting_again_counts_once() -> None:
    """Two requests that prepared the same image at a time leave one picture's worth."""
    cache = PictureCache(250)
    for key in ("a", "a", "a", "b"):
        cache.put("t", key, picture())

    assert cache.get("t", "a") is not None


def test_no_room_keeps_nothing() -> None:
    """With a limit of 0 the cache is off."""
    cache = PictureCache(0)
    cache.put("t", "a", picture())

    assert cache.get("t", "a") is None


def test_a_deleted_file_takes_its_pictures_along() -> None:
    """All views of that file and tenant; others stay."""
    cache = PictureCache(1000)
    cache.put("t", "whole", picture("dead"))
    cache.put("t", "region", picture("dead"))
    cache.put("t", "other", picture("beef"))
    cache.put("u", "whole", picture("dead"))

    cache.forget("t", "dead")

    found = [cache.get(*key) is not None for key in (("t", "whole"), ("t", "region"), ("t", "other"), ("u", "whole"))]
    assert found == [False, False, True, True]
