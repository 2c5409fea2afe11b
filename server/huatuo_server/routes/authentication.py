"""Who asks: a key in `Authorization: Bearer`, judged before anything else of a request is looked at."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from huatuo_server.caller import ANONYMOUS
from huatuo_server.caller import Scope as KeyScope
from huatuo_server.errors import Forbidden, RequestError, Unauthorized
from huatuo_server.metrics import Metrics
from huatuo_server.routes.failures import failure_response
from huatuo_server.tenants.key import Key
from huatuo_server.tenants.keyring import Keyring

OPEN = frozenset(
    {
        "/",
        "/docs",
        "/docs/favicon-32x32.png",
        "/docs/start.js",
        "/docs/swagger-ui-bundle.js",
        "/docs/swagger-ui.css",
        "/openapi.json",
        "/health",
        "/health/live",
        "/health/ready",
        "/health/startup",
    }
)
"""Paths that need no key, beside the files of the chat page, letter by letter as the router compares them: whatever is
spelt another way needs one (CVE-2026-48746).
"""


class Authentication:
    """Pure ASGI middleware. Sets `scope["state"]["caller"]`, and `["key"]`: None where nobody is asked for one."""

    def __init__(self, app: ASGIApp, keyring: Keyring | None, metrics: Metrics, open_paths: frozenset[str]) -> None:
        self._app = app
        self._keyring = keyring
        self._metrics = metrics
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass; a refusal is answered without reading the body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["caller"], state["key"] = ANONYMOUS, None
        if self._keyring is not None and scope["path"] not in self._open_paths:
            try:
                key = _key(Headers(scope=scope), self._keyring)
                _require(key, "metrics" if scope["path"] == "/metrics" else "chat")
            except RequestError as error:
                self._metrics.rejections.labels(error.code).inc()
                await failure_response(error)(scope, receive, send)
                return
            state["caller"], state["key"] = key.caller, key
        await self._app(scope, receive, send)


def _key(headers: Headers, keyring: Keyring) -> Key:
    """Raises Unauthorized, in the same words for no key and for a wrong one."""
    kind, _, secret = headers.get("authorization", "").partition(" ")
    key = keyring.find(secret.strip()) if kind.lower() == "bearer" else None
    if key is None:
        raise Unauthorized("This server needs a key that it knows: send it as `Authorization: Bearer KEY`.")
    return key


def _require(key: Key, scope: KeyScope) -> None:
    if not key.caller.may(scope):
        raise Forbidden(f"The key has no scope `{scope}`.")
