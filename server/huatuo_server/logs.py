"""The log: JSON lines on stderr, of an allow-list of fields. What a client sent is never logged.

An exception is logged as its type and the places it passed, without its text: libraries quote their input in theirs.
vLLM's processes write their own lines, in vLLM's format, to the same stderr; they hold no prompts either.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
import warnings
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pythonjsonlogger.json import JsonFormatter

ALLOWED_FIELDS = frozenset(
    {
        *("timestamp", "level", "logger", "message", "exception"),
        *("method", "route", "status", "duration_ms", "request_id", "key"),
        "details",
    }
)
"""Whatever else is given as `extra` is dropped."""

PROBES = ("/health", "/metrics")
"""Routes that machines ask every few seconds: logged at DEBUG."""

access_log = logging.getLogger("huatuo_server.access")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Message, Receive, Send], Awaitable[None]]


def configure(level: int = logging.INFO) -> None:
    """Send every logger of this process to stderr as JSON lines; Uvicorn's own only from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(AllowListFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("huatuo_server").setLevel(level)
    logging.captureWarnings(True)
    quieten_pictures()


def quieten_pictures() -> None:
    """Pillow warns of every odd tag, with the client's numbers: 3.7 MB of log lines from one damaged TIFF."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("ignore", module=r"huatuo_server\.images\.")


class AllowListFormatter(JsonFormatter):
    """One JSON object a record, holding `ALLOWED_FIELDS` alone."""

    def __init__(self) -> None:
        super().__init__(
            "{levelname}{name}{message}",
            style="{",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp=True,
            json_ensure_ascii=False,
        )

    def format(self, record: logging.LogRecord) -> str:
        """As logging.Formatter.format, without ever keeping the exception's text in `record.exc_text`."""
        exc_info, exc_text = record.exc_info, record.exc_text
        record.exc_info = record.exc_text = None
        try:
            error = exc_info[1] if exc_info else None
            if error is not None:
                record.exception = places(error)
            return super().format(record)
        finally:
            record.exc_info, record.exc_text = exc_info, exc_text

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Drop what is not on the list."""
        return {name: value for name, value in log_data.items() if name in ALLOWED_FIELDS}


def places(error: BaseException) -> str:
    """`ValueError at decode.py:31 decode < pipeline.py:80 run`: innermost first, causes after, no text of the error."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    said = f"{type(error).__name__} at {where}" if where else type(error).__name__
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{said}; from {places(cause)}" if cause is not None else said


class AccessLog:
    """Pure ASGI middleware, the outermost: one line a request, when it has ended.

    The route is the template it matched and never the path that was sent; a query string is never read. The request id
    is the answer's X-Request-Id. A status of 0: nothing was answered.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass everything on, and note the status and the request id as they go by."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        seen: dict[str, Any] = {"status": 0, "request_id": None}

        async def noting_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                seen["request_id"] = _header(message, b"x-request-id")
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        finally:
            _write(scope, seen, time.perf_counter() - began)


def _write(scope: Message, seen: dict[str, Any], duration_s: float) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    state = scope.get("state", {})
    caller = state.get("caller")
    fields = {
        "key": caller and caller.key_id,
        "method": scope["method"],
        "route": route,
        "outcome": state.get("outcome"),
        "duration_ms": round(duration_s * 1000, 1),
        **seen,
    }
    access_log.log(logging.DEBUG if route.startswith(PROBES) else logging.INFO, "request", extra=fields)


def _header(message: Message, name: bytes) -> str | None:
    for key, value in message.get("headers", ()):
        if key.lower() == name:
            return str(value, "latin-1")
    return None
