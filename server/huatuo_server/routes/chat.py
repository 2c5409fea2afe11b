"""`POST /v1/chat/completions`."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.types import Scope, Send

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.pipeline import answer
from huatuo_server.protocol import sse
from huatuo_server.protocol.chat_response import ChatCompletion, ChatCompletionChunk
from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.protocol.wire_schema import wire_schema
from huatuo_server.routes.error_responses import ENGINE, EXCHANGE, IMAGES, PROMPT, error_responses
from huatuo_server.routes.event_stream import send_events
from huatuo_server.routes.examples import EVENTS
from huatuo_server.routes.exchange import EngineExchange, start
from huatuo_server.routes.json_body import json_body
from huatuo_server.service import Service

PATH = "/v1/chat/completions"


def chat_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["chat"])

    @router.post(
        PATH,
        summary="Answer a question about images",
        response_model=ChatCompletion,
        responses={
            200: {"content": {EVENTS: {"schema": wire_schema(ChatCompletionChunk)}}},
            **error_responses(*EXCHANGE, *IMAGES, *PROMPT, *ENGINE),
        },
        openapi_extra=json_body(ChatRequestShape.model_json_schema),
    )
    async def create_chat_completion() -> Response:
        """One answer, whole or, with `stream`, as server-sent events."""
        return ChatExchange(service)

    return router


class ChatExchange(EngineExchange):
    """An answer, whole or as a stream."""

    path = PATH

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        answered = await answer(self.service, self.service.startup.require_ready(), body, call)
        if isinstance(answered, tuple):
            return await send_events(*answered, scope, send, call)
        last = sse.json_bytes(await answered)
        await send(start(call, "application/json", {"content-length": str(len(last))}))
        return last
