"""Every failure as an answer in OpenAI's shape: never the input, a traceback or an object's address."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from huatuo_server.errors import (
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    RequestError,
    RouteNotFound,
)

log = logging.getLogger(__name__)


def internal_error(error: Exception) -> InternalError:
    """A defect of ours: logged here, and told to the client without a detail."""
    log.error("a request failed for a reason that is ours", exc_info=error)
    return InternalError("The server failed to answer this request; its log says more.")


def failure_response(error: RequestError, headers: Mapping[str, str] | None = None) -> Response:
    """The error as a response, with its own headers and others."""
    return JSONResponse(error.body(), status_code=error.status, headers={**error.headers, **(headers or {})})


def answer_failures(app: FastAPI) -> None:
    """Register the handlers of everything that FastAPI and Starlette, and our own routes, may raise."""
    app.add_exception_handler(RequestError, _request_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_middleware(InternalErrors)


async def _request_error(_: Request, error: Exception) -> Response:
    return failure_response(error if isinstance(error, RequestError) else internal_error(error))


async def _http_exception(_: Request, error: Exception) -> Response:
    """Starlette's own: no such route, or the wrong method, whose answer says which one is right."""
    if not isinstance(error, HTTPException):
        return failure_response(internal_error(error))
    if error.status_code == 404:
        return failure_response(RouteNotFound("There is nothing at this path."))
    if error.status_code == 405:
        return failure_response(MethodNotAllowed("The path does not take this method."), error.headers)
    return failure_response(internal_error(error))


async def _validation_error(_: Request, error: Exception) -> Response:
    """FastAPI's answer to a wrong query or path would echo the input."""
    return failure_response(InvalidRequest("A parameter of the URL is wrong."))


class InternalErrors:
    """Pure ASGI middleware around all routes: what nobody caught becomes a 500, or the end of the connection.

    Starlette's own last resort raises the exception again, and uvicorn would then log its text.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception as error:  # noqa: BLE001 - the last resort; logged by internal_error
            response = failure_response(internal_error(error))
            if not started:
                await response(scope, receive, send)
