"""An image's identity is ours: keyed, and different wherever sharing a cache entry would be wrong."""

from __future__ import annotations

from huatuo_server.images.identity import identity


def test_the_same_image_is_recognised() -> None:
    """Equal bytes, family and tenant give one identity, 64 hexadecimal digits."""
    found = identity(b"image", "7B", b"secret", "ward")
    assert found == identity(b"image", "7B", b"secret", "ward")
    assert len(found) == 64
    assert int(found, 16) > 0


def test_every_part_counts() -> None:
    """Another image, family, secret or tenant gives another identity."""
    found = {
        identity(b"image", "7B", b"secret", "ward"),
        identity(b"imagf", "7B", b"secret", "ward"),
        identity(b"image", "34B", b"secret", "ward"),
        identity(b"image", "7B", b"secreu", "ward"),
        identity(b"image", "7B", b"secret", "ware"),
        identity(b"image", "7B", b"secret"),
    }
    assert len(found) == 6


def test_parts_cannot_run_into_each_other() -> None:
    """Moving a letter from the tenant to the family does not give the same identity."""
    assert identity(b"image", "b", b"secret", "a") != identity(b"image", "", b"secret", "ab")
