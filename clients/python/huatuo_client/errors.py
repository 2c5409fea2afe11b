"""Every way a question can fail. The server's errors have the server's names, statuses and codes.

    HuatuoError
      UnreadableImage                    a file of yours cannot be read, or what was given is no image
      Unreachable                        no connection, or it broke before an answer
      TimedOut                           the server was silent for too long
      AnswerBroken                       an answer ended before its end, or is not what was asked for
      AnswerCut                          an answer by a schema was cut by the ceiling of its tokens
      ServerError                        the server said so: status, code, type, param, request_id, retry_after_s
        TooManyConnections               503 too_many_connections
        InvalidHttp                      400 invalid_http
        HeadTooLarge                     431 head_too_large
        HeaderTimeout                    408 header_timeout
        HostRefused                      400 host_not_trusted
        OriginRefused                    403 origin_not_allowed
        Unauthorized                     401 invalid_api_key
        Forbidden                        403 insufficient_scope
        RateLimited                      429 rate_limit_exceeded
        UploadTimeout                    408 upload_timeout
        InvalidRequest                   400 invalid_request_error
        ContextLengthExceeded            400 context_length_exceeded
        InvalidImage                     400 invalid_image
        RemoteImageRefused               400 remote_image_refused
        RemoteImageFailed                400 remote_image_failed
        RouteNotFound                    404 not_found
        ModelNotFound                    404 model_not_found
        FileNotFound                     404 file_not_found
        UploadsOff                       404 uploads_off
        MethodNotAllowed                 405 method_not_allowed
        BodyTooLarge                     413 request_too_large
        QuotaExceeded                    413 file_quota_exceeded
        UnsupportedImageFormat           415 unsupported_image_format
        ImageRefused                     422 image_refused
        ServerBusy                       429 server_busy
        NotReady                         503 not_ready
          Draining                       503 draining
        AuditFailed                      503 audit_failed
        StorageFailed                    503 storage_failed
        ImageTimeout                     504 image_timeout
        ImageWorkerDied                  500 image_worker_died
        EngineRequestError               500 engine_error
        EngineDeadError                  503 engine_dead
          EngineHungError                503 engine_hung
        DeadlineExceeded                 504 deadline_exceeded
        InternalError                    500 internal_error

A ServerError that is none of these comes from something between, such as a proxy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Final

if TYPE_CHECKING:
    import httpx2
    import openai

REDIRECTS: Final = range(300, 400)
"""Statuses that are not followed: images and the key go to no other server than the one that was named."""


class HuatuoError(Exception):
    """The root; `message` is one or more sentences for a person."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnreadableImage(HuatuoError):
    """A file cannot be read, or what was given cannot be sent as an image."""

    code = "unreadable_image"


class Unreachable(HuatuoError):
    """There is no connection to the server, or it broke before an answer came."""

    code = "unreachable"


class TimedOut(HuatuoError):
    """The server was silent for longer than this client waits."""

    code = "timed_out"


class AnswerBroken(HuatuoError):
    """An answer ended before its end, or is not what was asked for."""

    code = "answer_broken"


class AnswerCut(HuatuoError):
    """An answer by a schema reached the ceiling of its tokens, and so is no JSON."""

    code = "answer_cut"


class ServerError(HuatuoError):
    """What the server says. Branch on the class, or on `code`.

    status: of HTTP; None in the middle of a stream, for a code that is not known here. type, param: as the server's.
    request_id: what its log calls the request. retry_after_s: when to try again, where it says so.
    """

    code = "server_error"
    own_status: ClassVar[int | None] = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        type: str | None = None,  # noqa: A002  the wire's word
        param: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status if status is not None else self.own_status
        self.type = type
        self.param = param
        self.request_id = request_id
        self.retry_after_s = retry_after_s


class TooManyConnections(ServerError):
    """The server has as many connections as it takes, and a request on each."""

    own_status, code = 503, "too_many_connections"


class InvalidHttp(ServerError):
    """What came was no HTTP."""

    own_status, code = 400, "invalid_http"


class HeadTooLarge(ServerError):
    """The headers are over the limit."""

    own_status, code = 431, "head_too_large"


class HeaderTimeout(ServerError):
    """The headers came too slowly."""

    own_status, code = 408, "header_timeout"


class HostRefused(ServerError):
    """The server is not reached under this name."""

    own_status, code = 400, "host_not_trusted"


class OriginRefused(ServerError):
    """A web page from elsewhere asks."""

    own_status, code = 403, "origin_not_allowed"


class Unauthorized(ServerError):
    """No key, or none that is known."""

    own_status, code = 401, "invalid_api_key"


class Forbidden(ServerError):
    """The key is known, and its scopes do not reach here."""

    own_status, code = 403, "insufficient_scope"


class RateLimited(ServerError):
    """The key has used up what it may have for now."""

    own_status, code = 429, "rate_limit_exceeded"


class UploadTimeout(ServerError):
    """The body came too slowly."""

    own_status, code = 408, "upload_timeout"


class InvalidRequest(ServerError):
    """A field is wrong; `param` names it."""

    own_status, code = 400, "invalid_request_error"


class ContextLengthExceeded(ServerError):
    """The conversation leaves no room for an answer."""

    own_status, code = 400, "context_length_exceeded"


class InvalidImage(ServerError):
    """Bytes that cannot be read as an image."""

    own_status, code = 400, "invalid_image"


class RemoteImageRefused(ServerError):
    """A URL that the server does not ask."""

    own_status, code = 400, "remote_image_refused"


class RemoteImageFailed(ServerError):
    """A URL that gave no image."""

    own_status, code = 400, "remote_image_failed"


class RouteNotFound(ServerError):
    """No such path: is it a huatuo-server?"""

    own_status, code = 404, "not_found"


class ModelNotFound(ServerError):
    """The server serves another model."""

    own_status, code = 404, "model_not_found"


class FileNotFound(ServerError):
    """No such upload, or it has expired."""

    own_status, code = 404, "file_not_found"


class UploadsOff(ServerError):
    """The server keeps no uploads."""

    own_status, code = 404, "uploads_off"


class MethodNotAllowed(ServerError):
    """The path exists, the method does not."""

    own_status, code = 405, "method_not_allowed"


class BodyTooLarge(ServerError):
    """The images are over the server's limit of bytes."""

    own_status, code = 413, "request_too_large"


class QuotaExceeded(ServerError):
    """There would be more uploads than may be kept."""

    own_status, code = 413, "file_quota_exceeded"


class UnsupportedImageFormat(ServerError):
    """An image in a format that is not read; the message names it."""

    own_status, code = 415, "unsupported_image_format"


class ImageRefused(ServerError):
    """An image over a limit, or coded in a way that is not read."""

    own_status, code = 422, "image_refused"


class ServerBusy(ServerError):
    """Too much waits for the engine or is in flight."""

    own_status, code = 429, "server_busy"


class NotReady(ServerError):
    """The server is starting, or has failed."""

    own_status, code = 503, "not_ready"


class Draining(NotReady):
    """The server was told to stop."""

    own_status, code = 503, "draining"


class AuditFailed(ServerError):
    """The server cannot put requests on record now."""

    own_status, code = 503, "audit_failed"


class StorageFailed(ServerError):
    """The server cannot keep or read uploads now."""

    own_status, code = 503, "storage_failed"


class ImageTimeout(ServerError):
    """An image was not prepared in time: the machine is overloaded."""

    own_status, code = 504, "image_timeout"


class ImageWorkerDied(ServerError):
    """The process that prepared the image was ended."""

    own_status, code = 500, "image_worker_died"


class EngineRequestError(ServerError):
    """The engine failed this request."""

    own_status, code = 500, "engine_error"


class EngineDeadError(ServerError):
    """The engine has stopped working."""

    own_status, code = 503, "engine_dead"


class EngineHungError(EngineDeadError):
    """The engine has work and makes no progress."""

    own_status, code = 503, "engine_hung"


class DeadlineExceeded(ServerError):
    """The request's time is over."""

    own_status, code = 504, "deadline_exceeded"


class InternalError(ServerError):
    """A defect of the server."""

    own_status, code = 500, "internal_error"


def _kinds(kind: type[ServerError]) -> Iterator[type[ServerError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


BY_CODE = {kind.code: kind for kind in _kinds(ServerError)}
"""The classes by the code that the server says."""


def of(error: openai.APIError) -> HuatuoError:
    """What the SDK raised, as one of these."""
    import httpx2
    import openai

    if isinstance(error, openai.APITimeoutError):
        if isinstance(error.__cause__, httpx2.ConnectTimeout):
            return Unreachable("The server cannot be reached: nothing answers there.")
        return TimedOut("The server was silent for longer than this client waits.")
    if isinstance(error, openai.APIConnectionError):
        return Unreachable(f"The server cannot be reached: {_reason(error)}")
    return _of_server(error)


def _reason(error: openai.APIConnectionError) -> str:
    """What the connection said; of a request that was not even sent, nothing: it may quote the key."""
    import httpx2

    if isinstance(error.__cause__, httpx2.LocalProtocolError):
        return "the request holds what cannot be sent."
    said = str(error.__cause__ or "").strip().rstrip(".")
    return f"{said}." if said else "the connection broke."


def _of_server(error: openai.APIError) -> ServerError:
    import openai

    kind = BY_CODE.get(error.code or "", ServerError)
    body = error.body if isinstance(error.body, dict) else {}
    message = body.get("message")
    if not isinstance(error, openai.APIStatusError):
        return kind(message or error.message, type=error.type, param=error.param)
    if error.status_code in REDIRECTS:
        return ServerError(_elsewhere(error.response), status=error.status_code)
    return kind(
        message or f"The server said {error.status_code}, and nothing that is known here.",
        status=error.status_code,
        type=error.type,
        param=error.param,
        request_id=error.request_id,
        retry_after_s=_seconds(error.response.headers.get("retry-after")),
    )


def _elsewhere(response: httpx2.Response) -> str:
    """Where a redirect points, without its path: who followed it would send the images there."""
    import httpx2

    try:
        target = response.url.join(response.headers["location"])
        place = f"to {target.scheme}://{target.netloc.decode()}"
    except (KeyError, ValueError, httpx2.InvalidURL):
        place = "elsewhere"
    return f"The server points {place}, which is not followed: give the base URL of the huatuo-server itself."


def _seconds(header: str | None) -> float | None:
    """Of a Retry-After; None for a date, which this server never says."""
    try:
        seconds = float(header) if header is not None else None
    except ValueError:
        return None
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None
