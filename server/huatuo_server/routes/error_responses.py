"""What `/openapi.json` tells of a route's failures: made from the classes that the route raises, so that it is true."""

from __future__ import annotations

import inspect
from http import HTTPStatus
from typing import Any, Final

from huatuo_server import errors
from huatuo_server.errors import RequestError, TryLater
from huatuo_server.protocol.error_body import ErrorBody
from huatuo_server.protocol.wire_schema import REF_TEMPLATE

ERROR: Final = {"$ref": REF_TEMPLATE.format(model=ErrorBody.__name__)}
"""The schema of every failure; `contract` adds what it refers to."""

ErrorClass = type[RequestError]
Responses = dict[int | str, dict[str, Any]]

EVERY_PATH: Final[tuple[ErrorClass, ...]] = (
    errors.InvalidHttp,
    errors.HeaderTimeout,
    errors.HeadTooLarge,
    errors.HostRefused,
    errors.OriginRefused,
    errors.TooManyConnections,
    errors.InternalError,
)
"""What may come before a route is even looked for, and after everything."""

KEYED: Final[tuple[ErrorClass, ...]] = (errors.Unauthorized, errors.Forbidden)
"""Of all paths that ask for a key."""

EXCHANGE: Final[tuple[ErrorClass, ...]] = (
    errors.RateLimited,
    errors.ServerBusy,
    errors.UploadTimeout,
    errors.BodyTooLarge,
    errors.InvalidRequest,
    errors.NotReady,
    errors.Draining,
    errors.EngineDeadError,
    errors.EngineHungError,
    errors.AuditFailed,
    errors.DeadlineExceeded,
)
"""Of every `Exchange`."""

UPLOADS: Final[tuple[ErrorClass, ...]] = (errors.UploadsOff, errors.FileNotFound, errors.StorageFailed)
"""Of what looks into the uploads."""

IMAGES: Final[tuple[ErrorClass, ...]] = (
    *UPLOADS,
    errors.InvalidImage,
    errors.RemoteImageRefused,
    errors.RemoteImageFailed,
    errors.UnsupportedImageFormat,
    errors.ImageRefused,
    errors.ImageTimeout,
    errors.ImageWorkerDied,
)
"""Of what prepares images."""

PROMPT: Final[tuple[ErrorClass, ...]] = (errors.ModelNotFound, errors.ContextLengthExceeded)
"""Of what makes a prompt."""

ENGINE: Final[tuple[ErrorClass, ...]] = (errors.EngineRequestError,)
"""Of what generates."""

_IMAGE_PARAM: Final = "messages.0.content.1.image_url"

PARAMS: Final[dict[ErrorClass, str]] = {
    errors.InvalidRequest: "temperature",
    errors.ContextLengthExceeded: "messages",
    errors.ModelNotFound: "model",
    errors.BodyTooLarge: _IMAGE_PARAM,
    **dict.fromkeys(set(IMAGES) - {errors.UploadsOff, errors.StorageFailed}, _IMAGE_PARAM),
}
"""The field that an example names, where errors of the class name one."""


def error_responses(*kinds: ErrorClass) -> Responses:
    """`responses` of a route that may fail so."""
    responses: Responses = {}
    for kind in sorted(kinds, key=lambda one: (one.status, one.code)):
        response = responses.setdefault(
            kind.status,
            {
                "description": HTTPStatus(kind.status).phrase,
                # By name, since FastAPI would work out a type's schema anew for each status of each route.
                "content": {"application/json": {"examples": {}, "schema": dict(ERROR)}},
            },
        )
        examples = response["content"]["application/json"]["examples"]
        examples[kind.code] = {"$ref": f"#/components/examples/{kind.code}"}
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in sample(kind).headers}
        if headers:
            response.setdefault("headers", {}).update(headers)
    return responses


def error_examples() -> dict[str, dict[str, Any]]:
    """Of every class, by its code, for `#/components/examples`."""
    return {
        kind.code: {"summary": _said(kind), "value": sample(kind).body()}
        for kind in sorted(error_classes(), key=lambda one: one.code)
    }


def error_classes() -> list[ErrorClass]:
    """Every one that an answer may hold."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RequestError)]
    return [kind for kind in kinds if kind not in (RequestError, TryLater)]


def sample(kind: ErrorClass) -> RequestError:
    """One as it may come, but that its message is the class's own description."""
    message = _said(kind)
    error = kind(message, reason=kind.code) if issubclass(kind, TryLater) else kind(message)
    error.param = PARAMS.get(kind)
    return error


def _said(kind: ErrorClass) -> str:
    """The class's own description, in one line."""
    return " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
