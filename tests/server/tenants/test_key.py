"""A key: what its fields may be, and whom it lets in."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from huatuo_server.caller import Caller
from huatuo_server.tenants.key import new_id, new_secret, sha256_of
from tests.server.tenants.keys import SECRET, key


def test_a_secret_holds_256_random_bits() -> None:
    """`hgv-` and 43 characters of base64url; no two are the same."""
    secrets = {new_secret() for _ in range(1000)}

    assert len(secrets) == 1000
    assert all(re.fullmatch(r"hgv-[A-Za-z0-9_-]{43}", secret) for secret in secrets)


def test_an_id_is_short_and_tells_nothing_of_the_secret() -> None:
    """`key-` and 8 hexadecimal digits, random for themselves."""
    assert re.fullmatch(r"key-[0-9a-f]{8}", new_id())
    assert new_id() != new_id()


def test_the_hash_is_the_secrets_sha256() -> None:
    """What `printf SECRET | sha256sum` prints, so that a key can be made without us."""
    assert sha256_of("hgv-x") == hashlib.sha256(b"hgv-x").hexdigest()
    assert len(sha256_of("\ud800")) == 64


def test_the_caller_is_who_the_key_says() -> None:
    """Tenant, class, scopes and the key's id."""
    made = key(7, lane="batch", scopes=frozenset({"metrics"}))

    assert made.caller == Caller("radiology", "batch", frozenset({"metrics"}), "key-00000007")
    assert made.caller.may("metrics")
    assert not made.caller.may("chat")


def test_admin_may_everything() -> None:
    """The scope `admin` implies the others."""
    caller = key(scopes=frozenset({"admin"})).caller

    assert caller.may("chat")
    assert caller.may("metrics")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "key-1"),
        ("id", "KEY-00000001"),
        ("id", 1),
        ("tenant", ""),
        ("tenant", "a b"),
        ("tenant", "-a"),
        ("tenant", "../a"),
        ("tenant", "a" * 65),
        ("tenant", "a\n"),
        ("tenant", None),
        ("sha256", "0" * 63),
        ("sha256", "A" * 64),
        ("sha256", SECRET),
        ("sha256", hashlib.sha256(b"").hexdigest()),
        ("name", "a" * 65),
        ("name", "two\nlines"),
        ("name", "\x1b[31m"),
        ("name", None),
        ("scopes", frozenset()),
        ("scopes", frozenset({"chat", "root"})),
        ("lane", "urgent"),
        ("lane", ["stat"]),
        ("created_at", -1),
        ("created_at", 1.5),
        ("created_at", True),
        ("created_at", 253_402_300_800),
        ("requests_per_min", 0),
        ("tokens_per_min", -1),
        ("tokens_per_min", 1.0),
        ("images_per_min", True),
        ("max_concurrent", "4"),
        ("max_concurrent", 10**12 + 1),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not(field: str, value: Any) -> None:
    """Whatever stands there may be a secret in the wrong place."""
    named = "class" if field == "lane" else field

    with pytest.raises(ValueError, match=rf"^{named} ") as refused:
        key(**{field: value})

    assert len(str(value)) < 8 or str(value) not in str(refused.value)


def test_a_key_that_is_printed_does_not_show_its_hash() -> None:
    """A traceback's locals and a careless log line hold the id alone."""
    assert key().sha256 not in repr(key())
    assert key().id in repr(key())
