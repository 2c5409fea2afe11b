"""Every way a request or a start can fail, in the order of the path.

    HuatuoError
      SettingsError                 a flag or HUATUO_* value is wrong: the start stops, exit 2
        KeysFileError               the file of keys cannot be read: exit 2
      CheckpointError               the checkpoint cannot be served: the start stops, exit 1
      EngineStartError              the engine did not start or failed its self-test: exit 1
      AuditLogError                 the audit log is damaged, locked or cannot be written: exit 1
      ImageWorkersFailed            no image can be prepared: exit 1
      RequestError                  a request fails; each class has status, type, code
        TooManyConnections          503 too_many_connections       no room for one more
        InvalidHttp                 400 invalid_http               this is no HTTP/1.1
        HeadTooLarge                431 head_too_large
        HeaderTimeout               408 header_timeout             the head did not come in time
        HostRefused                 400 host_not_trusted           the Host header is none of ours
        OriginRefused               403 origin_not_allowed         a page of another origin asks
        Unauthorized                401 invalid_api_key
        Forbidden                   403 insufficient_scope         the key is good, and not for this
        RateLimited                 429 rate_limit_exceeded        the key's own limits
        UploadTimeout               408 upload_timeout             the body did not come in time
        InvalidRequest              400 invalid_request_error      a field is wrong; `param` names it
        ContextLengthExceeded       400 context_length_exceeded    the prompt leaves no room for an answer
        InvalidImage                400 invalid_image              not readable as an image
        RemoteImageRefused          400 remote_image_refused       a URL that this server will not ask
        RemoteImageFailed           400 remote_image_failed        a URL that gave no image
        RouteNotFound               404 not_found
        ModelNotFound               404 model_not_found
        FileNotFound                404 file_not_found             no such upload, or it has expired
        UploadsOff                  404 uploads_off                the operator named no folder for them
        MethodNotAllowed            405 method_not_allowed
        BodyTooLarge                413 request_too_large
        QuotaExceeded               413 file_quota_exceeded        the tenant's uploads would be more than allowed
        UnsupportedImageFormat      415 unsupported_image_format   a format that we do not read; named
        ImageRefused                422 image_refused              readable, but over a limit
        ServerBusy                  429 server_busy                too much is in flight or waits; try again
        NotReady                    503 not_ready                  starting or failed
          Draining                  503 draining                   told to stop; another replica answers
        AuditFailed                 503 audit_failed               what cannot be put on record is not done
        StorageFailed               503 storage_failed             an upload cannot be kept: the disk is full, ...
        ImageTimeout                504 image_timeout              a picture was not ready in time
        ImageWorkerDied             500 image_worker_died          its process was ended from outside
        EngineRequestError          500 engine_error               the engine failed this request
        EngineDeadError             503 engine_dead                the engine failed altogether
          EngineHungError           503 engine_hung                it lives and does nothing
        DeadlineExceeded            504 deadline_exceeded          the request's time is over
        InternalError               500 internal_error             a defect of ours

Messages are written for the person who reads them and never hold what the client sent, a traceback or an address.
"""

from __future__ import annotations

import math
from typing import ClassVar, Self


class HuatuoError(Exception):
    """The root; `message` is one or more sentences for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(HuatuoError):
    """A flag or a HUATUO_* value is wrong."""


class KeysFileError(SettingsError):
    """The file of keys is damaged, unsafe or not there."""


class AuditLogError(HuatuoError):
    """The audit log cannot be opened: its chain is broken, another process writes it, the folder is gone."""


class CheckpointError(HuatuoError):
    """The checkpoint is incomplete, inconsistent or of an unknown kind."""


class EngineStartError(HuatuoError):
    """The engine did not start, or did not pass its self-test."""


class ImageWorkersFailed(HuatuoError):
    """The processes that prepare images cannot do so."""


class RequestError(HuatuoError):
    """One request fails. `param` names the offending field, as a JSON path: `messages.0.content.1.image_url`.

    headers: of the answer, beside the ordinary ones.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.headers: dict[str, str] = {}

    def under(self, param: str) -> Self:
        """The same error, its `param` now below `param`: an image's reader knows of its view, not of the request."""
        self.param = f"{param}.{self.param}" if self.param else param
        return self

    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON body, in OpenAI's shape."""
        return {"error": {"message": self.message, "type": self.type, "code": self.code, "param": self.param}}


class TooManyConnections(RequestError):
    """The server has as many connections as it takes, and a request on each."""

    status, type, code = 503, "server_error", "too_many_connections"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": "1"}


class InvalidHttp(RequestError):
    """Bytes that are no request of HTTP/1.1."""

    status, type, code = 400, "invalid_request_error", "invalid_http"


class HeadTooLarge(RequestError):
    """The request line and headers are over the limit."""

    status, type, code = 431, "invalid_request_error", "head_too_large"


class HeaderTimeout(RequestError):
    """The request line and headers came too slowly."""

    status, type, code = 408, "invalid_request_error", "header_timeout"


class HostRefused(RequestError):
    """A Host header that is no name of this server: what a rebound DNS name sends."""

    status, type, code = 400, "invalid_request_error", "host_not_trusted"


class OriginRefused(RequestError):
    """A browser says that a page from elsewhere asks, and the operator did not list that origin."""

    status, type, code = 403, "permission_error", "origin_not_allowed"


class Unauthorized(RequestError):
    """No key, or none that is known."""

    status, type, code = 401, "authentication_error", "invalid_api_key"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {"WWW-Authenticate": "Bearer"}


class Forbidden(RequestError):
    """The key is known, and its scopes do not reach here."""

    status, type, code = 403, "permission_error", "insufficient_scope"


class TryLater(RequestError):
    """Not now. reason: for the metrics. retry_after_s: when it may go better; the header has it in whole seconds."""

    status, type, code = 429, "server_error", "server_busy"

    def __init__(self, message: str, *, reason: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s
        self.headers = {"Retry-After": str(max(1, math.ceil(retry_after_s)))}


class RateLimited(TryLater):
    """The key has used up what it may have: requests, tokens or images a minute, or requests at once."""

    status, type, code = 429, "rate_limit_error", "rate_limit_exceeded"


class UploadTimeout(RequestError):
    """The body came too slowly."""

    status, type, code = 408, "invalid_request_error", "upload_timeout"


class InvalidRequest(RequestError):
    """A field is missing, of the wrong type or out of range."""

    status, type, code = 400, "invalid_request_error", "invalid_request_error"


class ContextLengthExceeded(RequestError):
    """The prompt fills the model's context, so that not one token of an answer fits."""

    status, type, code = 400, "invalid_request_error", "context_length_exceeded"


class InvalidImage(RequestError):
    """Bytes that cannot be read as the image they claim to be."""

    status, type, code = 400, "invalid_request_error", "invalid_image"


class RemoteImageRefused(RequestError):
    """A URL outside the operator's list, or one that leads to an address that no image should come from."""

    status, type, code = 400, "invalid_request_error", "remote_image_refused"


class RemoteImageFailed(RequestError):
    """An allowed URL that could not be fetched: no answer, another status, too slow."""

    status, type, code = 400, "invalid_request_error", "remote_image_failed"


class RouteNotFound(RequestError):
    """No such path."""

    status, type, code = 404, "invalid_request_error", "not_found"


class ModelNotFound(RequestError):
    """The request names a model that this server does not serve."""

    status, type, code = 404, "invalid_request_error", "model_not_found"


class FileNotFound(RequestError):
    """No such upload of this tenant: it never was, was deleted, or has expired."""

    status, type, code = 404, "invalid_request_error", "file_not_found"


class UploadsOff(RequestError):
    """The operator named no folder for uploads."""

    status, type, code = 404, "invalid_request_error", "uploads_off"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class BodyTooLarge(RequestError):
    """The body is over the limit; counted while it is read."""

    status, type, code = 413, "invalid_request_error", "request_too_large"


class QuotaExceeded(RequestError):
    """With this upload a tenant would keep more bytes than it may."""

    status, type, code = 413, "invalid_request_error", "file_quota_exceeded"


class UnsupportedImageFormat(RequestError):
    """An image in a format that we do not read."""

    status, type, code = 415, "invalid_request_error", "unsupported_image_format"


class ImageRefused(RequestError):
    """An image that is over a limit (pixels, side, frames, memory, time), or coded in a way that is not read."""

    status, type, code = 422, "invalid_request_error", "image_refused"


class ServerBusy(TryLater):
    """More bytes or pixels are in flight, or more requests wait for the engine, than the operator allows."""

    status, type, code = 429, "server_error", "server_busy"


class NotReady(RequestError):
    """The server is starting, or has failed."""

    status, type, code = 503, "server_error", "not_ready"

    retry_after_s: ClassVar[int] = 5

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(self.retry_after_s)}


class Draining(NotReady):
    """The server was told to stop: it takes no new work, or its time for running answers is over."""

    status, type, code = 503, "server_error", "draining"

    retry_after_s: ClassVar[int] = 1


class AuditFailed(RequestError):
    """The audit log cannot be written: a full disk, a folder that is gone."""

    status, type, code = 503, "server_error", "audit_failed"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": "1"}


class StorageFailed(RequestError):
    """An upload could not be written or read: a full disk, a folder that is gone."""

    status, type, code = 503, "server_error", "storage_failed"


class ImageTimeout(RequestError):
    """A picture was not prepared in time, though it used little of its processor time: the machine is overloaded."""

    status, type, code = 504, "server_error", "image_timeout"


class ImageWorkerDied(RequestError):
    """The process that prepared an image was ended from outside; others go on, and a new one takes its place."""

    status, type, code = 500, "server_error", "image_worker_died"


class EngineRequestError(RequestError):
    """The engine failed this request; others go on."""

    status, type, code = 500, "server_error", "engine_error"


class EngineDeadError(RequestError):
    """The engine can no longer answer anybody."""

    status, type, code = 503, "server_error", "engine_dead"


class EngineHungError(EngineDeadError):
    """The engine's processes live, and have made no progress for too long."""

    status, type, code = 503, "server_error", "engine_hung"


class DeadlineExceeded(RequestError):
    """The request's time is over, or what is left of it is too short for an answer."""

    status, type, code = 504, "server_error", "deadline_exceeded"


class InternalError(RequestError):
    """A defect of ours; the log has the details, the client does not."""

    status, type, code = 500, "server_error", "internal_error"
