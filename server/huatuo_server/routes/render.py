"""`POST /v1/images/render`: an image as the model sees it, or as a page can show it."""

from __future__ import annotations

import base64
import json
from typing import Literal

from fastapi import APIRouter, Response
from starlette.datastructures import Headers
from starlette.types import Scope, Send
from typing_extensions import TypedDict

from huatuo_server.admission import Body
from huatuo_server.pipeline import Call, Service, rendering
from huatuo_server.protocol import sse
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.render_request import RenderRequestShape
from huatuo_server.routes.exchange import Exchange, start

PATH = "/v1/images/render"
PROVENANCE_HEADER = "X-Image-Provenance"


class Rendering(TypedDict):
    """image: a data: URL of a PNG."""

    object: Literal["image.rendering"]
    image: str
    provenance: ImageProvenance


def render_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["images"])
    schema = RenderRequestShape.model_json_schema()

    @router.post(
        PATH,
        summary="Show an image as the model sees it",
        response_model=Rendering,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def render_image() -> Response:
        """A PNG in JSON or, for who accepts image/png, itself with its provenance in a header."""
        return RenderExchange(service)

    return router


class RenderExchange(Exchange):
    """One picture."""

    path = PATH

    def admit(self) -> None:
        self.service.startup.require_ready()

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        png, provenance = await rendering(self.service, self.service.startup.require_ready(), body, call)
        if "image/png" in Headers(scope=scope).get("accept", ""):
            media_type, last = "image/png", png
            headers = {PROVENANCE_HEADER: json.dumps(provenance)}
        else:
            image = "data:image/png;base64," + base64.b64encode(png).decode()
            media_type, headers = "application/json", {}
            last = sse.json_bytes(Rendering(object="image.rendering", image=image, provenance=provenance))
        await send(start(media_type, {"content-length": str(len(last)), "cache-control": "no-store", **headers}))
        return last
