"""An operator's list of origins is read strictly, and compared in one written form."""

from __future__ import annotations

import pytest

from huatuo_server.errors import SettingsError
from huatuo_server.images.remote.origin import Origin


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("https://pacs.example.org", Origin("https", "pacs.example.org", 443)),
        ("https://pacs.example.org:8443", Origin("https", "pacs.example.org", 8443)),
        ("http://pacs.example.org", Origin("http", "pacs.example.org", 80)),
        ("pacs.example.org", Origin("https", "pacs.example.org", 443)),
        ("pacs:8443", Origin("https", "pacs", 8443)),
        ("HTTPS://PACS.Example.ORG.", Origin("https", "pacs.example.org", 443)),
        ("https://my_pacs.example.org", Origin("https", "my_pacs.example.org", 443)),
        ("https://Bücher.example", Origin("https", "xn--bcher-kva.example", 443)),
        ("https://straße.example", Origin("https", "xn--strae-oqa.example", 443)),
        ("http://10.1.2.3:104", Origin("http", "10.1.2.3", 104)),
        ("https://[FD00:0::1]:8443", Origin("https", "fd00::1", 8443)),
        ("[::1]:8443", Origin("https", "::1", 8443)),
    ],
)
def test_an_entry_is_an_origin_in_its_compared_form(entry: str, origin: Origin) -> None:
    """Case, a last dot, a default port, the letters of IDNA and the ways to write IPv6 make no difference."""
    assert Origin.of_entry(entry) == origin


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "https://",
        "https://pacs.example.org/",
        "https://pacs.example.org/images",
        "pacs.example.org/images",
        "https://pacs.example.org?x=1",
        "https://pacs.example.org#x",
        "https://user@pacs.example.org",
        "https://user:secret@pacs.example.org",
        "https://*.example.org",
        "*",
        "ftp://pacs.example.org",
        "file:///srv/images",
        "//pacs.example.org",
        "https://pacs.example.org:",
        "https://pacs.example.org:0",
        "https://pacs.example.org:65536",
        "https://pacs.example.org:https",
        "https://pacs..example.org",
        "https://-pacs.example.org",
        "https://pacs.example.org\\",
        " https://pacs.example.org",
        "https://a.example.org,https://b.example.org",
        "https://" + "a" * 64 + ".example.org",
        "https://" + "abcdefg." * 32 + "org",
        "https://ｐacs.example.org",
        "https://pacs。example。org",
        "::1",
        "https://[::1",
        "https://[pacs]",
        "https://[fe80::1%25eth0]",
        "https://[fe80::1%eth0]",
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://2130706433",
        "https://010.1.2.3",
        "https://10.1.2.3.4",
    ],
)
def test_anything_else_stops_the_start_and_is_named(entry: str) -> None:
    """A path, a user name, a wildcard, another scheme or an odd host is an error that quotes the entry."""
    with pytest.raises(SettingsError) as caught:
        Origin.of_entry(entry)
    assert repr(entry) in caught.value.message
    assert caught.value.message.startswith("--remote-images: ")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("ftp://pacs.example.org", "scheme is not http or https"),
        ("https://user@pacs.example.org", "a user name"),
        ("https://pacs.example.org:https", "host or its port is malformed"),
        ("https://pacs.example.org:65536", "port is above 65535"),
        ("https://*.example.org", "host is not a name"),
        ("https://127.1", "four plain decimal numbers"),
    ],
)
def test_the_reason_is_said(entry: str, reason: str) -> None:
    """Whoever wrote the entry learns what to change."""
    with pytest.raises(SettingsError) as caught:
        Origin.of_entry(entry)
    assert reason in caught.value.message.partition(";")[0]


@pytest.mark.parametrize(
    ("entry", "authority"),
    [
        ("https://pacs.example.org:443", "pacs.example.org"),
        ("http://pacs.example.org:443", "pacs.example.org:443"),
        ("https://[fd00::1]:8443", "[fd00::1]:8443"),
        ("http://[fd00::1]", "[fd00::1]"),
    ],
)
def test_the_authority_is_what_a_host_header_holds(entry: str, authority: str) -> None:
    """A default port is left out, an IPv6 address stands in brackets."""
    assert Origin.of_entry(entry).authority == authority


def test_only_an_address_is_literal() -> None:
    """A name is looked up, an address never is."""
    assert Origin.of_entry("https://10.1.2.3").is_literal
    assert Origin.of_entry("https://[fd00::1]").is_literal
    assert not Origin.of_entry("https://10.1.2.3.example.org").is_literal
    assert not Origin.of_entry("https://cafe").is_literal
