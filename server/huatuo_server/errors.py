"""Every way a request or a start can fail, in the order of the path.

    HuatuoError
      SettingsError                 a flag or HUATUO_* value is wrong: the start stops, exit 2
      CheckpointError               the checkpoint cannot be served: the start stops, exit 1
      EngineStartError              the engine did not start or failed its self-test: exit 1
      RequestError                  a request fails; each class has status, type, code
        InvalidRequest              400 invalid_request_error      a field is wrong; `param` names it
        ContextLengthExceeded       400 context_length_exceeded    the prompt leaves no room for an answer
        InvalidImage                400 invalid_image              not readable as an image
        RouteNotFound               404 not_found
        ModelNotFound               404 model_not_found
        MethodNotAllowed            405 method_not_allowed
        BodyTooLarge                413 request_too_large
        UnsupportedImageFormat      415 unsupported_image_format   a format that we do not read; named
        ImageRefused                422 image_refused              readable, but over a limit
        NotReady                    503 not_ready                  starting or failed
        EngineRequestError          500 engine_error               the engine failed this request
        EngineDeadError             503 engine_dead                the engine failed altogether
        InternalError               500 internal_error             a defect of ours

Messages are written for the person who reads them and never hold what the client sent, a traceback or an address.
"""

from __future__ import annotations

from typing import ClassVar


class HuatuoError(Exception):
    """The root; `message` is one or more sentences for a person."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(HuatuoError):
    """A flag or a HUATUO_* value is wrong."""


class CheckpointError(HuatuoError):
    """The checkpoint is incomplete, inconsistent or of an unknown kind."""


class EngineStartError(HuatuoError):
    """The engine did not start, or did not pass its self-test."""


class RequestError(HuatuoError):
    """One request fails. `param` names the offending field, as a JSON path: `messages.0.content.1.image_url`."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param

    def body(self) -> dict[str, dict[str, str | None]]:
        """The JSON body, in OpenAI's shape."""
        return {"error": {"message": self.message, "type": self.type, "code": self.code, "param": self.param}}


class InvalidRequest(RequestError):
    """A field is missing, of the wrong type or out of range."""

    status, type, code = 400, "invalid_request_error", "invalid_request_error"


class ContextLengthExceeded(RequestError):
    """The prompt fills the model's context, so that not one token of an answer fits."""

    status, type, code = 400, "invalid_request_error", "context_length_exceeded"


class InvalidImage(RequestError):
    """Bytes that cannot be read as the image they claim to be."""

    status, type, code = 400, "invalid_request_error", "invalid_image"


class RouteNotFound(RequestError):
    """No such path."""

    status, type, code = 404, "invalid_request_error", "not_found"


class ModelNotFound(RequestError):
    """The request names a model that this server does not serve."""

    status, type, code = 404, "invalid_request_error", "model_not_found"


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    status, type, code = 405, "invalid_request_error", "method_not_allowed"


class BodyTooLarge(RequestError):
    """The body is over the limit; counted while it is read."""

    status, type, code = 413, "invalid_request_error", "request_too_large"


class UnsupportedImageFormat(RequestError):
    """An image in a format that we do not read."""

    status, type, code = 415, "invalid_request_error", "unsupported_image_format"


class ImageRefused(RequestError):
    """A readable image that is over a limit (pixels, side)."""

    status, type, code = 422, "invalid_request_error", "image_refused"


class NotReady(RequestError):
    """The server is starting, or has failed."""

    status, type, code = 503, "server_error", "not_ready"


class EngineRequestError(RequestError):
    """The engine failed this request; others go on."""

    status, type, code = 500, "server_error", "engine_error"


class EngineDeadError(RequestError):
    """The engine can no longer answer anybody."""

    status, type, code = 503, "server_error", "engine_dead"


class InternalError(RequestError):
    """A defect of ours; the log has the details, the client does not."""

    status, type, code = 500, "server_error", "internal_error"
