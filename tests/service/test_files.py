"""`/v1/files`, by the official SDK where it can say it, and by hand where it cannot."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from huatuo_server.caller import ANONYMOUS
from huatuo_server.errors import StorageFailed
from huatuo_server.images.preparation import Preparation
from huatuo_server.logs import AllowListFormatter
from huatuo_server.routes import multipart
from huatuo_server.routes.files import MAX_EXPIRES_AFTER_S
from huatuo_server.settings import Settings
from huatuo_server.store import HEAD_BYTES, MAX_FILENAME_CHARS, MAX_FILES, DirectoryStore, StoredFile
from tests.docs.markdown import ROOT, table
from tests.service.served import Served, served
from tests.service.supervised import until
from tests.service.test_chat_errors import error_of

PAGE = ROOT / "docs" / "files.md"

CANARY = "canary-7c1f"
TTL_S = 3600
QUOTA_BYTES = 3_000_000
MAX_IMAGE_BYTES = 1_000_000
MAX_BODY_BYTES = 2_000_000
NEVER_WAS = "file-" + "0" * 46

TYPE = "multipart/form-data; boundary=edge"


def png(side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), (200, 10, 10)).save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Served]:
    with serving(folder) as server:
        yield server


@pytest.fixture
def server(running: Served, folder: Path) -> Served:
    """One that keeps nothing yet."""
    for path in folder.rglob("file-*"):
        path.unlink()
    return running


def serving(folder: Path, **settings: Any) -> Any:
    limits = {"max_image_bytes": MAX_IMAGE_BYTES, "max_body_bytes": MAX_BODY_BYTES}
    quota = {"file_ttl_s": TTL_S, "file_quota_bytes": QUOTA_BYTES}
    return served(ready=False, files_dir=folder, **{**limits, **quota, **settings})


def upload(server: Served, content: bytes = PNG, name: str = "film.png", **options: Any) -> openai.types.FileObject:
    return server.client.files.create(file=(name, content), purpose="vision", **options)


def post(server: Served, body: bytes, content_type: str = TYPE) -> httpx.Response:
    return httpx.post(f"{server.base_url}/v1/files", content=body, headers={"Content-Type": content_type}, timeout=30)


def form(*parts: tuple[str, bytes], name: str | None = "film.png", edge: str = "edge") -> bytes:
    """A form by hand; `name` is that of the part `file`."""
    written = b""
    for field, content in parts:
        filename = f'; filename="{name}"' if field == "file" and name is not None else ""
        written += f'--{edge}\r\nContent-Disposition: form-data; name="{field}"{filename}\r\n\r\n'.encode()
        written += content + b"\r\n"
    return written + f"--{edge}--\r\n".encode()


FILE, PURPOSE = ("file", PNG), ("purpose", b"vision")


def counted(server: Served, name: str, route: str) -> dict[str, float]:
    """A route's requests by outcome."""
    return {
        sample.labels["outcome"]: sample.value
        for metric in server.registry.collect()
        for sample in metric.samples
        if sample.name == name and sample.labels["route"] == route
    }


# ---------------------------------------------------------------- the five routes


def test_an_upload_is_described_as_openai_does(server: Served) -> None:
    """With the time at which it goes."""
    before = int(time.time())

    file = upload(server)

    assert (file.object, file.bytes, file.filename, file.purpose) == ("file", len(PNG), "film.png", "vision")
    assert (file.status, file.model_extra) == ("processed", {})
    assert before <= file.created_at <= time.time()
    assert file.expires_at == file.created_at + TTL_S
    assert server.client.files.retrieve(file.id) == file
    assert server.client.files.wait_for_processing(file.id) == file


@pytest.mark.parametrize("content", [PNG, b"\0" * 128 + b"DICM" + bytes(range(256)) * 3000], ids=["png", "dicom"])
def test_the_bytes_come_back_as_they_went(server: Served, content: bytes) -> None:
    """In several chunks where they are many."""
    assert server.client.files.content(upload(server, content).id).content == content


def test_what_a_browser_gets_it_does_not_run(server: Served) -> None:
    """The bytes are the client's, the origin is ours; and a file name is nobody else's to read."""
    file = upload(server, name=f"{CANARY}.html")

    response = httpx.get(f"{server.base_url}/v1/files/{file.id}/content")

    headers = response.headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"] == "attachment"
    assert headers["cache-control"] == "no-store"
    assert headers["content-length"] == str(len(PNG))
    assert CANARY not in str(headers)


def test_a_deleted_file_is_gone(server: Served, folder: Path) -> None:
    """From the API and from the disk."""
    file = upload(server)

    deleted = server.client.files.delete(file.id)

    assert (deleted.id, deleted.object, deleted.deleted) == (file.id, "file", True)
    assert list(folder.rglob("file-*")) == []
    for method in (server.client.files.retrieve, server.client.files.delete, server.client.files.content):
        with pytest.raises(openai.NotFoundError) as caught:
            method(file.id)
        assert caught.value.code == "file_not_found"


def test_what_was_made_of_a_deleted_file_is_forgotten(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures prepared from it go as well."""
    forgotten = []
    monkeypatch.setattr(Preparation, "forget", lambda _, tenant, sha256: forgotten.append((tenant, sha256)))

    server.client.files.delete(upload(server).id)

    assert forgotten == [(ANONYMOUS.tenant, hashlib.sha256(PNG).hexdigest())]


def test_a_client_that_goes_away_does_not_keep_what_was_made_of_a_deleted_file(
    server: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hangs up when the file is gone already: the pictures go as well."""
    forgotten: list[str] = []
    gone, may_return = threading.Event(), threading.Event()
    delete = DirectoryStore.delete

    def slow_delete(store: DirectoryStore, tenant: str, file_id: str) -> StoredFile:
        deleted = delete(store, tenant, file_id)
        gone.set()
        assert may_return.wait(10)
        return deleted

    monkeypatch.setattr(DirectoryStore, "delete", slow_delete)
    monkeypatch.setattr(Preparation, "forget", lambda _, tenant, sha256: forgotten.append(sha256))
    route, file = "/v1/files/{file_id}", upload(server)
    before = counted(server, "hgv_requests_total", route).get("client_closed", 0)

    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(f"DELETE /v1/files/{file.id} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert gone.wait(10)
    until(lambda: counted(server, "hgv_requests_total", route).get("client_closed", 0) > before, 10)
    may_return.set()

    until(lambda: forgotten == [hashlib.sha256(PNG).hexdigest()], 10)
    assert list(folder.rglob("file-*")) == []


def test_what_was_made_of_a_file_is_forgotten_where_its_deletion_fails_half_way(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is gone, and the disk does not say that it is for good: 503, and no picture is left."""
    forgotten: list[str] = []
    delete = DirectoryStore.delete

    def failing_delete(store: DirectoryStore, tenant: str, file_id: str) -> StoredFile:
        delete(store, tenant, file_id)
        raise StorageFailed("The server cannot keep or read uploads now.")

    monkeypatch.setattr(DirectoryStore, "delete", failing_delete)
    monkeypatch.setattr(Preparation, "forget", lambda _, tenant, sha256: forgotten.append(sha256))

    with pytest.raises(openai.InternalServerError):
        server.client.files.delete(upload(server).id)

    assert forgotten == [hashlib.sha256(PNG).hexdigest()]


def test_a_list_is_the_newest_first_in_pages(server: Served) -> None:
    """The SDK asks for as many pages as there are."""
    ids = [upload(server).id for _ in range(5)]

    assert [file.id for file in server.client.files.list()] == ids[::-1]
    assert [file.id for file in server.client.files.list(limit=2)] == ids[::-1]
    assert [file.id for file in server.client.files.list(limit=2, order="asc")] == ids
    page = server.client.files.list(limit=2)
    assert ([file.id for file in page.data], page.has_more) == (ids[:2:-1], True)
    assert server.client.files.list(after=ids[1]).data[0].id == ids[0]
    assert server.client.files.list(purpose="vision").data[0].id == ids[4]
    assert server.client.files.list(purpose="batch").data == []


def test_files_can_be_deleted_while_they_are_listed(server: Served) -> None:
    """The page after a file that is gone begins where it would have."""
    for _ in range(5):
        upload(server)

    for file in server.client.files.list(limit=2):
        server.client.files.delete(file.id)

    assert server.client.files.list().data == []


def test_an_empty_list_is_openais_too(server: Served) -> None:
    """As JSON, for who uses no SDK."""
    response = httpx.get(f"{server.base_url}/v1/files")

    assert response.json() == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}
    assert response.headers["cache-control"] == "no-store"


QUERIES = ["limit=0", "limit=10001", "limit=x", "limit=-1", f"limit={'9' * 5000}", "order=up", f"after={CANARY}"]


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_a_wrong_query_names_its_parameter(server: Served, query: str) -> None:
    """None is ignored."""
    response = httpx.get(f"{server.base_url}/v1/files?{query}")

    error = error_of(response)
    assert (response.status_code, error["param"]) == (400, query.partition("=")[0])
    assert CANARY not in response.text


# ---------------------------------------------------------------- how long


@pytest.mark.parametrize(("asked", "given"), [(60, 60), (TTL_S * 2, TTL_S)])
def test_a_shorter_life_can_be_asked_for(server: Served, asked: int, given: int) -> None:
    """A longer one is cut to the operator's, and the answer says so."""
    file = upload(server, expires_after={"anchor": "created_at", "seconds": asked})

    assert file.expires_at == file.created_at + given


def test_an_expired_file_is_not_served(server: Served, folder: Path) -> None:
    """Though it still lies on the disk."""
    an_hour_ago = DirectoryStore(folder, ttl_s=60, quota_bytes=QUOTA_BYTES, clock=lambda: time.time() - 3600)
    expired = an_hour_ago.put("", PNG, filename="film.png", purpose="vision")

    for method in (server.client.files.retrieve, server.client.files.content, server.client.files.delete):
        with pytest.raises(openai.NotFoundError):
            method(expired.id)
    assert server.client.files.list().data == []


def test_an_expired_file_leaves_the_disk(tmp_path: Path) -> None:
    """By itself: the server sweeps."""
    an_hour_ago = DirectoryStore(tmp_path, ttl_s=60, quota_bytes=QUOTA_BYTES, clock=lambda: time.time() - 3600)
    an_hour_ago.put("", PNG, filename="film.png", purpose="vision")

    with serving(tmp_path):
        deadline = time.monotonic() + 10
        while list(tmp_path.rglob("file-*")):
            assert time.monotonic() < deadline
            time.sleep(0.01)


WRONG_LIVES: list[tuple[list[tuple[str, bytes]], str]] = [
    ([("expires_after[seconds]", b"60")], "expires_after[anchor]"),
    ([("expires_after[anchor]", b"now"), ("expires_after[seconds]", b"60")], "expires_after[anchor]"),
    ([("expires_after[anchor]", b"created_at")], "expires_after[seconds]"),
    ([("expires_after[anchor]", b"created_at"), ("expires_after[seconds]", b"0")], "expires_after[seconds]"),
    ([("expires_after[anchor]", b"created_at"), ("expires_after[seconds]", b"1.5")], "expires_after[seconds]"),
    ([("expires_after[anchor]", b"created_at"), ("expires_after[seconds]", b"9" * 5000)], "expires_after[seconds]"),
]


@pytest.mark.parametrize(("parts", "param"), WRONG_LIVES, ids=range(len(WRONG_LIVES)))
def test_a_life_that_cannot_be_read_is_refused(server: Served, parts: list[tuple[str, bytes]], param: str) -> None:
    """A file that stays longer than its sender meant would be a breach."""
    response = post(server, form(FILE, PURPOSE, *parts))

    assert (response.status_code, error_of(response)["param"]) == (400, param)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("purpose", ["assistants", "batch", "fine-tune", "user_data", "evals"])
def test_only_images_are_taken(server: Served, purpose: Any) -> None:
    """Another purpose is refused by name, not taken and never used."""
    with pytest.raises(openai.BadRequestError, match="vision") as caught:
        server.client.files.create(file=("film.png", PNG), purpose=purpose)

    assert caught.value.param == "purpose"


REFUSED: list[tuple[bytes, int, str]] = [
    (CANARY.encode(), 400, "invalid_image"),
    (b"%PDF-1.7" + CANARY.encode(), 415, "unsupported_image_format"),
    (b"\0\0\0\x18ftypheic" + CANARY.encode(), 415, "unsupported_image_format"),
    (PNG + b"\0" * MAX_IMAGE_BYTES, 413, "request_too_large"),
    (b"", 400, "invalid_request_error"),
]


@pytest.mark.parametrize(("content", "status", "code"), REFUSED, ids=["text", "pdf", "heic", "large", "empty"])
def test_what_is_no_image_is_refused_at_the_door(
    server: Served, folder: Path, content: bytes, status: int, code: str
) -> None:
    """As in chat, and not with the first question about it."""
    with pytest.raises(openai.APIStatusError) as caught:
        upload(server, content)

    assert (caught.value.status_code, caught.value.code, caught.value.param) == (status, code, "file")
    assert ("--max-image-bytes" in str(caught.value)) == (status == 413)
    assert CANARY not in caught.value.response.text
    assert list(folder.rglob("file-*")) == []


def test_a_file_at_the_limit_is_taken(server: Served) -> None:
    """The limit is exact, and the form around it does not count."""
    assert upload(server, PNG.ljust(MAX_IMAGE_BYTES, b"\0")).bytes == MAX_IMAGE_BYTES


def test_a_body_over_the_limit_is_refused_while_it_is_read(server: Served) -> None:
    """Before any of it is looked at."""
    response = post(server, b"x" * (MAX_BODY_BYTES + 1))

    assert (response.status_code, error_of(response)["code"]) == (413, "request_too_large")


def test_over_the_quota_is_said_with_its_setting(server: Served) -> None:
    """Until something is deleted."""
    files = [upload(server, PNG.ljust(MAX_IMAGE_BYTES, b"\0")) for _ in range(3)]

    with pytest.raises(openai.APIStatusError, match="--file-quota-bytes") as caught:
        upload(server)
    assert (caught.value.status_code, caught.value.code) == (413, "file_quota_exceeded")

    server.client.files.delete(files[0].id)
    assert upload(server)


FORMS: list[tuple[bytes, str, str | None]] = [
    (b"", TYPE, None),
    (b"{}", "application/json", None),
    (form(FILE, PURPOSE), "multipart/form-data", None),
    (form(FILE, PURPOSE), "multipart/form-data; boundary=", None),
    (form(FILE, PURPOSE), "multipart/form-data; boundary=another", None),
    (form(FILE, PURPOSE, edge="e" * 257), f"multipart/form-data; boundary={'e' * 257}", None),
    (form(FILE, PURPOSE)[:-6], TYPE, None),
    (form(FILE, PURPOSE)[:200], TYPE, None),
    (CANARY.encode(), TYPE, None),
    (form(FILE, PURPOSE).replace(b"Content-Disposition", b"Content\x00Disposition", 1), TYPE, None),
    (form(FILE, PURPOSE).replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 50 + b"\r\n", 1), TYPE, None),
    (form(FILE, PURPOSE).replace(b"film.png", b"f" * 100_000), TYPE, None),
    (form(FILE, PURPOSE, (CANARY, b"x")), TYPE, None),
    (form(FILE, FILE, PURPOSE), TYPE, "file"),
    (form(FILE, PURPOSE, PURPOSE), TYPE, "purpose"),
    (form(FILE), TYPE, "purpose"),
    (form(FILE, ("purpose", b"")), TYPE, "purpose"),
    (form(PURPOSE), TYPE, "file"),
    (form(PURPOSE, ("file", b"")), TYPE, "file"),
]


@pytest.mark.parametrize(("body", "content_type", "param"), FORMS, ids=range(len(FORMS)))
def test_a_form_that_is_not_in_order_is_a_400(
    server: Served, folder: Path, body: bytes, content_type: str, param: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the field where there is one, keeps nothing, and repeats nothing, in the log neither."""
    response = post(server, body, content_type)

    error = error_of(response)
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert CANARY not in response.text
    assert [record for record in caplog.records if record.name.startswith("python_multipart")] == []
    assert list(folder.rglob("file-*")) == []


HEAD = form(FILE)[: -len("\r\n--edge--\r\n")]


@pytest.mark.parametrize(
    "body",
    [
        HEAD + b"\r\n--edgeX" * 100_000 + b"\r\n--edge--\r\n",
        HEAD + b"\r\n--edge" + b" " * 1_000_000 + b"\r\n--edge--\r\n",
        HEAD + b"\r\n--edge" + b"\t" * 1_000_000,
        b"--edge\r\n\r\n\r\n" * 100_000,
    ],
    ids=["like boundaries", "blanks", "tabs", "parts"],
)
def test_a_form_made_to_be_slow_is_not_even_parsed(
    server: Served, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each takes the parser 0.2 s for every megabyte."""
    monkeypatch.setattr(multipart, "MultipartParser", None)

    response = post(server, body)

    assert (response.status_code, error_of(response)["code"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("edge", ["e", "-" * 24 + "af", "----WebKitFormBoundary7MA4YWxkTrZu0gW"])
def test_other_clients_forms_are_read(server: Served, edge: str) -> None:
    """Quoted boundaries, other headers, fields in another order, a file without a name, text after the end."""
    body = (
        form(PURPOSE, FILE, name=None, edge=edge).replace(b"\r\n\r\n", b"\r\nContent-Type: image/png\r\n\r\n") + b"bye"
    )

    response = post(server, body, f'Multipart/Form-Data; charset=utf-8; boundary="{edge}"')

    assert response.status_code == 200
    assert response.json()["filename"] == "upload"
    assert response.json()["bytes"] == len(PNG)


@pytest.mark.parametrize("name", ["片.dcm", 'a "b".png', "ü" * 300], ids=["chinese", "quotes", "long"])
def test_a_name_comes_back_to_its_client(server: Served, name: str) -> None:
    """As the SDK writes it, cut to 255 characters."""
    sent = name.replace('"', "%22")

    assert upload(server, name=name).filename == sent[:255]


def test_no_copy_is_spooled_to_another_disk(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starlette's own parser would write what is larger than 1 MiB to /tmp."""
    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", None)
    monkeypatch.setattr("tempfile._get_default_tempdir", None)

    assert upload(server, PNG.ljust(MAX_IMAGE_BYTES, b"\0"))


PATHS = [
    *(NEVER_WAS, CANARY, "..%2f..%2fetc%2fpasswd", "%2e%2e", "file-%00", "file-" + "0" * 45 + "%0a", "x" * 5000),
    *(f"{NEVER_WAS}/content", "..%2f..%2f/content", f"{CANARY}/content"),
]


@pytest.mark.parametrize("path", PATHS, ids=range(len(PATHS)))
def test_no_path_leads_outside(server: Served, path: str) -> None:
    """Each is an error that says nothing of what is there."""
    for method in ("GET", "DELETE"):
        response = httpx.request(method, f"{server.base_url}/v1/files/{path}")

        code = error_of(response)["code"]
        assert (response.status_code, code) in (
            (404, "file_not_found"),
            (404, "not_found"),
            (405, "method_not_allowed"),
        )
        assert CANARY not in response.text


def test_without_a_folder_uploads_are_off() -> None:
    """Every route says which setting turns them on, and no body is read for it."""
    with served(ready=False) as server:
        answers = [
            post(server, form(FILE, PURPOSE)),
            httpx.get(f"{server.base_url}/v1/files"),
            httpx.get(f"{server.base_url}/v1/files/{NEVER_WAS}"),
            httpx.get(f"{server.base_url}/v1/files/{NEVER_WAS}/content"),
            httpx.delete(f"{server.base_url}/v1/files/{NEVER_WAS}"),
        ]

    for response in answers:
        assert (response.status_code, error_of(response)["code"]) == (404, "uploads_off")
        assert "--files-dir" in error_of(response)["message"]


# ---------------------------------------------------------------- when things go wrong


def test_a_full_disk_is_a_503_that_says_so(server: Served, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left of the upload; the next one, with room again, is kept."""

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("huatuo_server.store.os.fsync", full)
        response = post(server, form(FILE, PURPOSE))

    assert (response.status_code, error_of(response)["code"]) == (503, "storage_failed")
    assert "the disk is full" in error_of(response)["message"]
    assert list(folder.rglob("file-*")) == []
    assert upload(server)


def test_a_client_that_goes_away_leaves_nothing(server: Served, folder: Path) -> None:
    """Half a form is no upload."""
    body = form(FILE, PURPOSE)
    head = f"POST /v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: {TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    before = counted(server, "hgv_requests_total", "/v1/files").get("client_closed", 0)

    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head.encode() + body[: len(body) // 2])

    deadline = time.monotonic() + 10
    while counted(server, "hgv_requests_total", "/v1/files").get("client_closed", 0) == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert list(folder.rglob("file-*")) == []


def test_requests_are_counted_by_route_and_outcome(tmp_path: Path) -> None:
    """By the template: an id would make a series for every file."""
    with serving(tmp_path) as server:
        file = upload(server)
        post(server, b"")
        server.client.files.list()
        server.client.files.retrieve(file.id)
        server.client.files.content(file.id)
        server.client.files.delete(file.id)
        httpx.get(f"{server.base_url}/v1/files/{file.id}")

        assert counted(server, "hgv_requests_total", "/v1/files") == {"ok": 2, "invalid_request_error": 1}
        assert counted(server, "hgv_requests_total", "/v1/files/{file_id}") == {"ok": 2, "file_not_found": 1}
        assert counted(server, "hgv_requests_total", "/v1/files/{file_id}/content") == {"ok": 1}


def test_nothing_of_an_upload_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither name nor bytes nor id; not in the log, not in the metrics, not in an error."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(AllowListFormatter())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    # By caplog, which also clears what loggers remember of their level.
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "huatuo_server")
    # The clients of these tests, in the same process, log what they ask.
    for client in ("openai", "httpx", "httpcore", "httpx2", "httpcore2"):
        caplog.set_level(logging.CRITICAL, client)
    said = []

    with serving(tmp_path, file_quota_bytes=2000) as server:
        file = upload(server, PNG + CANARY.encode(), name=CANARY)
        server.client.files.retrieve(file.id)
        server.client.files.content(file.id)
        said.append(post(server, form(("file", PNG + CANARY.encode() * 1000), PURPOSE, name=CANARY)))
        said.append(post(server, form(("file", CANARY.encode()), PURPOSE, name=CANARY)))
        said.append(post(server, form(FILE, ("purpose", CANARY.encode()))))
        said.append(post(server, form(FILE, (CANARY, b""))))
        said.append(post(server, CANARY.encode(), f"{TYPE}; {CANARY}={CANARY}"))
        said.append(httpx.get(f"{server.base_url}/v1/files/{CANARY}?{CANARY}={CANARY}"))
        with monkeypatch.context() as patch:
            patch.setattr("huatuo_server.store.os.rename", Path(CANARY).read_text)
            said.append(post(server, form(("file", PNG + CANARY.encode()), PURPOSE, name=CANARY)))
        server.client.files.delete(file.id)
        page = httpx.get(f"{server.base_url}/metrics").text

    assert {response.status_code for response in said} == {400, 404, 413, 500}
    written = log.getvalue()
    assert '"route": "/v1/files/{file_id}"' in written
    for secret in (CANARY, file.id):
        assert secret not in written
        assert secret not in page
    assert not any(CANARY in response.text for response in said)


# ---------------------------------------------------------------- docs/files.md


def test_the_page_says_what_the_settings_and_limits_are() -> None:
    """Its table of defaults, and the numbers in its text."""
    rows = table(PAGE, "How long, and how much")
    text = PAGE.read_text(encoding="utf-8")

    assert {row[0] for row in rows} == {"--files-dir", "--file-ttl-s", "--file-quota-bytes", "--max-image-bytes"}
    for name, default, _ in rows[1:]:
        assert default == str(Settings.model_fields[name.removeprefix("--").replace("-", "_")].default)
    assert f"at most {MAX_FILES:,} files" in text
    assert f"`limit` (1 to {MAX_FILES})" in text
    assert f"1 to {MAX_EXPIRES_AFTER_S}" in text
    assert f"cut to {MAX_FILENAME_CHARS} characters" in text
    assert f"{HEAD_BYTES:,} bytes of facts" in text


def test_the_page_shows_an_upload_as_it_is_described(server: Served) -> None:
    """All of its fields, and no other."""
    shown = json.loads(re.findall(r'\{"id".*?\}', PAGE.read_text(encoding="utf-8"), re.DOTALL)[0])

    described = post(server, form(FILE, PURPOSE)).json()

    assert list(shown) == list(described)
