"""One request of the API, from the first byte of its body to the last of its answer."""

from __future__ import annotations

import asyncio
import time
import uuid
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

from fastapi import Response
from starlette.types import Message, Receive, Scope, Send

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.errors import DeadlineExceeded, RequestError, TryLater
from huatuo_server.record import put_on_record
from huatuo_server.routes.body import read_body
from huatuo_server.routes.deadline import timeout_s
from huatuo_server.routes.hangup import ClientHungUp, until_hangup
from huatuo_server.service import Service


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
        call = self._call(scope)
        last: bytes | None = None
        with self._books(scope, call), self.service.in_flight.entered(call.interruption), call.held:
            self._let_in(scope, call)
            with Body(self.service.bytes_in_flight, call.claimant) as body:
                async with call.interruption:
                    await self._read(scope, receive, body, call)
                    async with until_hangup(receive, call.interruption):
                        with _ends_in_time(call):
                            await self.record(call)
                            last = await self.reply(scope, _noting(send, call), body, call)
        # The books are closed before the last byte, so that whoever has it finds the request counted.
        if last is not None:
            await send({"type": "http.response.body", "body": last})

    def _call(self, scope: Scope) -> Call:
        state = scope["state"]
        request_id = state["request_id"]
        engine_id = f"{request_id}-{uuid.uuid4().hex[:8]}"
        meter = self.service.metrics.request(self.path)
        return Call(request_id, engine_id, self.path, state["caller"], meter, self.service.quotas.unlimited)

    def _let_in(self, scope: Scope, call: Call) -> None:
        """Whatever can be told before the body is read. Raises RequestError."""
        call.deadline = time.monotonic() + timeout_s(scope, self.service.limits.request_timeout_s)
        self.service.startup.require_open()
        if self.service.audit is not None:
            self.service.audit.check()
        call.use = call.held.enter_context(self.service.quotas.begin(scope["state"]["key"]))
        self.admit(call)

    async def _read(self, scope: Scope, receive: Receive, body: Body, call: Call) -> None:
        limits = self.service.limits
        left_s = max(0.0, min(limits.body_timeout_s, call.deadline - time.monotonic()))
        with call.meter.stage("body"):
            await read_body(scope, receive, self.max_body_bytes, left_s, body)

    @property
    def max_body_bytes(self) -> int:
        """More is a 413."""
        return self.service.limits.max_body_bytes

    def admit(self, call: Call) -> None:
        """Raises RequestError where the body need not even be read."""

    async def record(self, call: Call) -> None:
        """Put the request on record, before any work; where the record holds an image, that is `reply`'s to do.

        Raises AuditFailed.
        """
        await put_on_record(self.service, call)

    @abstractmethod
    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        """Send the head of the answer, and all of it but its last bytes: those are returned. Raises RequestError."""

    @contextmanager
    def _books(self, scope: Scope, call: Call) -> Iterator[None]:
        """Tells the meter, the log and the record how the request ended.

        A client that hung up gets no answer, which is nobody's failure.
        """
        outcome = "internal_error"
        try:
            yield
            outcome = call.failed.code if call.failed else "length" if call.finish_reason == "length" else "ok"
        except RequestError as error:
            outcome = error.code
            if not call.entered:
                call.meter.rejected(error.reason if isinstance(error, TryLater) else error.code)
            error.headers = {**error.headers, **call.headers}
            if not call.begun:
                raise
        except ClientHungUp:
            outcome = "client_closed"
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            scope["state"]["outcome"] = outcome
            call.use.used(call.prompt_tokens + call.completion_tokens)
            call.meter.end(outcome, prompt_tokens=call.prompt_tokens, completion_tokens=call.completion_tokens)
            self._record_end(call, outcome)

    def _record_end(self, call: Call, outcome: str) -> None:
        if self.service.audit is None or not call.on_record:
            return
        self.service.audit.keep(
            {
                "event": "ended",
                "request_id": call.id,
                "engine_id": call.engine_id,
                "outcome": outcome,
                "prompt_tokens": call.prompt_tokens,
                "completion_tokens": call.completion_tokens,
                "finish_reason": call.finish_reason,
            }
        )


class EngineExchange(Exchange):
    """One whose answer the engine makes."""

    def admit(self, call: Call) -> None:
        self.service.startup.require_ready()
        self.service.queue.check(call.flow)

    async def record(self, call: Call) -> None:
        """Later: with its images, and before the engine."""


def start(call: Call, media_type: str, headers: Mapping[str, str]) -> Message:
    """The head of an answer with status 200."""
    named = {"content-type": media_type, **call.headers, **headers}
    pairs = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    return {"type": "http.response.start", "status": 200, "headers": pairs}


def _noting(send: Send, call: Call) -> Send:
    """Notes when the head of an answer is out: what fails then has no status any more."""

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            call.begun = True
        await send(message)

    return noting


@contextmanager
def _ends_in_time(call: Call) -> Iterator[None]:
    left_s = max(0.0, call.deadline - time.monotonic())
    reason = DeadlineExceeded(
        "The request's time is over: its answer was not complete (X-Request-Timeout, --request-timeout-s)."
    )
    timer = asyncio.get_running_loop().call_later(left_s, call.interruption.interrupt, reason)
    try:
        yield
    finally:
        timer.cancel()
