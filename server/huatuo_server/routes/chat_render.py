"""`POST /v1/chat/render`: what the engine would get of a chat request."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.types import Scope, Send

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.pipeline import shown
from huatuo_server.protocol import sse
from huatuo_server.protocol.chat_rendering import ChatRendering
from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.routes.error_responses import EXCHANGE, IMAGES, PROMPT, error_responses
from huatuo_server.routes.exchange import Exchange, start
from huatuo_server.routes.json_body import json_body
from huatuo_server.service import Service

PATH = "/v1/chat/render"


def chat_render_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["prompt"])

    @router.post(
        PATH,
        summary="Show what the engine would get of a chat request",
        response_model=ChatRendering,
        responses=error_responses(*EXCHANGE, *IMAGES, *PROMPT),
        openapi_extra=json_body(ChatRequestShape.model_json_schema),
    )
    async def render_chat() -> Response:
        """The prompt, its images and the sampling parameters; the engine is not asked."""
        return ChatRenderExchange(service)

    return router


class ChatRenderExchange(Exchange):
    """One request, shown."""

    path = PATH

    def admit(self, call: Call) -> None:
        self.service.startup.require_ready()

    async def record(self, call: Call) -> None:
        """Later: with its images."""

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        last = sse.json_bytes(await shown(self.service, self.service.startup.require_ready(), body, call))
        await send(start(call, "application/json", {"content-length": str(len(last)), "cache-control": "no-store"}))
        return last
