"""The page windows by itself while a window is dragged. Its vectors are this code's, and stay so."""

from __future__ import annotations

import json

from tests.server.images.page_vectors import FILE, document, written


def test_the_pages_vectors_are_what_the_server_computes() -> None:
    """Where this fails, `python -m tests.server.images.page_vectors` writes them anew, and the page has to follow."""
    assert FILE.read_text(encoding="utf-8") == written()


def test_the_file_holds_all_of_them() -> None:
    """As JSON that the page's tests can read."""
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(document()))
