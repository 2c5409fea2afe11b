"""A key: whose it is, what it opens, and how much it may ask for. Its secret is not in it, only the secret's hash."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

from huatuo_server.caller import SCOPES, Caller, Scope
from huatuo_server.lane import LANES, Lane

PREFIX = "hgv-"
"""Begins every secret, so that scanners for leaked secrets have something to look for."""

SECRET_BYTES = 32

MAX_NAME_CHARS = 64
MAX_LIMIT = 10**12
YEAR_10000 = 253_402_300_800
"""Unix time in seconds; calendars end before it."""

LIMITS = ("requests_per_min", "tokens_per_min", "images_per_min", "max_concurrent")

_ID = re.compile(r"key-[0-9a-f]{8}")
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Key:
    """One key. Raises ValueError, in words that hold no value, where a field is wrong.

    id: `key-` and 8 hexadecimal digits; it is no secret, and what logs and records name. name: for people.
    sha256: of the secret, in hexadecimal. A limit of None is none. created_at: Unix time in seconds.
    """

    id: str
    tenant: str
    sha256: str = field(repr=False)
    created_at: int
    name: str = ""
    scopes: frozenset[Scope] = frozenset({"chat"})
    lane: Lane = "routine"
    requests_per_min: int | None = None
    tokens_per_min: int | None = None
    images_per_min: int | None = None
    max_concurrent: int | None = None

    def __post_init__(self) -> None:
        """Types too: what stands in a file is anything."""
        _require(_matches(_ID, self.id), "id must be key- and 8 hexadecimal digits")
        _require(_matches(_TENANT, self.tenant), "tenant must be 1 to 64 letters, digits, dots, dashes or underscores")
        _require(_matches(_SHA256, self.sha256), "sha256 must be 64 hexadecimal digits in lower case")
        _require(self.sha256 != _OF_NOTHING, "sha256 is that of an empty secret")
        _require(_is_name(self.name), f"name must be at most {MAX_NAME_CHARS} printable characters")
        _require(bool(self.scopes) and self.scopes <= SCOPES, f"scopes must be some of {', '.join(sorted(SCOPES))}")
        _require(self.lane in LANES, f"class must be one of {', '.join(LANES)}")
        _require(_is_count(self.created_at, below=YEAR_10000), "created_at must be Unix time in seconds")
        for limit in LIMITS:
            value = getattr(self, limit)
            _require(
                value is None or (_is_count(value) and value > 0), f"{limit} must be a whole number from 1 to 10^12"
            )

    @property
    def caller(self) -> Caller:
        """Who asks with this key."""
        return Caller(self.tenant, self.lane, self.scopes, self.id)


def new_secret() -> str:
    """`hgv-` and 256 random bits in base64url; whoever has it holds the key."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def new_id() -> str:
    """`key-` and 32 random bits."""
    return f"key-{secrets.token_hex(4)}"


def sha256_of(secret: str) -> str:
    """In hexadecimal. A plain hash will do: 256 random bits cannot be guessed, however fast each guess is."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME_CHARS and value.isprintable()


def _is_count(value: object, *, below: int = MAX_LIMIT + 1) -> bool:
    """True and False are numbers to Python, and none here."""
    return type(value) is int and 0 <= value < below
