"""`POST /v1/chat/completions`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager

from fastapi import APIRouter, Response
from starlette.types import Message, Receive, Scope, Send

from huatuo_server.errors import RequestError
from huatuo_server.pipeline import Call, Service, answer
from huatuo_server.protocol import sse
from huatuo_server.protocol.chat_response import ChatCompletion, ChatCompletionChunk
from huatuo_server.protocol.chat_schema import ChatRequestShape
from huatuo_server.routes.body import read_body
from huatuo_server.routes.failures import internal_error
from huatuo_server.routes.hangup import ClientHungUp, until_hangup

PATH = "/v1/chat/completions"


def chat_routes(service: Service) -> APIRouter:
    """The route, over one service."""
    router = APIRouter(tags=["chat"])
    schema = ChatRequestShape.model_json_schema()

    @router.post(
        PATH,
        summary="Answer a question about images",
        response_model=ChatCompletion,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )
    async def create_chat_completion() -> Response:
        """One answer, whole or, with `stream`, as server-sent events."""
        return Exchange(service)

    return router


class Exchange(Response):
    """One request from the first byte of its body to the last of its answer.

    A response of FastAPI's, because only a response may speak ASGI itself; the body is read here too, so that one
    place sees the client hang up at any stage.
    """

    def __init__(self, service: Service) -> None:
        super().__init__()
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises RequestError as long as no byte of an answer is out."""
        request_id = scope["state"]["request_id"]
        call = Call(request_id, f"{request_id}-{uuid.uuid4().hex[:8]}", self._service.metrics.request(PATH))
        last: bytes | None = None
        with _ended(call):
            model = self._service.startup.require_ready()
            body = await read_body(scope, receive, self._service.limits.max_body_bytes)
            async with until_hangup(receive):
                reply = await answer(self._service, model, body, call)
                # Megabytes of base64, which nobody needs while the answer is generated.
                del body
                if isinstance(reply, AsyncGenerator):
                    last = await _stream(reply, send, call)
                else:
                    last = sse.json_bytes(await reply)
                    await send(_start("application/json", {"content-length": str(len(last))}))
        # The books are closed before the last byte, so that whoever has it finds the request counted.
        if last is not None:
            await send({"type": "http.response.body", "body": last})


async def _stream(chunks: AsyncGenerator[ChatCompletionChunk, None], send: Send, call: Call) -> bytes:
    """Send all but the last event, and return that: `[DONE]`, or the error that the answer ended in.

    The first chunk is awaited before the status goes out, so that a failure until then is raised and has a status.
    """
    async with aclosing(chunks):
        first = await anext(chunks)
        await send(_start(sse.MEDIA_TYPE, {"cache-control": "no-cache", "x-accel-buffering": "no"}))
        await _send_event(send, first)
        try:
            async for chunk in chunks:
                await _send_event(send, chunk)
        except RequestError as error:
            call.failed = error
        except Exception as error:  # noqa: BLE001 - logged; the status is out, so that an event must tell
            call.failed = internal_error(error)
    return sse.DONE if call.failed is None else sse.event(call.failed.body())


def _start(media_type: str, headers: Mapping[str, str]) -> Message:
    pairs = [(name.encode(), value.encode()) for name, value in {"content-type": media_type, **headers}.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


async def _send_event(send: Send, chunk: ChatCompletionChunk) -> None:
    await send({"type": "http.response.body", "body": sse.event(chunk), "more_body": True})


@contextmanager
def _ended(call: Call) -> Iterator[None]:
    """Tells the meter how the request ended; a client that hung up gets no answer, which is nobody's failure."""
    outcome = "internal_error"
    try:
        yield
        outcome = call.failed.code if call.failed else "length" if call.finish_reason == "length" else "ok"
    except RequestError as error:
        outcome = error.code
        raise
    except ClientHungUp:
        outcome = "client_closed"
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        call.meter.end(outcome, prompt_tokens=call.prompt_tokens, completion_tokens=call.completion_tokens)
