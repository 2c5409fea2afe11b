"""`/docs`, a page about this API, and the `/openapi.json` that it shows. All of it comes from here: no other server is
asked, so that it works where there is no network.

The page is Swagger UI, whose files the package fastapi-swagger holds as they were released.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, FastAPI, Response
from starlette.responses import JSONResponse

from huatuo_server.errors import RouteNotFound
from huatuo_server.routes.contract import contract

PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>huatuo-server</title>
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="page"></div>
<noscript>This page needs JavaScript. The same as JSON: <a href="openapi.json">openapi.json</a></noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

START: Final = """"use strict";
SwaggerUIBundle({
  dom_id: "#page",
  url: "openapi.json",
  deepLinking: true,
  // The default asks a server of Swagger's about the document.
  validatorUrl: null,
});
"""

MEDIA_TYPES: Final = {
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # Swagger UI's icons.
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

SAFE: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

CACHE_S: Final = 3600


def docs_routes(app: FastAPI) -> APIRouter:
    """The routes about an app's routes."""
    router = APIRouter(include_in_schema=False)
    described = cache(lambda: contract(app))

    @router.get("/openapi.json")
    def document() -> Response:
        """Not a coroutine: the first one takes some 0.1 s to make, which a thread has."""
        return JSONResponse(described(), headers={"X-Content-Type-Options": "nosniff"})

    @router.get("/docs")
    async def page() -> Response:
        """Open to everybody, as it holds nothing that the package does not."""
        return Response(PAGE, media_type="text/html; charset=utf-8", headers={**SAFE, "Cache-Control": "no-cache"})

    @router.get("/docs/{name}")
    def asset(name: str) -> Response:
        """One of the few files that the page is made of."""
        if name not in MEDIA_TYPES:
            raise RouteNotFound("There is nothing at this path.")
        headers = {**SAFE, "Cache-Control": f"max-age={CACHE_S}"}
        return Response(_asset(name), media_type=MEDIA_TYPES[name], headers=headers)

    return router


@cache
def _asset(name: str) -> bytes:
    if name == "start.js":
        return START.encode()
    return files("fastapi_swagger.resources").joinpath(name).read_bytes()
