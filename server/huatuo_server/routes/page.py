"""`/`, the chat page, and `/page/...`, what it loads. All of it comes from here and needs no key, as it holds nothing
that the package does not. What the page asks of the API has the key that its user typed.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from huatuo_server.errors import RouteNotFound
from huatuo_server.page import Page, PageFile

MISSING: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>huatuo-server</title>
</head>
<body>
<h1>The chat page is not installed</h1>
<p>The API works without it: <a href="docs">docs</a>.</p>
<p>The page is put together by npm, which was missing or failed when this package was installed. Install Node.js 18 or
newer with npm, and run <code>make page</code> in a clone of the source, or install the package from the clone again.
Then start the server again.</p>
</body>
</html>
"""

SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The policy of a page that loads nothing."""


def page_routes(page: Page | None) -> APIRouter:
    """The routes of a page, or of the note that there is none."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def index(request: Request) -> Response:
        """Checked at every load, so that a newer server never meets an older page."""
        if page is None:
            return _missing()
        return _file(page.index, page.content_security_policy, request)

    @router.get("/page/{path:path}")
    async def asset(path: str, request: Request) -> Response:
        """One of the files that were there when the server started: a look-up, never a path of the disk."""
        if page is None or path not in page.files:
            raise RouteNotFound("There is nothing at this path.")
        return _file(page.files[path], page.content_security_policy, request)

    return router


def _missing() -> Response:
    headers = {**SAFE, "Content-Security-Policy": NOTHING, "Cache-Control": "no-store"}
    return Response(MISSING, 404, headers, "text/html; charset=utf-8")


def _file(file: PageFile, policy: str, request: Request) -> Response:
    zipped = _takes_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{file.etag}-gzip"' if zipped else f'"{file.etag}"'
    headers = {
        **SAFE,
        "Content-Security-Policy": policy,
        "Cache-Control": "no-cache",
        "ETag": etag,
        "Vary": "Accept-Encoding",
    }
    if etag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["Content-Encoding"] = "gzip"
    return Response(file.gzipped if zipped else file.content, media_type=file.media_type, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """What browsers say; whoever weighs encodings by numbers gets the file as it is."""
    return "gzip" in [one.strip().lower() for one in accepted.split(",")]


def _tags(wanted: str) -> list[str]:
    """A proxy may have made them weak."""
    return [one.strip().removeprefix("W/") for one in wanted.split(",")]
