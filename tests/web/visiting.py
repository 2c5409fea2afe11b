"""What the fixtures hand to a test: how to start a server, and how to visit its page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from huatuo_server.engine.scripted import Completion
from tests.service.served import Served
from tests.web.chat_page import ChatPage


class Twin(Protocol):
    """Starts a server whose answers are these, one after the other, round and round.

    script: other fields of the twin's script. settings: what `served` takes.
    """

    def __call__(
        self, *completions: Completion, script: Mapping[str, Any] | None = None, **settings: Any
    ) -> Served: ...


class Visit(Protocol):
    """Opens the page of a server as somebody new: `language` is the browser's. context: Playwright's, for a context."""

    def __call__(self, base_url: str, language: str = "en", **context: Any) -> ChatPage: ...
