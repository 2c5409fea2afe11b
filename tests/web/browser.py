"""Debian's Chromium under Playwright, and what else these tests need that Python does not bring."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.clients.ci_tools import missing

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "clients" / "web"
ASSEMBLED = ROOT / "server" / "huatuo_server" / "web" / "index.html"
AXE = SOURCES / "node_modules" / "axe-core" / "axe.min.js"

LIMIT_MS = 20_000
"""Of one step. Other tests may run beside this one, on few cores."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of its own, without a window. It asks nothing of any server but the page's."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=_installed(), args=["--disable-component-update", "--disable-background-networking"]
        )
        try:
            yield browser
        finally:
            browser.close()


def _installed() -> str:
    """Chromium's path. The page's files and axe are there too, or the test is skipped by name."""
    found = shutil.which("chromium")
    if found is None:
        missing("Chromium is not installed: `make ci-tools` installs Debian's")
    if not ASSEMBLED.is_file():
        missing("the page's files are not there: `make page` copies them, with npm")
    if not AXE.is_file():
        missing("axe-core is not installed: `make ci-tools` installs it")
    return str(found)
