"""`POST /v1/images/render`: an image as the model sees it, or as a page can show it."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from typing import Literal

from fastapi import APIRouter, Response
from starlette.datastructures import Headers
from starlette.types import Scope, Send
from typing_extensions import TypedDict

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.errors import ServerBusy
from huatuo_server.pipeline import rendering
from huatuo_server.protocol import sse
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.render_request import RenderRequestShape
from huatuo_server.routes.error_responses import EXCHANGE, IMAGES, error_responses
from huatuo_server.routes.exchange import Exchange, start
from huatuo_server.routes.json_body import json_body
from huatuo_server.service import Service

PATH = "/v1/images/render"
PIECE_BYTES = 256 * 1024
PROVENANCE_HEADER = "X-Image-Provenance"


class Rendering(TypedDict):
    """image: a data: URL of a PNG."""

    object: Literal["image.rendering"]
    image: str
    provenance: ImageProvenance


def render_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["images"])

    @router.post(
        PATH,
        summary="Show an image as the model sees it",
        response_model=Rendering,
        responses={200: {"content": {"image/png": {}}}, **error_responses(*EXCHANGE, *IMAGES)},
        openapi_extra=json_body(RenderRequestShape.model_json_schema),
    )
    async def render_image() -> Response:
        """A PNG in JSON or, for who accepts image/png, itself with its provenance in a header."""
        return RenderExchange(service)

    return router


class RenderExchange(Exchange):
    """One picture."""

    path = PATH

    def admit(self, call: Call) -> None:
        self.service.startup.require_ready()

    async def record(self, call: Call) -> None:
        """Later: with its image."""

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        png, provenance = await rendering(self.service, self.service.startup.require_ready(), body, call)
        if "image/png" in Headers(scope=scope).get("accept", ""):
            media_type, whole = "image/png", png
            headers = {PROVENANCE_HEADER: json.dumps(provenance)}
        else:
            media_type, headers = "application/json", {}
            whole = await asyncio.to_thread(_in_json, png, provenance)
        # Until a slow client has it, it counts as in flight; it is made, so that nobody is turned away now.
        with suppress(ServerBusy):
            body.reserved.grow_to(len(whole))
        await send(start(call, media_type, {"content-length": str(len(whole)), "cache-control": "no-store", **headers}))
        last = max(0, len(whole) - 1) // PIECE_BYTES * PIECE_BYTES
        for begin in range(0, last, PIECE_BYTES):
            await send({"type": "http.response.body", "body": whole[begin : begin + PIECE_BYTES], "more_body": True})
        return whole[last:]


def _in_json(png: bytes, provenance: ImageProvenance) -> bytes:
    image = "data:image/png;base64," + base64.b64encode(png).decode()
    return sse.json_bytes(Rendering(object="image.rendering", image=image, provenance=provenance))
