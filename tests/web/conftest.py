"""A browser for each file of tests, pages in it that are watched, and servers on the twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from huatuo_server.engine.scripted import Completion
from tests.service.served import Served, scripted_engine, served
from tests.web.browser import chromium
from tests.web.chat_page import ChatPage
from tests.web.visiting import Twin, Visit


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its file: Playwright's event loop would be in the way of tests with one of their own."""
    with chromium() as running:
        yield running


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    """Servers that end with the test, and keep uploads as long."""
    with ExitStack() as running:

        def start(*completions: Completion, script: Mapping[str, Any] | None = None, **settings: Any) -> Served:
            own = {"files_dir": tmp_path / "files", "image_workers": 1, **settings}
            return running.enter_context(served(scripted_engine(*completions, **(script or {})), **own))

        yield start


@pytest.fixture
def visit(browser: Browser, twin: Twin) -> Iterator[Visit]:
    """Each page must have done nothing that a page never may, by the end of the test; pages end before the servers."""
    pages: list[ChatPage] = []

    def open_page(base_url: str, language: str = "en", **context: Any) -> ChatPage:
        pages.append(ChatPage.open(browser, base_url, language, **context))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()
    assert [fault for page in pages for fault in page.watch.faults] == []
