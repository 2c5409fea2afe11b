"""The key under which an engine's caches may hold an image's features.

It is ours and keyed with a secret: where a client's own id becomes the key, another's image can be served (vllm#55439).
"""

from __future__ import annotations

import hashlib
import hmac

PREPARATION_VERSION = 1
"""Raise it whenever decode or prepare may give other pixels for the same bytes."""


def identity(data: bytes, family: str, secret: bytes, tenant: str = "") -> str:
    """HMAC-SHA256, in hex, of the tenant, the family, the preparation version and the image's bytes as sent."""
    fields = (tenant.encode(), family.encode(), str(PREPARATION_VERSION).encode(), hashlib.sha256(data).digest())
    framed = b"".join(len(field).to_bytes(8, "big") + field for field in fields)
    return hmac.new(secret, framed, hashlib.sha256).hexdigest()
