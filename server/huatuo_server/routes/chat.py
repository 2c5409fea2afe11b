"""`POST /v1/chat/completions`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Response
from starlette.types import Scope, Send

from huatuo_server.admission.body import Body
from huatuo_server.errors import RequestError
from huatuo_server.pipeline import Call, Service, answer
from huatuo_server.protocol import sse
from huatuo_server.protocol.chat_response import ChatCompletion, ChatCompletionChunk
from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.routes.exchange import Exchange, start
from huatuo_server.routes.failures import internal_error
from huatuo_server.routes.hangup import ClientHungUp
from huatuo_server.routes.json_body import json_body

PATH = "/v1/chat/completions"


def chat_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["chat"])

    @router.post(
        PATH,
        summary="Answer a question about images",
        response_model=ChatCompletion,
        openapi_extra=json_body(PATH, ChatRequestShape.model_json_schema),
    )
    async def create_chat_completion() -> Response:
        """One answer, whole or, with `stream`, as server-sent events."""
        return ChatExchange(service)

    return router


class ChatExchange(Exchange):
    """An answer, whole or as a stream."""

    path = PATH

    def admit(self, call: Call) -> None:
        self.service.startup.require_ready()
        self.service.queue.check(call.flow)

    async def record(self, call: Call) -> None:
        """Later: with its images, and before the engine."""

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        answered = await answer(self.service, self.service.startup.require_ready(), body, call)
        if isinstance(answered, AsyncGenerator):
            return await _stream(answered, send, call)
        last = sse.json_bytes(await answered)
        await send(start(call, "application/json", {"content-length": str(len(last))}))
        return last


async def _stream(chunks: AsyncGenerator[ChatCompletionChunk, None], send: Send, call: Call) -> bytes:
    """Send all but the last event, and return that: `[DONE]`, or the error that the answer ended in.

    The first chunk is awaited before the status goes out, so that a failure until then is raised and has a status.
    """
    async with aclosing(chunks):
        first = await anext(chunks)
        await send(start(call, sse.MEDIA_TYPE, {"cache-control": "no-cache", "x-accel-buffering": "no"}))
        try:
            async with call.interruption:
                await _send_event(send, first)
                async for chunk in chunks:
                    await _send_event(send, chunk)
        except RequestError as error:
            call.failed = error
        except ClientHungUp:
            raise
        except Exception as error:  # noqa: BLE001 - logged; the status is out, so that an event must tell
            call.failed = internal_error(error)
    return sse.DONE if call.failed is None else sse.event(call.failed.body())


async def _send_event(send: Send, chunk: ChatCompletionChunk) -> None:
    await send({"type": "http.response.body", "body": sse.event(chunk), "more_body": True})
