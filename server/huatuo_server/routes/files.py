"""`/v1/files`: uploads, so that an image need not be sent again with every question about it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from fastapi import APIRouter, Response
from starlette.datastructures import Headers, QueryParams
from starlette.types import Scope, Send
from typing_extensions import TypedDict

from huatuo_server.admission.body import Body
from huatuo_server.call import Call
from huatuo_server.errors import (
    BodyTooLarge,
    InvalidRequest,
    QuotaExceeded,
    RequestError,
    StorageFailed,
    UnsupportedImageFormat,
    UploadsOff,
)
from huatuo_server.images.formats import HEAD_BYTES, sniff
from huatuo_server.protocol import sse
from huatuo_server.routes.error_responses import EXCHANGE, UPLOADS, error_responses
from huatuo_server.routes.exchange import Exchange, start
from huatuo_server.routes.multipart import Part, read_form
from huatuo_server.service import Service
from huatuo_server.store import FILE_ID, MAX_FILES, Store, StoredFile, required

PATH = "/v1/files"

PURPOSE: Literal["vision"] = "vision"

ANCHOR = "expires_after[anchor]"
SECONDS = "expires_after[seconds]"
FIELDS = ("file", "purpose", ANCHOR, SECONDS)

MAX_EXPIRES_AFTER_S = 30 * 24 * 3600
"""OpenAI's own; its least is an hour, ours a second."""

CHUNK_BYTES = 256 * 1024

FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        "purpose": {"type": "string", "const": PURPOSE},
        ANCHOR: {"type": "string", "const": "created_at"},
        SECONDS: {"type": "integer", "minimum": 1, "maximum": MAX_EXPIRES_AFTER_S},
    },
}

LIST_PARAMETERS: list[dict[str, Any]] = [
    {"name": name, "in": "query", "required": False, "schema": schema}
    for name, schema in {
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_FILES, "default": MAX_FILES},
        "after": {"type": "string"},
        "order": {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
        "purpose": {"type": "string"},
    }.items()
]


class FileObject(TypedDict):
    """OpenAI's file. created_at, expires_at: Unix time in seconds. filename: the client's."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["processed"]


class FileList(TypedDict):
    """OpenAI's list. first_id, last_id: of `data`; empty, as OpenAI has them strings, where it is."""

    object: Literal["list"]
    data: list[FileObject]
    first_id: str
    last_id: str
    has_more: bool


class FileDeleted(TypedDict):
    """OpenAI's answer to a deletion."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


def files_routes(service: Service) -> APIRouter:
    """The routes, over one service."""
    router = APIRouter(prefix=PATH, tags=["files"])
    form = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM_SCHEMA}}}}

    @router.post(
        "",
        summary="Upload an image",
        response_model=FileObject,
        responses=error_responses(*EXCHANGE, UploadsOff, StorageFailed, UnsupportedImageFormat, QuotaExceeded),
        openapi_extra=form,
    )
    async def upload_file() -> Response:
        """Keeps it for a while; its id may stand wherever an image may."""
        return Upload(service)

    @router.get(
        "",
        summary="The uploads",
        response_model=FileList,
        responses=error_responses(*EXCHANGE, UploadsOff, StorageFailed),
        openapi_extra={"parameters": LIST_PARAMETERS},
    )
    async def list_files() -> Response:
        """The newest first; `after` is the last id of the page before."""
        return List(service)

    @router.get(
        "/{file_id}",
        summary="One upload",
        response_model=FileObject,
        responses=error_responses(*EXCHANGE, *UPLOADS),
    )
    async def retrieve_file(file_id: str) -> Response:
        """What is known of it; 404 once it has expired."""
        return Retrieve(service, file_id)

    @router.get(
        "/{file_id}/content",
        summary="An upload's bytes",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}}, **error_responses(*EXCHANGE, *UPLOADS)},
    )
    async def download_file(file_id: str) -> Response:
        """As they came."""
        return Download(service, file_id)

    @router.delete(
        "/{file_id}",
        summary="Delete an upload",
        response_model=FileDeleted,
        responses=error_responses(*EXCHANGE, *UPLOADS),
    )
    async def delete_file(file_id: str) -> Response:
        """For good."""
        return Delete(service, file_id)

    return router


class _FilesExchange(Exchange):
    """What the five have in common: a store, and answers that no proxy or browser may keep."""

    @property
    def store(self) -> Store:
        """Raises UploadsOff."""
        return required(self.service.store)

    def admit(self, call: Call) -> None:
        required(self.service.store)

    async def answer(self, send: Send, call: Call, value: Mapping[str, Any]) -> bytes:
        last = sse.json_bytes(value)
        await send(start(call, "application/json", {"content-length": str(len(last)), "cache-control": "no-store"}))
        return last


class _WithoutBody(_FilesExchange):
    @property
    def max_body_bytes(self) -> int:
        return 0


class Upload(_FilesExchange):
    """`POST /v1/files`."""

    path = PATH

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        content_type = Headers(scope=scope).get("content-type", "")
        upload = await asyncio.to_thread(_checked_form, body.take(), content_type, self.service.limits.max_image_bytes)
        keep = partial(
            self.store.put,
            call.tenant,
            upload.content,
            filename=upload.filename,
            purpose=PURPOSE,
            expires_after_s=upload.expires_after_s,
        )
        return await self.answer(send, call, _described(await asyncio.to_thread(keep)))


class List(_WithoutBody):
    """`GET /v1/files`."""

    path = PATH

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        page = _Page.of(QueryParams(scope["query_string"]))
        files = await asyncio.to_thread(self.store.list, call.tenant)
        return await self.answer(send, call, page.cut(files))


class _OfOneFile(_WithoutBody):
    path: ClassVar[str] = f"{PATH}/{{file_id}}"

    def __init__(self, service: Service, file_id: str) -> None:
        super().__init__(service)
        self.file_id = file_id


class Retrieve(_OfOneFile):
    """`GET /v1/files/{file_id}`."""

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        return await self.answer(
            send, call, _described(await asyncio.to_thread(self.store.get, call.tenant, self.file_id))
        )


class Delete(_OfOneFile):
    """`DELETE /v1/files/{file_id}`."""

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        await asyncio.shield(asyncio.create_task(self._gone(call.tenant)))
        return await self.answer(send, call, FileDeleted(id=self.file_id, object="file", deleted=True))

    async def _gone(self, tenant: str) -> None:
        """Not to be left half-way: where the file may be gone, what was made of it is. Raises RequestError."""
        stored = await asyncio.to_thread(self.store.get, tenant, self.file_id)
        try:
            await asyncio.to_thread(self.store.delete, tenant, self.file_id)
        finally:
            self.service.preparation.forget(tenant, stored.sha256)


class Download(_OfOneFile):
    """`GET /v1/files/{file_id}/content`."""

    path: ClassVar[str] = f"{PATH}/{{file_id}}/content"

    async def reply(self, scope: Scope, send: Send, body: Body, call: Call) -> bytes:
        """All but the last chunk goes out here. What a browser finds in the bytes must never run as ours."""
        stored = await asyncio.to_thread(self.store.get, call.tenant, self.file_id)
        headers = {
            "content-length": str(stored.num_bytes),
            "content-disposition": "attachment",
            "x-content-type-options": "nosniff",
            "cache-control": "no-store",
        }
        with await asyncio.to_thread(self.store.open, call.tenant, self.file_id) as file:
            chunk = await asyncio.to_thread(file.read, CHUNK_BYTES)
            await send(start(call, "application/octet-stream", headers))
            while following := await asyncio.to_thread(file.read, CHUNK_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = following
        return chunk


@dataclass(frozen=True, slots=True)
class _CheckedForm:
    """A form that is in order. expires_after_s: None where it does not say."""

    content: memoryview
    filename: str
    expires_after_s: int | None


def _checked_form(body: bytearray, content_type: str, max_image_bytes: int) -> _CheckedForm:
    """Raises RequestError: a form that is not in order, or a file that no image question could use."""
    form = read_form(body, content_type, FIELDS)
    if "purpose" not in form or form["purpose"].text() != PURPOSE:
        raise InvalidRequest(f'purpose: it must be "{PURPOSE}"; this server takes no other files.', param="purpose")
    expires_after_s = _expires_after_s(form)
    if "file" not in form or not form["file"].content:
        raise InvalidRequest("file: the form has none, or it is empty.", param="file")
    file = form["file"]
    if len(file.content) > max_image_bytes:
        raise BodyTooLarge(f"The file is larger than {max_image_bytes} bytes (--max-image-bytes).", param="file")
    try:
        sniff(bytes(file.content[:HEAD_BYTES]))
    except RequestError as error:
        raise error.under("file") from None
    return _CheckedForm(file.content, file.filename or "upload", expires_after_s)


def _expires_after_s(form: Mapping[str, Part]) -> int | None:
    """Raises InvalidRequest."""
    if ANCHOR not in form and SECONDS not in form:
        return None
    if ANCHOR not in form or form[ANCHOR].text() != "created_at":
        raise InvalidRequest(f'{ANCHOR}: it must be "created_at".', param=ANCHOR)
    return _whole_number(form[SECONDS].text() if SECONDS in form else "", SECONDS, MAX_EXPIRES_AFTER_S)


def _whole_number(text: str, param: str, most: int) -> int:
    """Raises InvalidRequest."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise InvalidRequest(f"{param}: it must be a whole number from 1 to {most}.", param=param)
    return int(text)


@dataclass(frozen=True, slots=True)
class _Page:
    """Which files a list is to hold. after: an id; nothing up to it, in the order asked for, is listed."""

    limit: int
    after: str | None
    newest_first: bool
    purpose: str | None

    @classmethod
    def of(cls, query: QueryParams) -> _Page:
        """Raises InvalidRequest."""
        order, after = query.get("order", "desc"), query.get("after")
        if order not in ("asc", "desc"):
            raise InvalidRequest("order: it must be asc or desc.", param="order")
        if after is not None and not FILE_ID.fullmatch(after):
            raise InvalidRequest("after: it must be the id of a file.", param="after")
        limit = _whole_number(query.get("limit", str(MAX_FILES)), "limit", MAX_FILES)
        return cls(limit, after, order == "desc", query.get("purpose"))

    def cut(self, newest_first: Iterable[StoredFile]) -> FileList:
        """By id, not by place: ids sort by time, so that a client may delete a page before it asks for the next."""
        files = sorted(newest_first, key=lambda file: file.id, reverse=self.newest_first)
        files = [file for file in files if self._wanted(file)]
        data = [_described(file) for file in files[: self.limit]]
        first, last = (data[0]["id"], data[-1]["id"]) if data else ("", "")
        return FileList(object="list", data=data, first_id=first, last_id=last, has_more=len(files) > self.limit)

    def _wanted(self, file: StoredFile) -> bool:
        if self.purpose is not None and file.purpose != self.purpose:
            return False
        return self.after is None or (file.id < self.after if self.newest_first else file.id > self.after)


def _described(stored: StoredFile) -> FileObject:
    return FileObject(
        id=stored.id,
        object="file",
        bytes=stored.num_bytes,
        created_at=stored.created_at,
        expires_at=stored.expires_at,
        filename=stored.filename,
        purpose=stored.purpose,
        status="processed",
    )
