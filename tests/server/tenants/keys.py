"""Keys as tests need them."""

from __future__ import annotations

from typing import Any

from huatuo_server.tenants.key import Key, sha256_of

SECRET = "hgv-0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


def key(number: int = 1, *, secret: str = SECRET, **given: Any) -> Key:
    """`key-0000000N` of the tenant `radiology`."""
    values = {
        "id": f"key-{number:08x}",
        "tenant": "radiology",
        "sha256": sha256_of(secret),
        "created_at": 1_800_000_000,
    }
    return Key(**{**values, **given})
