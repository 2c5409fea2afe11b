"""What a page must never do, seen from outside it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, Response

REPORTER = "reportToTheTest"

LISTENER = f"""
window.addEventListener("securitypolicyviolation", (event) => {{
  window.{REPORTER}(`${{event.effectiveDirective}} blocked ${{event.blockedURI}} ${{event.sample}}`);
}});
"""

LOCAL_SCHEMES = {"data", "blob"}

SAID_BY_THE_BROWSER = "Failed to load resource"
"""Begins the line that Chromium itself writes of each answer that is an error; `refusals` has those."""


class Watch:
    """`faults`: violations of the Content-Security-Policy, errors and warnings in the console, exceptions, dialogs, and
    requests to another host. `refusals`: the statuses from 400 on that the server gave.
    """

    def __init__(self, context: BrowserContext, base_url: str) -> None:
        """Of all pages that the context opens from now on."""
        self._host = urlsplit(base_url).netloc
        self.faults: list[str] = []
        self.refusals: set[int] = set()
        context.expose_binding(REPORTER, self._violated)
        context.add_init_script(LISTENER)
        context.on("request", self._requested)
        context.on("response", self._answered)
        context.on("console", self._said)
        context.on("page", self._opened)

    def _opened(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("dialog", self._asked)

    def _asked(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _violated(self, _source: dict[str, Any], said: str) -> None:
        self.faults.append(f"policy: {said}")

    def _requested(self, request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in LOCAL_SCHEMES and url.netloc != self._host:
            self.faults.append(f"another host: {url.scheme}://{url.netloc}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.refusals.add(response.status)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(SAID_BY_THE_BROWSER):
            self.faults.append(f"console: {message.text}")
