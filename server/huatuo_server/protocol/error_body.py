"""What an error looks like on the wire: OpenAI's shape, which `errors.RequestError.body` fills in."""

from __future__ import annotations

from typing_extensions import TypedDict


class ErrorObject(TypedDict):
    """message: for people; it may change, and never repeats what was sent. code: for programs. param: the JSON path of
    the offending field, or null.
    """

    message: str
    type: str
    code: str
    param: str | None


class ErrorBody(TypedDict):
    """Every status of 400 and above, and the event that ends a stream which failed."""

    error: ErrorObject
