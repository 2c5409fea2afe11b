"""Every failure of the API is an answer in OpenAI's shape: a code, the field, and nothing of the input."""

from __future__ import annotations

import base64
import io
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from PIL import Image

from huatuo_server.engine.scripted import Completion
from huatuo_server.logs import AllowListFormatter
from tests.service.served import (
    SMALLEST_CONTEXT,
    Served,
    ask,
    golden_card,
    image_part,
    image_part_of,
    scripted_engine,
    served,
)

CANARY = "canary-7c1f"
MAX_BODY_BYTES = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """One that takes small bodies and two images."""
    with served(max_body_bytes=MAX_BODY_BYTES, max_images_per_request=2, max_image_pixels=10_000) as running:
        yield running


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error object; asserts OpenAI's shape."""
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "code", "param"}
    assert body["error"]["message"].endswith((".", "..."))
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    error: dict[str, Any] = body["error"]
    return error


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(buffer, kind)
    return buffer.getvalue()


DICOM = b"\0" * 128 + b"DICM" + CANARY.encode()
HEIC = b"\0\0\0\x18ftypheic" + CANARY.encode() * 10
CUT_PNG = picture(64, 64)[:60]

IMAGES: list[tuple[bytes, int, str]] = [
    (CANARY.encode(), 400, "invalid_image"),
    (CUT_PNG, 400, "invalid_image"),
    (HEIC, 415, "unsupported_image_format"),
    (DICOM, 400, "invalid_image"),
    (picture(200, 200), 422, "image_refused"),
]


@pytest.mark.parametrize(("content", "status", "code"), IMAGES, ids=["text", "cut", "heic", "dicom", "large"])
def test_an_image_that_cannot_be_used_is_named(server: Served, content: bytes, status: int, code: str) -> None:
    """The reference would skip it in silence and answer about nothing."""
    response = server.post(ask([image_part("tiny_5x7.png"), {"type": "text", "text": "?"}, image_part_of(content)]))

    error = error_of(response)
    assert (response.status_code, error["code"], error["param"]) == (status, code, "messages.0.content.2.image_url")
    assert CANARY not in response.text


def test_base64_is_read_strictly(server: Served) -> None:
    """A broken encoding is an invalid image of that part."""
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{CANARY}!"}}

    error = error_of(server.post(ask([part])))

    assert (error["code"], error["param"]) == ("invalid_image", "messages.0.content.0.image_url")


def test_a_remote_image_is_refused_with_a_way_out(server: Served) -> None:
    """Nothing is fetched, and the message says what to send instead."""
    part = {"type": "image_url", "image_url": {"url": f"http://169.254.169.254/{CANARY}"}}

    with pytest.raises(openai.BadRequestError) as caught:
        server.create([part])

    assert (caught.value.code, caught.value.param) == ("remote_image_refused", "messages.0.content.0.image_url")
    assert "data:" in str(caught.value)
    assert "169.254" not in str(caught.value)


def test_too_many_images_are_a_400_that_says_so(server: Served) -> None:
    """With the number that is allowed, and the first that is too many."""
    with pytest.raises(openai.BadRequestError, match="3 images; at most 2") as caught:
        server.create([image_part("tiny_5x7.png")] * 3)

    assert caught.value.param == "messages.0.content.2.image_url"


def test_another_model_is_not_found(server: Served) -> None:
    """The one that is served can be looked up; what was asked for is not repeated."""
    response = server.post({**ask(), "model": CANARY})

    error = error_of(response)
    assert (response.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert CANARY not in response.text


def test_a_prompt_without_room_for_an_answer_is_refused_with_figures() -> None:
    """How long it is, how much of it images take, and the limit."""
    with (
        served(scripted_engine(max_model_len=SMALLEST_CONTEXT)) as server,
        pytest.raises(openai.BadRequestError) as caught,
    ):
        server.create([image_part("tiny_5x7.png"), {"type": "text", "text": "word " * 100}])

    assert caught.value.code == "context_length_exceeded"
    assert "576 of them images" in str(caught.value)
    assert f"{SMALLEST_CONTEXT} tokens" in str(caught.value)


def test_a_prompt_that_leaves_one_token_is_answered() -> None:
    """The limit is exact."""
    empty = len(golden_card().tokenizer.encode("<|user|>\n\n<|assistant|>\n"))
    text = "诊" * (SMALLEST_CONTEXT - 1 - empty)
    overhead = len(golden_card().tokenizer.encode(f"<|user|>\n{text}\n<|assistant|>\n")) - (SMALLEST_CONTEXT - 1)
    assert overhead >= 0

    with served(scripted_engine(max_model_len=SMALLEST_CONTEXT + overhead)) as server:
        usage = server.create(text).usage

    assert (usage.prompt_tokens, usage.completion_tokens) == (SMALLEST_CONTEXT - 1 + overhead, 1)


BODIES: list[tuple[bytes, str | None]] = [
    (b"", None),
    (CANARY.encode(), None),
    (b'{"model":', None),
    (b"\xff\xfe", None),
    (b"[" * 50_000, None),
    (json.dumps(ask(CANARY)).encode()[:-1] + b',"seed":' + b"9" * 30 + b"}", "seed"),
    (json.dumps(ask(CANARY, temperature=CANARY)).encode(), "temperature"),
    (json.dumps(ask(CANARY, logit_bias={CANARY: 1})).encode(), "logit_bias"),
    (json.dumps(ask(CANARY, stop=[CANARY] * 5)).encode(), "stop"),
    (json.dumps({"model": CANARY, "messages": [{"role": CANARY, "content": CANARY}]}).encode(), "messages.0.role"),
    (json.dumps(ask([{"type": CANARY, "text": CANARY}])).encode(), "messages.0.content.0.type"),
]


@pytest.mark.parametrize(("body", "param"), BODIES, ids=range(len(BODIES)))
def test_a_malformed_body_is_a_400(server: Served, body: bytes, param: str | None) -> None:
    """Whatever is wrong with it, and never is any of it in the answer."""
    response = server.post(content=body)

    error = error_of(response)
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert CANARY not in response.text


def test_a_body_over_the_limit_is_refused_before_it_is_sent(server: Served) -> None:
    """Its Content-Length is enough."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1)
    received = b""

    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head)
        while b"}}" not in received:
            received += connection.recv(65536)

    assert received.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"request_too_large"' in received


def test_a_body_that_grows_over_the_limit_is_refused_while_it_is_read(server: Served) -> None:
    """Chunked, so that nothing announced its size."""

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * (MAX_BODY_BYTES // 10)

    response = server.post(content=endless())

    assert response.status_code == 413
    assert error_of(response)["code"] == "request_too_large"


def test_a_body_at_the_limit_is_read(server: Served) -> None:
    """The limit is exact."""
    body = json.dumps(ask()).encode()

    response = server.post(content=body + b" " * (MAX_BODY_BYTES - len(body)))

    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/v1", "/v1/chat", "/v1/chat/completions/", "//v1/models", "/v1/completions"])
def test_an_unknown_path_is_a_404(server: Served, path: str) -> None:
    """In OpenAI's shape, and not a redirect."""
    response = httpx.get(server.base_url + path)

    assert response.status_code == 404
    assert error_of(response)["code"] == "not_found"


@pytest.mark.parametrize(
    ("method", "path", "allow"), [("GET", "chat/completions", "POST"), ("DELETE", "models", "GET")]
)
def test_another_method_is_a_405_that_names_the_right_one(server: Served, method: str, path: str, allow: str) -> None:
    """By the header that HTTP has for it."""
    response = httpx.request(method, f"{server.base_url}/v1/{path}")

    assert response.status_code == 405
    assert response.headers["allow"] == allow
    assert error_of(response)["code"] == "method_not_allowed"


def test_a_server_that_starts_says_what_it_is_doing() -> None:
    """503 with the phase, for every route that needs the model."""
    with served(scripted_engine(start_delay_s=60.0), ready=False) as server:
        answers = [server.post(ask()), httpx.get(f"{server.base_url}/v1/models")]

    for response in answers:
        assert response.status_code == 503
        assert error_of(response)["code"] == "not_ready"
        assert "loading weights" in error_of(response)["message"]


def test_an_engines_failure_is_a_500_of_that_request_alone() -> None:
    """The next one is answered."""
    with served(scripted_engine(Completion(text="a b c", fail_after=1), Completion(text="well"))) as server:
        response = server.post(ask())
        answer = server.create().choices[0].message.content

    assert (response.status_code, error_of(response)["code"]) == (500, "engine_error")
    assert answer == "well"


def test_a_defect_of_ours_is_a_500_without_a_word_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback, no exception text, no address; in the middle of a stream it is an error event."""

    def broken(*_: Any) -> str:
        raise KeyError(f"{CANARY} <object at 0x7f0000000000>")

    with served() as server:
        with monkeypatch.context() as patch:
            patch.setattr("huatuo_server.prompted.render", broken)
            response = server.post(ask())
        with monkeypatch.context() as patch:
            patch.setattr("huatuo_server.detokenizer.BytePieceDecoder.finish", broken)
            stream = server.post(ask(stream=True)).text
        outcomes = server.outcomes()

    error = json.loads(stream.split("\n\n")[-2].removeprefix("data: "))["error"]
    assert (response.status_code, error_of(response)["code"]) == (500, "internal_error")
    assert error["code"] == "internal_error"
    assert "[DONE]" not in stream
    for text in (response.text, stream):
        assert not any(stranger in text for stranger in (CANARY, "KeyError", "Traceback", "0x7f"))
    assert outcomes == {"internal_error": 2}


def test_nothing_a_client_sends_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A canary in every field, on the paths that succeed and those that fail: not in the log, not in the metrics."""
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    handler.setFormatter(AllowListFormatter())
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [handler])
    monkeypatch.setattr(logging.getLogger("huatuo_server"), "level", logging.DEBUG)

    def broken(*_: Any) -> str:
        raise ValueError(CANARY)

    encoded = base64.b64encode(CANARY.encode()).decode()
    picture_of_canary = {"type": "image_url", "image_url": {"url": f"data:image/{CANARY};base64,{encoded}"}}
    with served(scripted_engine(Completion(text=CANARY), Completion(text=CANARY, fail_after=2))) as server:
        server.post(ask(CANARY, stop=[CANARY], user=CANARY, metadata={CANARY: CANARY}))
        server.post(ask(CANARY, stream=True))
        server.post(ask([picture_of_canary]))
        server.post(ask(CANARY, temperature=CANARY))
        server.post({**ask(CANARY), "model": CANARY})
        server.post(content=CANARY.encode())
        httpx.get(f"{server.base_url}/{CANARY}?{CANARY}")
        httpx.get(f"{server.base_url}/v1/models/{CANARY}")
        with monkeypatch.context() as patch:
            patch.setattr("huatuo_server.prompted.render", broken)
            server.post(ask(CANARY))
        page = httpx.get(f"{server.base_url}/metrics").text

    assert CANARY not in log.getvalue()
    assert encoded not in log.getvalue()
    assert CANARY not in page
    assert "test_chat_errors.py" in log.getvalue()
