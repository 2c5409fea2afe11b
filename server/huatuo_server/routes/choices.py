"""`POST /v1/chat/choices`."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.types import Scope, Send

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.pipeline import score
from huatuo_server.protocol import sse
from huatuo_server.protocol.choices_request import ChoicesRequestShape
from huatuo_server.protocol.choices_response import ChatChoices
from huatuo_server.routes.error_responses import ENGINE, EXCHANGE, IMAGES, PROMPT, error_responses
from huatuo_server.routes.exchange import EngineExchange, start
from huatuo_server.routes.json_body import json_body
from huatuo_server.service import Service

PATH = "/v1/chat/choices"


def choices_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["chat"])

    @router.post(
        PATH,
        summary="Weigh given answers to a question about images",
        response_model=ChatChoices,
        responses=error_responses(*EXCHANGE, *IMAGES, *PROMPT, *ENGINE),
        openapi_extra=json_body(ChoicesRequestShape.model_json_schema),
    )
    async def weigh_choices() -> Response:
        """The log-probability of each of `choices` as the model's answer, and the best of them."""
        return ChoicesExchange(service)

    return router


class ChoicesExchange(EngineExchange):
    """A closed question, answered in numbers."""

    path = PATH

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        last = sse.json_bytes(await score(self.service, self.service.startup.require_ready(), body, call))
        await send(start(call, "application/json", {"content-length": str(len(last))}))
        return last
