"""`POST /v1/responses`."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.types import Scope, Send

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.pipeline import respond
from huatuo_server.protocol import sse
from huatuo_server.protocol.responses_events import ResponseEvent
from huatuo_server.protocol.responses_object import ResponseObject
from huatuo_server.protocol.responses_schema import ResponsesRequestShape
from huatuo_server.protocol.wire_schema import wire_schema
from huatuo_server.routes.error_responses import ENGINE, EXCHANGE, IMAGES, PROMPT, error_responses
from huatuo_server.routes.event_stream import send_events
from huatuo_server.routes.examples import EVENTS
from huatuo_server.routes.exchange import EngineExchange, start
from huatuo_server.routes.json_body import json_body
from huatuo_server.service import Service

PATH = "/v1/responses"


def responses_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["responses"])

    @router.post(
        PATH,
        summary="Answer a question about images, in the form of OpenAI's Responses",
        response_model=ResponseObject,
        responses={
            200: {"content": {EVENTS: {"schema": wire_schema(ResponseEvent)}}},
            **error_responses(*EXCHANGE, *IMAGES, *PROMPT, *ENGINE),
        },
        openapi_extra=json_body(ResponsesRequestShape.model_json_schema),
    )
    async def create_response() -> Response:
        """One answer, whole or, with `stream`, as typed server-sent events. Nothing of it is kept."""
        return ResponsesExchange(service)

    return router


class ResponsesExchange(EngineExchange):
    """An answer, whole or as a stream."""

    path = PATH

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        answered = await respond(self.service, self.service.startup.require_ready(), body, call)
        if isinstance(answered, tuple):
            return await send_events(*answered, scope, send, call)
        last = sse.json_bytes(await answered)
        await send(start(call, "application/json", {"content-length": str(len(last))}))
        return last
