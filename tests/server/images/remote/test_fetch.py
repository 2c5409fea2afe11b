"""Images come from the operator's origins, byte for byte, within their limits; and from nowhere else."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from huatuo_server.errors import BodyTooLarge, RemoteImageFailed, RemoteImageRefused, RequestError, SettingsError
from huatuo_server.images.remote.fetch import MAX_REDIRECTS, RemoteImages
from tests.server.images.remote.listening import (
    PATIENCE_S,
    Answer,
    Listener,
    Network,
    nothing,
    redirect,
    response,
    saying,
)

IMAGE = bytes(range(256)) * 300
MAX_BYTES = 100_000
PACS, PRIVATE = "pacs.example.org", "10.1.2.3"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    """No name leads anywhere yet, and every look-up and connection is noted."""
    return Network(monkeypatch)


@pytest.fixture
def canary() -> Iterator[Listener]:
    """A server on every address of this machine that nobody may reach; checked at the end of every test."""
    with Listener() as listener:
        yield listener
        assert listener.connections == 0


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A hospital's own certificate authority."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The operator names the authority as OpenSSL wants it."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


def certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def images(*allowed: str, max_bytes: int = MAX_BYTES, timeout_s: float = PATIENCE_S) -> RemoteImages:
    return RemoteImages(allowed, max_bytes, timeout_s)


def fetch(url: str, *allowed: str, **limits: Any) -> bytes:
    return asyncio.run(images(*allowed, **limits).fetch(url))


def refusal(url: str, *allowed: str) -> str:
    with pytest.raises(RemoteImageRefused) as caught:
        fetch(url, *allowed)
    return caught.value.message


def failure(url: str, *allowed: str, **limits: Any) -> str:
    with pytest.raises(RemoteImageFailed) as caught:
        fetch(url, *allowed, **limits)
    return caught.value.message


def at_name(network: Network, listener: Listener, name: str = PACS, address: str = PRIVATE) -> str:
    """Let a name lead to a private address behind which the listener stands. Returns the name's origin over http."""
    network.names[name], network.routes[address] = [[address]], listener.port
    return f"http://{name}:{listener.port}"


# ------------------------------------------------------------------------------------------------ what is fetched


def test_the_bytes_come_back_as_they_were_sent() -> None:
    """Over http, where the operator listed it, an image is the body and nothing else."""
    with Listener(saying(response(IMAGE))) as server:
        assert fetch(f"{server.url}/a/b.png?size=1#top", server.url) == IMAGE
    assert server.heads[0].startswith(b"GET /a/b.png?size=1 HTTP/1.1\r\n")


def test_a_body_without_a_length_comes_back_too() -> None:
    """In chunks, and up to the end of the connection."""
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with Listener(saying(chunked)) as server:
        assert fetch(server.url, server.url) == b"abcde"

    def until_the_end(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nabcde")
        connection.shutdown(socket.SHUT_WR)

    with Listener(until_the_end) as server:
        assert fetch(server.url, server.url) == b"abcde"


def test_a_request_holds_five_lines_and_no_more(network: Network) -> None:
    """No cookie, no password, no name of ours, nothing that the server could compress; the host as in the URL."""
    with Listener(saying(response(IMAGE))) as server:
        origin = at_name(network, server)
        fetch(f"{origin}/x", origin)
    assert server.heads[0].decode().split("\r\n") == [
        "GET /x HTTP/1.1",
        f"Host: {PACS}:{server.port}",
        "Accept: image/*, application/dicom",
        "Accept-Encoding: identity",
        "Connection: close",
        "",
        "",
    ]


@pytest.mark.usefixtures("trusted")
def test_https_is_asked_under_the_urls_name_at_the_private_address(network: Network, authority: trustme.CA) -> None:
    """The connection goes to the address that was judged; the certificate and the Host header are the name's."""
    served_names = []
    context = certified(authority, PACS)
    context.sni_callback = lambda _socket, name, _context: served_names.append(name)
    with Listener(saying(response(IMAGE)), context) as server:
        at_name(network, server)
        origin = f"https://{PACS}:{server.port}"
        assert fetch(f"{origin}/x.dcm", origin) == IMAGE
    assert served_names == [PACS]
    assert f"Host: {PACS}:{server.port}\r\n".encode() in server.heads[0]
    assert (network.looked_up, network.connected) == ([PACS], [(PRIVATE, server.port)])


@pytest.mark.usefixtures("trusted")
def test_https_to_an_address_needs_a_certificate_for_it(network: Network, authority: trustme.CA) -> None:
    """An origin that is an address, loopback even, is asked there, and nothing is looked up."""
    with Listener(saying(response(IMAGE)), certified(authority, "127.0.0.1")) as server:
        assert fetch(server.url, server.url) == IMAGE
    assert network.looked_up == []


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_origin_stands_in_brackets_in_the_host_header() -> None:
    """However the URL writes the address."""
    with Listener(saying(response(IMAGE))) as server:
        assert fetch(f"http://[0:0::1]:{server.port}/", f"http://[::1]:{server.port}") == IMAGE
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.heads[0]


@pytest.mark.parametrize("host", ["PACS.Example.ORG", "pacs.example.org.", "xn--bcher-kva.example", "bücher.example"])
def test_a_host_may_be_written_in_every_equal_way(network: Network, host: str) -> None:
    """Case, a last dot and IDNA's two forms are one host; what is asked is its plain form."""
    with Listener(saying(response(IMAGE))) as server:
        at_name(network, server)
        at_name(network, server, "xn--bcher-kva.example")
        allowed = (f"http://{PACS}:{server.port}", f"http://BÜCHER.example:{server.port}")
        assert fetch(f"http://{host}:{server.port}/", *allowed) == IMAGE
    assert network.looked_up[0] in (PACS, "xn--bcher-kva.example")


def test_the_next_address_of_a_name_is_asked_where_the_first_does_not_answer(network: Network) -> None:
    """Both were judged, so both may be asked."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    with Listener(saying(response(IMAGE))) as server:
        origin = at_name(network, server)
        network.names[PACS] = [["10.9.9.9", PRIVATE]]
        network.routes["10.9.9.9"] = nobody
        assert fetch(origin, origin) == IMAGE
    assert [address for address, _ in network.connected] == ["10.9.9.9", PRIVATE]


def test_a_redirect_inside_the_list_is_followed(network: Network) -> None:
    """Relative ones, and those to another listed origin."""
    with Listener(saying(response(IMAGE))) as archive:
        target = at_name(network, archive)
        with Listener(saying(redirect("/b", "307 Temporary Redirect"), redirect(f"{target}/c"))) as first:
            assert fetch(f"{first.url}/a", first.url, target) == IMAGE
    assert [head.split(b" ")[1] for head in first.heads + archive.heads] == [b"/a", b"/b", b"/c"]


@pytest.mark.parametrize("status", ["301 a", "302 b", "303 c", "307 d", "308 e"])
def test_every_redirecting_status_is_one(status: str) -> None:
    """Those of RFC 9110 that carry a Location for a GET."""
    with Listener(saying(redirect("/next", status), response(IMAGE))) as server:
        assert fetch(server.url, server.url) == IMAGE


def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    """The fourth redirect is an error, and is not asked."""
    turns = [redirect("/again")] * MAX_REDIRECTS
    with Listener(saying(*turns, response(IMAGE))) as server:
        assert fetch(server.url, server.url) == IMAGE
    with Listener(saying(*turns, redirect("/again"), response(IMAGE))) as server:
        assert "more than 3 times" in failure(server.url, server.url)
    assert server.connections == MAX_REDIRECTS + 1


@pytest.mark.usefixtures("trusted")
def test_a_proxy_of_the_environment_is_not_used(
    canary: Listener, monkeypatch: pytest.MonkeyPatch, network: Network, authority: trustme.CA
) -> None:
    """Neither for http nor for https, in capitals or not."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, canary.url)
        monkeypatch.setenv(name.lower(), canary.url)
    with Listener(saying(response(IMAGE))) as plain:
        origin = at_name(network, plain)
        assert fetch(origin, origin) == IMAGE
    with Listener(saying(response(IMAGE)), certified(authority, "127.0.0.1")) as encrypted:
        assert fetch(encrypted.url, encrypted.url) == IMAGE


def test_it_works_on_the_servers_event_loop() -> None:
    """uvicorn takes uvloop where it is installed."""
    uvloop = pytest.importorskip("uvloop")
    with Listener(saying(response(IMAGE))) as server, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(images(server.url).fetch(server.url)) == IMAGE


# ------------------------------------------------------------------------------------------------ what is refused


def test_without_a_list_everything_is_refused(canary: Listener, network: Network) -> None:
    """The message says what to do instead."""
    message = refusal(canary.url)
    assert "fetches no images" in message
    assert "data:image/png;base64," in message
    assert (network.looked_up, network.connected) == ([], [])


def test_a_wrong_entry_stops_the_start() -> None:
    """One bad entry among good ones is found before any request."""
    with pytest.raises(SettingsError, match=r"'https://\*\.example\.org'"):
        images("https://pacs.example.org", "https://*.example.org")


ALLOWED = (f"https://{PACS}", "http://images.example.org:8080", "https://xn--bcher-kva.example")

OUTSIDE = [
    *("http://169.254.169.254/latest/meta-data/", "http://169.254.169.254:{port}/"),
    *("http://127.0.0.1:{port}/", "http://127.0.0.1.:{port}/", "http://0.0.0.0:{port}/", "http://0:{port}/"),
    *("http://[::1]:{port}/", "http://[::]:{port}/", "http://[::ffff:127.0.0.1]:{port}/"),
    *("http://[::ffff:7f00:1]:{port}/", "http://[::127.0.0.1]:{port}/", "http://[64:ff9b::7f00:1]:{port}/"),
    *("http://[0:0:0:0:0:0:0:1]:{port}/", "http://[::1%25lo]:{port}/", "http://[::1%lo]:{port}/"),
    *("http://0x7f.1:{port}/", "http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f000001:{port}/"),
    *("http://017700000001:{port}/", "http://0177.0.0.1:{port}/", "http://127.0.0.0x1:{port}/", "http://0x:{port}/"),
    *(
        "http://localhost:{port}/",
        "http://LOCALHOST:{port}/",
        "http://localhost.:{port}/",
        "http://ip6-localhost:{port}/",
    ),
    *("http://127.0.0.1.nip.io:{port}/", "http://localtest.me:{port}/", "http://7f000001.nip.io:{port}/"),
    *(
        "file:///etc/passwd",
        "/etc/passwd",
        "etc/passwd",
        "//127.0.0.1:{port}/",
        "//" + PACS + "/",
        "",
        "http:",
        "http://",
    ),
    *("http:///127.0.0.1:{port}/", "http:127.0.0.1:{port}", "http:/127.0.0.1:{port}/", "127.0.0.1:{port}"),
    *(
        "gopher://127.0.0.1:{port}/_GET",
        "ftp://127.0.0.1:{port}/",
        "dict://127.0.0.1:{port}/",
        "ws://127.0.0.1:{port}/",
    ),
    *("http+unix://127.0.0.1:{port}/", "jar:http://127.0.0.1:{port}!/", "url:http://127.0.0.1:{port}/"),
    "https://" + PACS + "@127.0.0.1:{port}/",
    "https://" + PACS + ":443@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}@" + PACS + "/",
    "https://user@" + PACS + "/",
    "https://@" + PACS + "/",
    "https://" + PACS + "%40127.0.0.1:{port}/",
    "https://" + PACS + "\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@" + PACS + "/",
    "https://" + PACS + "/\\..\\",
    "http:\\\\127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@" + PACS + "/",
    "http://127.0.0.1:{port}?@" + PACS + "/",
    "http://127.0.0.1:{port}/@" + PACS + "/",
    "https://" + PACS + "%00.127.0.0.1:{port}/",
    "https://" + PACS + "\0@127.0.0.1:{port}/",
    "https://" + PACS + "%2f@127.0.0.1:{port}/",
    " https://" + PACS + "/",
    "https://" + PACS + "/ ",
    "https://" + PACS + "/a b",
    "https://" + PACS + "/\r\nHost: 127.0.0.1:{port}\r\n",
    "https://" + PACS + "/#\n",
    "ht\ntp://127.0.0.1:{port}/",
    "http://127.0.0.1\t:{port}/",
    "https://" + PACS + "/bücher.png",
    "https://pаcs.example.org/",  # a Cyrillic a
    "https://ｐacs.example.org/",  # a wide p
    "https://pacs。example。org/",  # ideographic full stops
    "https://pacs.example.org／.127.0.0.1:{port}/",  # a wide slash
    "https://pacs.example.org＠127.0.0.1:{port}/",  # a wide at
    "https://pacs\u00ad.example.org/",  # a soft hyphen
    "https://pacs\u200b.example.org/",  # a space of no width
    "https://bucher.example/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://１２７.0.0.1:{port}/",
    *("https://" + PACS + ":444/", "http://" + PACS + "/", "http://" + PACS + ":443/", "https://" + PACS + ":80/"),
    *("http://images.example.org/", "https://images.example.org:8080/", "https://" + PACS + ":{port}/"),
    *("https://" + PACS + ":/", "https://" + PACS + ":0/", "https://" + PACS + ":00443/", "https://" + PACS + ":-443/"),
    *("https://" + PACS + ":65979/", "https://" + PACS + ":４４３/", "https://" + PACS + ":443:{port}/"),
    *(
        "https://sub." + PACS + "/",
        "https://" + PACS + ".evil.example/",
        "https://evil" + PACS + "/",
        "https://example.org/",
    ),
    *("https://" + PACS + "../", "https://." + PACS + "/", "https://[" + PACS + "]/", "https://[::1]" + PACS + "/"),
    "https://" + PACS + "/" + "a" * 8000,
]


@pytest.mark.parametrize("template", OUTSIDE)
def test_the_canary_hears_nothing_of_a_url_outside_the_list(canary: Listener, network: Network, template: str) -> None:
    """Whatever a URL looks like, a host that is not listed is neither looked up nor asked."""
    url = template.replace("{port}", str(canary.port))
    network.names = {name: [["127.0.0.1"]] for name in ("localhost", PACS, "127.0.0.1.nip.io", "localtest.me")}
    message = refusal(url, *ALLOWED)
    assert "127" not in message
    assert (network.looked_up, network.connected) == ([], [])


def test_the_canary_hears_a_listed_address() -> None:
    """The proof that the silence above is worth something: the same listener, listed, is asked."""
    with Listener(saying(response(IMAGE))) as listener:
        fetch(listener.url, listener.url)
    assert listener.connections == 1


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.1.2.3", "127.0.0.1"],
        ["93.184.216.34", "::1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["fe80::1%lo"],
        ["0.0.0.0"],
        ["255.255.255.255"],
        ["224.0.0.1"],
    ],
)
@pytest.mark.parametrize("name", [PACS, "localhost", "127.0.0.1.nip.io"])
def test_a_listed_name_that_leads_to_a_refused_address_is_not_asked(
    canary: Listener, network: Network, name: str, addresses: list[str]
) -> None:
    """Alone or among good ones, and whatever the name is."""
    network.names[name] = [addresses]
    origin = f"http://{name}:{canary.port}"
    assert "an address that no image is fetched from" in refusal(f"{origin}/", origin)
    assert network.connected == []


def test_a_name_is_looked_up_once_and_the_answer_is_where_the_connection_goes(network: Network) -> None:
    """A name that turns to loopback between check and connection gains nothing."""
    with Listener(saying(response(IMAGE))) as server:
        origin = at_name(network, server)
        network.names[PACS] = [[PRIVATE], ["127.0.0.1"]]
        assert fetch(origin, origin) == IMAGE
    assert network.looked_up == [PACS]
    assert network.connected == [(PRIVATE, server.port)]


def test_a_name_that_turns_to_loopback_before_a_redirect_is_refused(canary: Listener, network: Network) -> None:
    """Every hop is looked up and judged anew."""
    with Listener(saying(redirect("/again"))) as server:
        origin = at_name(network, server)
        network.names[PACS] = [[PRIVATE], ["127.0.0.1"]]
        refusal(origin, origin)
    assert server.connections == 1


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "//127.0.0.1:{port}/",
        "http://0x7f.1:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "https://{server}/",
        "http://{server}@127.0.0.1:{port}/",
        "/\\127.0.0.1:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:{port}/",
        "http://listed-but-loopback.example.org:{port}/",
        "http://127.0.0.1:{port}\u00e9/",
    ],
)
def test_a_redirect_is_checked_as_a_url_is(canary: Listener, network: Network, location: str) -> None:
    """An allowed server cannot send us where a client cannot."""
    turned = f"http://listed-but-loopback.example.org:{canary.port}"
    network.names["listed-but-loopback.example.org"] = [["127.0.0.1"]]
    with Listener() as server:
        location = location.replace("{port}", str(canary.port)).replace("{server}", f"127.0.0.1:{server.port}")
        server.answer = saying(redirect("HERE").replace(b"HERE", location.encode("latin-1")))
        refusal(server.url, server.url, turned)
    assert server.connections == 1
    assert network.connected == [("127.0.0.1", server.port)]


@pytest.mark.usefixtures("trusted")
def test_https_goes_on_to_http_only_where_that_is_listed(canary: Listener, authority: trustme.CA) -> None:
    """The name alone is not enough: http is another origin."""
    with Listener(saying(response(IMAGE))) as plain:
        turns = saying(redirect(f"{plain.url}/"), redirect(f"{canary.url}/"))
        with Listener(turns, certified(authority, "127.0.0.1")) as server:
            assert fetch(server.url, server.url, plain.url) == IMAGE
            refusal(server.url, server.url, plain.url)


# ------------------------------------------------------------------------------------------------ what fails


@pytest.mark.parametrize("status", ["204 x", "206 x", "304 x", "401 x", "404 Not Found", "500 x", "599 x"])
def test_any_other_status_is_named(status: str) -> None:
    """A part of an image, an error's page and a status without a body are no image."""
    with Listener(saying(response(b"", status))) as server:
        assert f"the status {status[:3]}" in failure(server.url, server.url)


@pytest.mark.parametrize("headers", [[], ["Location: /a", "Location: /b"]])
def test_a_redirect_without_one_location_fails(headers: list[str]) -> None:
    """It says where to go exactly once."""
    with Listener(saying(response(b"", "302 Found", headers))) as server:
        assert "not to one place" in failure(server.url, server.url)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x-unknown"])
def test_compressed_content_is_not_read(coding: str) -> None:
    """A kilobyte may become a gigabyte, and identity was all that was asked for."""
    with Listener(saying(response(IMAGE, headers=[f"Content-Encoding: {coding}"]))) as server:
        assert "compressed" in failure(server.url, server.url)
    with Listener(saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")) as server:
        failure(server.url, server.url)


def test_content_that_says_it_is_not_compressed_is_read() -> None:
    """Content-Encoding: identity changes nothing."""
    with Listener(saying(response(IMAGE, headers=["Content-Encoding: Identity"]))) as server:
        assert fetch(server.url, server.url) == IMAGE


def endlessly(piece: bytes, head: bytes = b"HTTP/1.1 200 OK\r\n") -> Answer:
    """Sends the head once, then the piece for ever."""

    def answer(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return answer


def test_an_announced_size_over_the_limit_is_not_read() -> None:
    """The error comes before the body does: here it never comes."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {MAX_BYTES + 1}\r\n\r\n".encode()
    with Listener(saying(head)) as server, pytest.raises(BodyTooLarge, match=r"100000 bytes \(--max-image-bytes\)"):
        fetch(server.url, server.url)


def test_the_largest_size_is_read() -> None:
    """The limit itself is allowed."""
    with Listener(saying(response(bytes(MAX_BYTES)))) as server:
        assert len(fetch(server.url, server.url)) == MAX_BYTES


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"400\r\n" + bytes(1024) + b"\r\n"),
        (b"HTTP/1.0 200 OK\r\n\r\n", bytes(1024)),
    ],
)
def test_an_unannounced_size_over_the_limit_ends_the_reading(head: bytes, piece: bytes) -> None:
    """Bytes are counted as they come, and the connection is closed at once."""
    with Listener(endlessly(piece, head)) as server:
        with pytest.raises(BodyTooLarge, match="--max-image-bytes"):
            fetch(server.url, server.url)
        server.left.get(timeout=PATIENCE_S)


def test_a_body_that_is_shorter_than_announced_fails() -> None:
    """Half an image is not taken for a whole one."""

    def half(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(response(IMAGE)[:-1])
        connection.shutdown(socket.SHUT_WR)

    with Listener(half) as server:
        assert "broke off" in failure(server.url, server.url)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x01\x02 no HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_an_answer_that_is_not_http_fails(answer: bytes) -> None:
    """Rubbish, sizes that contradict each other, another protocol."""
    with Listener(saying(answer)) as server:
        assert "malformed" in failure(server.url, server.url)


@pytest.mark.parametrize("piece", [b"X-More: " + b"a" * 1000 + b"\r\n", b"a" * 1000])
def test_headers_without_an_end_fail_soon(piece: bytes) -> None:
    """They are read up to 100 KB, of however many lines."""
    with Listener(endlessly(piece)) as server:
        assert "malformed" in failure(server.url, server.url)


def test_nobody_listening_fails() -> None:
    """A refused connection is the URL's failure, not ours."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    assert "could not be reached" in failure(url, url)


@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_another_name_is_refused(network: Network, authority: trustme.CA) -> None:
    """Nothing is asked of a server that cannot prove its name."""
    with Listener(saying(response(IMAGE)), certified(authority, "other.example.org")) as server:
        at_name(network, server)
        origin = f"https://{PACS}:{server.port}"
        assert "certificate" in failure(origin, origin)
    assert server.heads == []


@pytest.mark.usefixtures("trusted")
def test_a_certificate_of_an_unknown_authority_is_refused(network: Network) -> None:
    """Even for the right name."""
    with Listener(saying(response(IMAGE)), certified(trustme.CA(), PACS)) as server:
        at_name(network, server)
        origin = f"https://{PACS}:{server.port}"
        assert "certificate" in failure(origin, origin)
    assert server.heads == []


# ------------------------------------------------------------------------------------------------ time and hang-ups


def dripping(start: bytes, piece: bytes) -> Answer:
    """A byte or a line every hundredth of a second, for as long as somebody reads."""

    def answer(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(start)
        while not threading.Event().wait(0.01):
            connection.sendall(piece)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        nothing,
        dripping(b"HTTP/1.1 200 OK\r\n", b"X"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silence", "headers", "body", "interim"],
)
def test_a_slow_answer_ends_at_the_limit(answer: Answer) -> None:
    """The limit is for the whole: bytes that keep coming do not extend it."""
    with Listener(answer) as server:
        began = time.monotonic()
        assert "within 0.2 seconds (--remote-timeout-s)" in failure(server.url, server.url, timeout_s=0.2)
        assert time.monotonic() - began < PATIENCE_S / 2
        server.left.get(timeout=PATIENCE_S)


def test_a_handshake_that_never_ends_ends_at_the_limit() -> None:
    """And leaves no connection open."""
    with Listener() as server:
        url = server.url.replace("http:", "https:")
        assert "--remote-timeout-s" in failure(url, url, timeout_s=0.2)
        server.left.get(timeout=PATIENCE_S)


def test_a_slow_chain_of_redirects_ends_at_the_limit() -> None:
    """Each hop is quick enough; all of them together are not."""

    def slowly(connection: socket.socket, _head: bytes) -> None:
        threading.Event().wait(0.15)
        connection.sendall(redirect("/again"))

    with Listener(slowly) as server:
        assert "--remote-timeout-s" in failure(server.url, server.url, timeout_s=0.4)


def test_a_slow_look_up_ends_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver has no limit of its own that we know."""
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(PATIENCE_S))

    async def ask() -> None:
        try:
            await images("http://pacs.example.org", timeout_s=0.1).fetch("http://pacs.example.org/")
        finally:
            answered.set()

    with pytest.raises(RemoteImageFailed, match="--remote-timeout-s"):
        asyncio.run(ask())


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cancelling_closes_the_connection_at_once(scheme: str) -> None:
    """While the answer is awaited, and in the middle of a handshake."""

    async def cancel() -> None:
        url = server.url.replace("http:", f"{scheme}:")
        task = asyncio.create_task(images(url).fetch(url))
        await asyncio.to_thread(server.asked.get, timeout=PATIENCE_S)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(server.left.get, timeout=1)

    with Listener() as server:
        asyncio.run(cancel())


def test_tiny_chunks_let_others_run_in_between() -> None:
    """Sixty-four kilobytes of chunks of one byte come at once; a neighbour gets a turn for each of them."""
    chunks = 20_000
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * chunks + b"0\r\n\r\n"
    turns = 0

    async def neighbour() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def ask() -> bytes:
        task = asyncio.create_task(neighbour())
        try:
            return await images(server.url).fetch(server.url)
        finally:
            task.cancel()

    with Listener(saying(body)) as server:
        assert asyncio.run(ask()) == b"x" * chunks
    assert turns >= chunks


def test_a_large_image_is_held_once() -> None:
    """Sixteen megabytes take less than twenty-four while they come."""
    size = 16 * 1024 * 1024

    async def length_and_peak() -> tuple[int, int]:
        tracemalloc.start()
        try:
            image = await images(server.url, max_bytes=size).fetch(server.url)
            return len(image), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with Listener(saying(response(bytes(size)))) as server:
        length, peak = asyncio.run(length_and_peak())
    assert length == size
    assert peak < 1.5 * size


# ------------------------------------------------------------------------------------------------ what is said


def failing_calls() -> Iterator[tuple[str, Answer, dict[str, Any]]]:
    """A path for each way to fail, and what the server says to it."""
    leak = ["X-Leak: leaked-header", "Location: http://leaked-host.example/leaked-path"]
    yield "/status-leaked", saying(response(b"leaked-body", "404 leaked-reason", leak)), {}
    yield "/redirect-leaked", saying(response(b"leaked-body", "302 leaked-reason", leak)), {}
    yield "/rubbish-leaked", saying(b"leaked-rubbish\r\n\r\n"), {}
    yield "/large-leaked", saying(response(b"leaked-body")), {"max_bytes": 1}
    yield "/slow-leaked", nothing, {"timeout_s": 0.1}
    yield "/gzip-leaked", saying(response(b"leaked-body", headers=["Content-Encoding: leaked-coding"])), {}


def test_errors_and_the_log_hold_nothing_of_the_url_or_the_answer(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    """No host, path, query, address, header or body of the other side, in any error; and not a line in the log."""
    caplog.set_level(logging.INFO)
    for path, answer, limits in failing_calls():
        with Listener(answer) as server:
            origin = at_name(network, server, "leaked-name.example.org")
            with pytest.raises(RequestError) as caught:
                fetch(f"{origin}{path}?leaked-query", origin, **limits)
        said = json.dumps(caught.value.body())
        assert not any(word in said for word in ("leaked", PRIVATE, str(server.port), "example.org")), said
    assert caplog.records == []


@pytest.mark.parametrize(
    "url", ["https://leaked.example.org/", "leaked", "https://leaked@leaked/", "https://leaked:leaked/", "leaked://a/"]
)
def test_a_refusal_holds_nothing_of_the_url(url: str) -> None:
    """It says what is wrong with it, and what to send instead."""
    message = refusal(url, *ALLOWED)
    assert "leaked" not in message
    assert "data:image/png;base64," in message
