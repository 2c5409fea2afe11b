"""axe-core over the page as it stands."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from tests.web.browser import AXE

RUN = "async () => (await axe.run(document, {preload: false, resultTypes: ['violations']})).violations"


def barriers(page: Page) -> list[str]:
    """What axe finds, one line each: its rule, and the elements."""
    page.evaluate(f"() => {{ {AXE.read_text(encoding='utf-8')}; }}")
    found: list[dict[str, Any]] = page.evaluate(RUN)
    return [f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']]}" for one in found]
