"""A URL is taken apart in one way only, and a redirect leads where a browser would say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huatuo_server.errors import RemoteImageRefused
from huatuo_server.images.remote.http_url import MAX_URL_CHARS, HttpUrl
from huatuo_server.images.remote.origin import Origin

PACS = Origin("https", "pacs.example.org", 443)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://pacs.example.org", "/"),
        ("https://pacs.example.org?a=1", "/?a=1"),
        ("https://pacs.example.org#top", "/"),
        ("https://pacs.example.org/a/../b?x=%2F&y=a@b:c#top?no", "/a/../b?x=%2F&y=a@b:c"),
        ("https://pacs.example.org#@127.0.0.1/", "/"),
        ("HTTPS://PACS.EXAMPLE.ORG.:443//a", "//a"),
    ],
)
def test_path_and_query_are_kept_as_written(url: str, target: str) -> None:
    """The fragment goes, an empty path is a slash, nothing is decoded or tidied."""
    assert HttpUrl.parse(url) == HttpUrl(PACS, target)


@pytest.mark.parametrize(
    ("location", "where"),
    [
        (b"other.png", "https://pacs.example.org/a/other.png"),
        (b"/other.png?x=1", "https://pacs.example.org/other.png?x=1"),
        (b"?x=2", "https://pacs.example.org/a/b?x=2"),
        (b"//cdn.example.org/c", "https://cdn.example.org/c"),
        (b"http://cdn.example.org:8080/c", "http://cdn.example.org:8080/c"),
        (b"", "https://pacs.example.org/a/b?x=1"),
    ],
)
def test_a_location_is_resolved_against_the_current_url(location: bytes, where: str) -> None:
    """Relative, absolute in the path, without a scheme, and whole ones."""
    assert HttpUrl.parse("https://pacs.example.org/a/b?x=1").redirected(location) == HttpUrl.parse(where)


@pytest.mark.parametrize(
    "location",
    [
        b"file:///etc/passwd",
        b"data:image/png;base64,AAAA",
        b"//user@host/",
        b"http://[::1",
        b"\xff\xfe",
        b"a b",
        b"/a\tb",
        b"\\\\h",
    ],
)
def test_a_location_that_is_no_http_url_is_refused(location: bytes) -> None:
    """Whatever a client may not send, a server may not either."""
    with pytest.raises(RemoteImageRefused):
        HttpUrl.parse("https://pacs.example.org/").redirected(location)


def test_a_long_url_is_refused() -> None:
    """One character under the limit is read, one over it is not."""
    url = "https://pacs.example.org/".ljust(MAX_URL_CHARS, "a")
    assert HttpUrl.parse(url).origin == PACS
    with pytest.raises(RemoteImageRefused):
        HttpUrl.parse(url + "a")


PIECES = [*"htps:/@#?[]\\.%0127xf-_ \t\r\n\0", "pacs", "::1", "。", "ß", "ⓛ", "\u202e", "\ud800"]
ODD = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


def check_writable(url: HttpUrl) -> None:
    assert url.target.isascii()
    assert url.target.isprintable()
    assert " " not in url.target + url.origin.host
    assert url.origin.host.isascii()


@given(ODD.map(lambda text: f"https://{text}") | ODD)
def test_any_text_is_a_url_or_is_refused(text: str) -> None:
    """No text raises anything else, and what is read can be written into a request."""
    try:
        url = HttpUrl.parse(text)
    except RemoteImageRefused:
        return
    check_writable(url)


@given(st.binary(max_size=40) | ODD.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_location_is_a_url_or_is_refused(location: bytes) -> None:
    """A server's header raises nothing else either, and is no way around: it leads where a request can be written."""
    try:
        url = HttpUrl.parse("https://pacs.example.org/a").redirected(location)
    except RemoteImageRefused:
        return
    check_writable(url)
    assert url.origin.scheme in ("http", "https")
