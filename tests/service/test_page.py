"""The chat page: served whole, to everybody, and with a browser held to nothing but this server."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from huatuo_server import app
from huatuo_server.page import FOLDER, Page
from huatuo_server.tenants.key import new_secret
from huatuo_server.tenants.key_file import KeyFile
from tests.clients.ci_tools import missing
from tests.server.tenants.keys import key
from tests.service.served import Served, served

IMPORT_MAP = '{"imports": {"lit": "./page/vendor/lit/index.js"}}'

FILES = {
    "index.html": f'<script type="importmap">{IMPORT_MAP}</script><script type="module" src="page/src/main.js">',
    "style.css": "body { color: white; }",
    "icon.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "src/main.js": 'import "lit";',
    "vendor/lit/index.js": "export {};",
    "vendor/lit/LICENSE": "BSD 3-Clause License",
    "vendor/markdown-it/dist/browser/markdown-it.esm.min.mjs": "export default 1;",
}
"""A page in small."""

MEDIA_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    "src/main.js": "text/javascript; charset=utf-8",
    "vendor/lit/LICENSE": "text/plain; charset=utf-8",
    "vendor/markdown-it/dist/browser/markdown-it.esm.min.mjs": "text/javascript; charset=utf-8",
}

MOST_BYTES = 150_000
"""Of everything that a browser may load, gzipped."""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a key that nobody here has, and a small page."""
    folder = tmp_path_factory.mktemp("page")
    write(folder / "web")
    file: Path = folder / "keys.jsonl"
    KeyFile(file).add(key(1, secret=new_secret()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "FOLDER", folder / "web")
        with served(keys_file=file) as running:
            yield running


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that was installed without npm, and has no keys."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "FOLDER", tmp_path_factory.mktemp("empty"))
        with served() as running:
            yield running


@pytest.fixture(scope="module")
def page() -> Page:
    """The page that is in the package."""
    found = Page.read(FOLDER)
    if found is None:
        missing("the chat page is not put together: `make page` does it, where npm is")
        raise AssertionError("missing() returned")
    return found


def write(folder: Path) -> None:
    """FILES below a folder."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def directives(answer: httpx.Response) -> dict[str, list[str]]:
    """An answer's Content-Security-Policy."""
    policy = answer.headers["content-security-policy"]
    return {words[0]: words[1:] for words in (directive.split() for directive in policy.split("; "))}


def test_everything_of_the_page_is_open_and_has_its_media_type(small: Served) -> None:
    """Nobody can type a key into a page that needs one to open."""
    index = httpx.get(f"{small.base_url}/")

    assert (index.status_code, index.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert index.text == FILES["index.html"]
    for name in FILES.keys() - {"index.html"}:
        answer = httpx.get(f"{small.base_url}/page/{name}")
        assert (answer.status_code, answer.text) == (200, FILES[name])
        assert answer.headers["content-type"] == MEDIA_TYPES.get(name, "text/javascript; charset=utf-8")


@pytest.mark.parametrize("path", ["/", "/page/src/main.js", "/page/icon.svg"])
def test_a_browser_may_load_and_make_nothing_from_elsewhere(small: Served, path: str) -> None:
    """Not by a link, an inline script or style, a frame or a form; and HTML is made by two policies only."""
    answer = httpx.get(small.base_url + path)
    digest = base64.b64encode(hashlib.sha256(IMPORT_MAP.encode()).digest()).decode()

    assert directives(answer) == {
        "default-src": ["'none'"],
        "script-src": ["'self'", f"'sha256-{digest}'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "connect-src": ["'self'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["lit-html", "dompurify"],
    }
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/page",
        "/page/",
        "/page/index.html",
        "/page/nothing.js",
        "/page/src",
        "/page//src/main.js",
        "/page/../settings.py",
        "/page/src/../../../settings.py",
        "/page/%2e%2e/settings.py",
        "/page/..%2f..%2fsettings.py",
        "/page/src%5c..%5c..%5csettings.py",
        "/page//etc/passwd",
        "/page/%2fetc%2fpasswd",
        "/page/src/main.js%00",
        "/page/src/main.js/",
        "/PAGE/src/main.js",
        "/index.html",
    ],
)
def test_nothing_else_is_open(small: Served, path: str) -> None:
    """Another name, a folder, a way out of the folder: each needs a key, as everything else does."""
    connection = http.client.HTTPConnection("127.0.0.1", small.port, timeout=10)
    connection.request("GET", path)

    assert connection.getresponse().status == 401


@pytest.mark.parametrize("path", ["/page/nothing.js", "/page/../settings.py", "/page/..%2fsettings.py", "/page/"])
def test_what_is_no_file_of_the_page_is_not_found(without: Served, path: str) -> None:
    """In the API's own shape, and without the path."""
    connection = http.client.HTTPConnection("127.0.0.1", without.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()

    assert answer.status == 404
    assert b"settings" not in answer.read()


@pytest.mark.parametrize("path", ["/", "/page/src/main.js"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_browser_that_has_a_file_is_told_so(small: Served, path: str, encoding: str) -> None:
    """It asks at every load, so that it never mixes two versions, and gets the file only where it has changed."""
    first = httpx.get(small.base_url + path, headers={"Accept-Encoding": encoding})
    tag = first.headers["etag"]
    again = [
        httpx.get(small.base_url + path, headers={"Accept-Encoding": encoding, "If-None-Match": wanted})
        for wanted in (tag, f"W/{tag}", f'"other", {tag}', '"other"')
    ]

    assert first.headers["cache-control"] == "no-cache"
    assert [answer.status_code for answer in again] == [304, 304, 304, 200]
    assert {answer.headers["etag"] for answer in again} == {tag}
    assert again[0].content == b""


def test_files_are_gzipped_for_who_takes_that(small: Served) -> None:
    """The same bytes, and caches are told that there are two forms."""
    address = f"{small.base_url}/page/style.css"
    zipped = httpx.get(address, headers={"Accept-Encoding": "gzip, deflate, br"})
    plain = httpx.get(address, headers={"Accept-Encoding": "identity"})

    assert (zipped.headers.get("content-encoding"), plain.headers.get("content-encoding")) == ("gzip", None)
    assert zipped.content == plain.content == FILES["style.css"].encode()
    assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert zipped.headers["etag"] != plain.headers["etag"]


@pytest.mark.parametrize("path", ["/", "/page/src/main.js"])
def test_the_page_is_only_read(small: Served, path: str) -> None:
    """Any other method is a 405."""
    assert httpx.post(small.base_url + path).status_code == 405


def test_another_name_or_origin_does_not_get_the_page(small: Served) -> None:
    """The guards of all routes hold here too."""
    assert httpx.get(f"{small.base_url}/", headers={"Host": "rebound.example"}).status_code == 400
    assert httpx.get(f"{small.base_url}/", headers={"Origin": "https://evil.example"}).status_code == 403


def test_without_npm_the_api_serves_and_the_page_says_what_is_missing(without: Served) -> None:
    """In a browser, at the address where the page would be."""
    answer = httpx.get(f"{without.base_url}/")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "npm" in answer.text
    assert "make page" in answer.text
    assert directives(answer)["default-src"] == ["'none'"]
    assert without.create().choices[0].message.content == "Four small words here."


class _Loaded(HTMLParser):
    """What a page loads, links to or runs."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.other: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.other += [name for name, _ in attrs if name == "style" or name.startswith("on")]


def test_the_page_in_the_package_loads_only_what_is_there(page: Page) -> None:
    """Every link and every name of the import map is relative, and a file or the beginning of files."""
    text = page.index.content.decode()
    loaded = _Loaded(text)
    (import_map,) = re.findall(r'<script type="importmap">(.*?)</script>', text, re.DOTALL)
    mapped = re.findall(r'"(\./[^"]+)"', import_map)

    assert loaded.other == []
    assert mapped
    for link in [*loaded.links, *mapped]:
        assert urlsplit(link).netloc == urlsplit(link).scheme == ""
        path = urljoin("/", link)
        assert path in page.paths or (path.endswith("/") and any(one.startswith(path) for one in page.paths)), link


def test_the_page_is_small(page: Page) -> None:
    """At most 150 KB come over the wire for all of it, licences left out."""
    sizes = {
        name: len(file.gzipped) for name, file in page.files.items() if not file.media_type.startswith("text/plain")
    }
    total = len(page.index.gzipped) + sum(sizes.values())

    assert total <= MOST_BYTES, sorted(sizes.items(), key=lambda one: -one[1])[:10]


def test_no_file_of_ours_names_another_host(page: Page) -> None:
    """No address but the names of XML's languages, which nobody asks for."""
    ours = {name: file.content.decode() for name, file in page.files.items() if not name.startswith("vendor/")}
    named = {
        (name, host)
        for name, text in [*ours.items(), ("index.html", page.index.content.decode())]
        for host in re.findall(r"(?:https?|wss?):\\?/\\?/([\w.-]+\.\w+)", text)
    }

    assert {host for _, host in named} <= {"www.w3.org"}, named


def test_no_module_of_a_package_loads_anything_by_address(page: Page) -> None:
    """Imports are names of the map or relative; addresses in comments, messages and licences are not asked for."""
    modules = {
        name: file.content.decode()
        for name, file in page.files.items()
        if name.startswith("vendor/") and file.media_type.startswith("text/javascript")
    }
    loading = r"""(?:\bfrom|\bimport|\bfetch|\bWebSocket|\bsrc\s*=|\bhref\s*=)\s*\(?\s*["'`](?:https?:|wss?:)?//"""

    assert modules
    assert [name for name, text in modules.items() if re.search(loading, text)] == []


def test_every_package_comes_with_its_licence(page: Page) -> None:
    """Also those that are inside of another's file."""
    packages = {
        re.findall(r"^vendor/((?:@[^/]+/)?[^/]+)", name)[0] for name in page.files if name.startswith("vendor/")
    }
    licensed = {
        package
        for package in packages
        for name in page.files
        if re.match(rf"vendor/{re.escape(package)}/(?:licen[cs]e|notice)", name, re.IGNORECASE)
    }

    assert {"lit", "lit-html", "lit-element", "@lit/reactive-element"} <= packages
    assert {"markdown-it", "dompurify", "dicom-parser", "linkify-it", "entities"} <= packages
    assert licensed == packages


def test_the_zipped_files_are_the_files(page: Page) -> None:
    """Whatever way they are sent."""
    assert all(gzip.decompress(file.gzipped) == file.content for file in page.files.values())
