"""One request of the API, from the first byte of its body to the last of its answer."""

from __future__ import annotations

import asyncio
import uuid
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from huatuo_server.admission import Body
from huatuo_server.errors import RequestError, ServerBusy
from huatuo_server.pipeline import Call, Service
from huatuo_server.routes.body import read_body
from huatuo_server.routes.hangup import ClientHungUp, until_hangup


class Exchange(Response):
    """A response of FastAPI's, because only a response may speak ASGI itself; the body is read here too, so that one
    place sees the client hang up at any stage.
    """

    path: ClassVar[str]
    """The route's template, for the metrics."""

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises RequestError as long as no byte of an answer is out."""
        request_id = scope["state"]["request_id"]
        call = Call(request_id, f"{request_id}-{uuid.uuid4().hex[:8]}", self.service.metrics.request(self.path))
        last: bytes | None = None
        with _ended(call):
            self.admit()
            with Body(self.service.bytes_in_flight) as body:
                with call.meter.stage("body"):
                    await read_body(scope, receive, self.service.limits.max_body_bytes, body)
                async with until_hangup(receive):
                    last = await self.reply(scope, send, body, call)
        # The books are closed before the last byte, so that whoever has it finds the request counted.
        if last is not None:
            await send({"type": "http.response.body", "body": last})

    def admit(self) -> None:
        """Raises RequestError where the body need not even be read."""

    @abstractmethod
    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        """Send the head of the answer, and all of it but its last bytes: those are returned. Raises RequestError."""


def start(media_type: str, headers: Mapping[str, str]) -> Message:
    """The head of an answer with status 200."""
    pairs = [(name.encode(), value.encode()) for name, value in {"content-type": media_type, **headers}.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


@contextmanager
def _ended(call: Call) -> Iterator[None]:
    """Tells the meter how the request ended; a client that hung up gets no answer, which is nobody's failure."""
    outcome = "internal_error"
    try:
        yield
        outcome = call.failed.code if call.failed else "length" if call.finish_reason == "length" else "ok"
    except RequestError as error:
        outcome = error.code
        if error.status < 500:
            call.meter.rejected(error.reason if isinstance(error, ServerBusy) else error.code)
        raise
    except ClientHungUp:
        outcome = "client_closed"
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        call.meter.end(outcome, prompt_tokens=call.prompt_tokens, completion_tokens=call.completion_tokens)
