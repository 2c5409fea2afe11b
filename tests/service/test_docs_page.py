"""`/docs` shows the API, with nothing from any other server and with a browser held to that."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx
import pytest

from huatuo_server import __version__
from huatuo_server.routes.contract import DESCRIPTION
from huatuo_server.tenants.key import new_secret
from huatuo_server.tenants.key_file import KeyFile
from tests.server.tenants.keys import key
from tests.service.served import Served, served

RELEASED = {
    "swagger-ui-bundle.js": "3f6abf70480db7e07914df4c98a77385f22ea585eaf457a3e6415ba0eae2d167",
    "swagger-ui.css": "c3cfe8248c4b0b89673600fb829924eafbac6de4bc4b2b06f5f5243483074d0a",
}
"""SHA-256 of what npm's swagger-ui-dist 5.34.0 holds. Versions below 5.32.7 hold a DOMPurify with CVE-2026-49458."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with a key that nobody here has."""
    file: Path = tmp_path_factory.mktemp("keys") / "keys.jsonl"
    KeyFile(file).add(key(1, secret=new_secret()))
    with served(keys_file=file) as running:
        yield running


@pytest.fixture(scope="module")
def unlocked() -> Iterator[Served]:
    """One without keys, where a path that is none is a 404 for everybody."""
    with served() as running:
        yield running


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.text_in_scripts = ""
        self.tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tag = tag
        self.found += [(name, value or "") for name, value in attrs if name in ("src", "href", "style")]
        self.found += [(name, value or "") for name, value in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        if self.tag in ("script", "style"):
            self.text_in_scripts += data.strip()


def links(page: str) -> list[tuple[str, str]]:
    """Whatever the page loads, links to or runs, by attribute."""
    parser = _Links()
    parser.feed(page)
    assert parser.text_in_scripts == ""
    return parser.found


def test_the_page_and_all_that_it_loads_come_from_here_and_need_no_key(server: Served) -> None:
    """Every link is relative, and is answered."""
    address = f"{server.base_url}/docs"
    found = links(httpx.get(address).text)
    assert {name for name, _ in found} == {"src", "href"}
    for _, link in found:
        assert urlsplit(link).netloc == urlsplit(link).scheme == ""
        answer = httpx.get(urljoin(address, link))
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_and_its_document_are_of_this_server_and_version(server: Served) -> None:
    """One name for both, and the version that the package has."""
    (title,) = re.findall("<title>(.*)</title>", httpx.get(f"{server.base_url}/docs").text)
    info = httpx.get(f"{server.base_url}/openapi.json").json()["info"]
    assert (title, __version__) == (info["title"], info["version"])
    assert info["description"] == DESCRIPTION


def test_a_browser_may_load_nothing_from_elsewhere(server: Served) -> None:
    """No other origin, no inline script or style, no eval, no frame around the page."""
    for path in ("/docs", "/docs/start.js", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"):
        policy = httpx.get(server.base_url + path).headers["content-security-policy"]
        directives = dict(directive.split(" ", 1) for directive in policy.split("; "))
        assert directives["default-src"] == directives["frame-ancestors"] == directives["base-uri"] == "'none'"
        assert {word for words in directives.values() for word in words.split()} == {"'none'", "'self'", "data:"}


def test_the_style_sheet_names_no_other_server(server: Served) -> None:
    """Its pictures are in it."""
    sheet = httpx.get(f"{server.base_url}/docs/swagger-ui.css").text
    assert all(found.startswith("data:") for found in re.findall(r"url\(['\"]?([^)'\"]{5})", sheet))
    assert "@import" not in sheet


def test_the_page_asks_nobody_whether_the_document_is_valid(server: Served) -> None:
    """Swagger UI would send a browser to a validator of its makers."""
    start = httpx.get(f"{server.base_url}/docs/start.js").text
    assert "validatorUrl: null" in start
    assert 'url: "openapi.json"' in start


@pytest.mark.parametrize("name", RELEASED)
def test_swagger_ui_is_the_one_that_was_released(server: Served, name: str) -> None:
    """Byte for byte, since it runs as ours."""
    content = httpx.get(f"{server.base_url}/docs/{name}").content
    assert hashlib.sha256(content).hexdigest() == RELEASED[name]


@pytest.mark.parametrize(
    "path", ["/docs/", "/docs/index.html", "/docs/..%2fsettings.py", "/docs/__init__.py", "/redoc"]
)
def test_nothing_else_is_there(unlocked: Served, path: str) -> None:
    """A file of the package that the page does not need, a path out of it, FastAPI's other pages."""
    answer = httpx.get(unlocked.base_url + path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/openapi.json"])
def test_it_is_only_read(server: Served, path: str) -> None:
    """Any other method is a 405."""
    assert httpx.post(server.base_url + path).status_code == 405


def test_another_name_or_origin_gets_no_page(server: Served) -> None:
    """The guards of all routes hold here too."""
    assert httpx.get(f"{server.base_url}/docs", headers={"Host": "rebound.example"}).status_code == 400
    assert httpx.get(f"{server.base_url}/docs", headers={"Origin": "https://evil.example"}).status_code == 403
