"""`POST /v1/tokenize`: what a conversation or a text is in tokens."""

from __future__ import annotations

from fastapi import APIRouter, Response
from starlette.types import Scope, Send

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.pipeline import tokenized
from huatuo_server.protocol import sse
from huatuo_server.protocol.tokenization import Tokenization
from huatuo_server.protocol.tokenize_request import TokenizeRequestShape
from huatuo_server.routes.error_responses import EXCHANGE, PROMPT, error_responses
from huatuo_server.routes.exchange import Exchange, start
from huatuo_server.routes.json_body import json_body
from huatuo_server.service import Service

PATH = "/v1/tokenize"


def tokenize_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["prompt"])

    @router.post(
        PATH,
        summary="Count the tokens of a conversation or a text",
        response_model=Tokenization,
        responses=error_responses(*EXCHANGE, *PROMPT),
        openapi_extra=json_body(TokenizeRequestShape.model_json_schema),
    )
    async def tokenize() -> Response:
        """The token ids and their number. Images are counted, and neither fetched nor decoded."""
        return TokenizeExchange(service)

    return router


class TokenizeExchange(Exchange):
    """The tokens of one prompt."""

    path = PATH

    def admit(self, call: Call) -> None:
        self.service.startup.require_ready()

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        last = sse.json_bytes(await tokenized(self.service, self.service.startup.require_ready(), body, call))
        await send(start(call, "application/json", {"content-length": str(len(last)), "cache-control": "no-store"}))
        return last
