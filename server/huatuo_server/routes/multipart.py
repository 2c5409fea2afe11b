"""A `multipart/form-data` body (RFC 7578), read where it lies.

Not with Starlette's `request.form()`, which spools what is larger than 1 MiB into a file under /tmp: patients' images
would lie on a disk that nobody configured, and the body would be copied twice.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from huatuo_server.errors import InvalidRequest

MAX_PARTS = 16

_SILENT = logging.Logger("python_multipart", logging.CRITICAL)
"""The parser's own logger quotes what it stumbles over."""


@dataclass(slots=True)
class Part:
    """One field. content: a view of the body. filename: None where the part has none; it may name a patient."""

    content: memoryview = field(default_factory=lambda: memoryview(b""))
    filename: str | None = None

    def text(self) -> str:
        """The content as text; never raises."""
        return bytes(self.content).decode(errors="replace")


def read_form(body: bytes | bytearray, content_type: str, fields: Collection[str]) -> dict[str, Part]:
    """The parts by name, which is one of `fields`. content_type: the request's header.

    Raises InvalidRequest: no form, a broken or cut one, a field that is not known, or one that comes twice.
    """
    boundary = _boundary(content_type)
    _refuse_swarm(body, b"--" + boundary)
    reader = _Reader(body, fields)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.begin_part,
                "on_header_begin": reader.begin_header,
                "on_header_field": reader.header_name,
                "on_header_value": reader.header_value,
                "on_header_end": reader.end_header,
                "on_headers_finished": reader.end_headers,
                "on_part_data": reader.data,
                "on_end": reader.end,
            },
        )
        parser.logger = _SILENT
        # All in one call, so that the places it finds are places in `body`; it finds and slices, which a bytearray
        # can as well.
        parser.write(cast("bytes", body))
    except FormParserError:
        raise _broken() from None
    if not reader.complete:
        raise _broken()
    return reader.parts


def _boundary(content_type: str) -> bytes:
    """Raises InvalidRequest."""
    media_type, parameters = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise InvalidRequest("The body must be a form: Content-Type: multipart/form-data, with a boundary.")
    boundary = parameters.get(b"boundary", b"")
    if not boundary:
        raise InvalidRequest("The Content-Type names no boundary: let your HTTP library write that header.")
    return boundary


def _refuse_swarm(body: bytes | bytearray, delimiter: bytes) -> None:
    """Raises InvalidRequest for what would keep the parser busy: it takes 16 MiB of boundaries, or of blanks after one,
    4 s to read. No client writes such blanks, and none takes a boundary that is in its content.
    """
    if body.count(delimiter) > MAX_PARTS + 1:
        raise InvalidRequest(f"The form has more than {MAX_PARTS} parts, or its content holds its boundary.")
    if delimiter + b" " in body or delimiter + b"\t" in body:
        raise _broken()


def _broken() -> InvalidRequest:
    return InvalidRequest("The form is cut or malformed (multipart/form-data, RFC 7578).")


class _Reader:
    """What the parser calls."""

    def __init__(self, body: bytes | bytearray, fields: Collection[str]) -> None:
        self._view = memoryview(body)
        self._fields = fields
        self._disposition = b""
        self._header = (b"", b"")
        self._part = Part()
        self.parts: dict[str, Part] = {}
        self.complete = False

    def begin_part(self) -> None:
        self._part = Part()
        self._disposition = b""

    def begin_header(self) -> None:
        self._header = (b"", b"")

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (bytes(data[start:end]).lower(), b"")

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], bytes(data[start:end]))

    def end_header(self) -> None:
        name, value = self._header
        if name == b"content-disposition":
            self._disposition = value

    def end_headers(self) -> None:
        """Raises InvalidRequest."""
        _, parameters = parse_options_header(self._disposition)
        name = parameters.get(b"name", b"").decode(errors="replace")
        if name not in self._fields:
            raise InvalidRequest(f"The form has a field that is not known here. Known are: {', '.join(self._fields)}.")
        if name in self.parts:
            raise InvalidRequest(f"{name}: the form has it twice.", param=name)
        filename = parameters.get(b"filename")
        self._part.filename = None if filename is None else filename.decode(errors="replace")
        self.parts[name] = self._part

    def data(self, data: bytes, start: int, end: int) -> None:
        self._part.content = self._view[start:end]

    def end(self) -> None:
        self.complete = True
