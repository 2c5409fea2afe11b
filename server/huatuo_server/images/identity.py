"""The keys under which pictures may be kept: by our own cache, and by the engine's.

They are ours and keyed with a secret: where a client's own id becomes the key, another's image can be served
(vllm#55439).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from huatuo_server.protocol.view import View

PREPARATION_VERSION = 2
"""Raise it whenever other pixels may come of the same bytes and view."""


def identity(sha256: str, seen: str, family: str, secret: bytes, tenant: str) -> str:
    """HMAC-SHA256, in hex, of the tenant, the file's hash, what is seen of it, the family, the preparation version.

    seen: `asked` for our own cache, which must know before anything is decoded; `resolved` for the engine's.
    """
    fields = (tenant, sha256, seen, family, str(PREPARATION_VERSION))
    return _hmac(secret, *fields)


def cache_salt(secret: bytes, tenant: str) -> str:
    """What keeps one tenant's cached prefixes from another (CVE-2025-46570)."""
    return _hmac(secret, "cache salt", tenant)


def on_record(sha256: str, secret: bytes, tenant: str) -> str:
    """What the audit log calls a file: the same for all of a tenant's requests, and only the secret tells which."""
    return _hmac(secret, "audit", tenant, sha256)


def asked(view: View) -> str:
    """The view as the request has it."""
    return repr(view)


def resolved(facts: Mapping[str, Any]) -> str:
    """What was seen in the end: equal for all requests that lead to the same pixels of the same file."""
    return repr([facts[name] for name in ("frame", "window", "region")])


def _hmac(secret: bytes, *fields: str) -> str:
    framed = b"".join(len(field.encode()).to_bytes(8, "big") + field.encode() for field in fields)
    return hmac.new(secret, framed, hashlib.sha256).hexdigest()
