"""Long base64 in a body is set aside before the body is parsed, and nobody can tell but by the time."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest

from huatuo_server.errors import BodyTooLarge, InvalidImage, InvalidRequest
from huatuo_server.protocol.chat_request import ChatRequest, parse_chat_request
from huatuo_server.protocol.data_url import PIECE_CHARS, Base64
from huatuo_server.protocol.payloads import MAX_PAYLOADS, MIN_BYTES, Payloads

LONG = os.urandom(3 * PIECE_CHARS)
ENCODED = base64.b64encode(LONG).decode()
URL = f"data:image/png;base64,{ENCODED}"


def parsed(content: Any, **fields: Any) -> ChatRequest:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]} | fields).encode()
    return parse_chat_request(bytearray(body), max_images=6, vocab_size=100)


def part(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def file_of(request: ChatRequest, number: int = 0) -> bytes:
    source = request.messages[0].images[number].source
    assert isinstance(source, Base64)
    return b"".join(source.content())


def test_a_long_payload_is_a_view_of_the_body() -> None:
    """It was copied nowhere, and decodes to the same bytes; its length is known before."""
    request = parsed([part(URL), {"type": "text", "text": "x"}])

    source = request.messages[0].images[0].source
    assert isinstance(source, Base64)
    assert isinstance(source.payload, memoryview)
    assert (file_of(request), source.num_bytes) == (LONG, len(LONG))


def test_each_image_keeps_its_own() -> None:
    """Several long ones, a short one, and one in a `file` part."""
    others = [os.urandom(MIN_BYTES), os.urandom(100), os.urandom(MIN_BYTES)]
    urls = [f"data:;base64,{base64.b64encode(one).decode()}" for one in others]
    request = parsed([*map(part, urls), {"type": "file", "file": {"file_data": URL}}])

    assert [file_of(request, number) for number in range(4)] == [*others, LONG]


def test_in_a_message_it_stays_text() -> None:
    """Word for word, whatever stands around it."""
    assert parsed(f"Look: {URL} and {URL}!").messages[0].text == f"Look: {URL} and {URL}!"


@pytest.mark.parametrize("field", ["stop", "model"])
def test_where_no_image_stands_it_is_judged_as_it_is(field: str) -> None:
    """A stop string or a name does not become shorter by looking like an image."""
    if field == "stop":
        with pytest.raises(InvalidRequest, match="stop"):
            parsed("x", stop=URL)
    else:
        assert parsed("x", model=URL).model == URL


def test_many_texts_that_look_like_images_stay_texts() -> None:
    """All their letters come back; none is looked for among the others."""
    texts = [{"type": "text", "text": f"data:;base64,{'A' * MIN_BYTES}"} for _ in range(200)]

    assert len(parsed(texts).messages[0].text) > 200 * MIN_BYTES


def test_an_escaped_slash_is_read_as_json_has_it() -> None:
    """PHP writes base64 so."""
    text = json.dumps({"model": "m", "messages": [{"role": "user", "content": [part(URL)]}]}).replace("/", "\\/")

    request = parse_chat_request(bytearray(text.encode()), max_images=6, vocab_size=100)

    assert file_of(request) == LONG


@pytest.mark.parametrize(
    "body", [b'{"a": "data:;base64,' + b"A" * MIN_BYTES, b'"data:;base64,' * 9, b'data:;base64,"data:;base64,";']
)
def test_what_is_not_json_is_still_told_so(body: bytes) -> None:
    """A mark without an end changes nothing."""
    assert Payloads().set_aside(body) == body
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        parse_chat_request(body, max_images=6, vocab_size=100)


def test_marks_without_end_are_not_looked_at_for_ever() -> None:
    """Past the limit, what remains is parsed as it is."""
    body = b'"data:;base64,"' * MAX_PAYLOADS + URL.encode() + b'"'

    assert Payloads().set_aside(body) == body


@pytest.mark.parametrize("wrong", ["!", "=", "\n", "é"])
@pytest.mark.parametrize("place", [0, PIECE_CHARS - 1, PIECE_CHARS, len(ENCODED) - 5])
def test_what_is_not_base64_is_refused_wherever_it_stands(wrong: str, place: int) -> None:
    """At the seams of the pieces too; padding is for the end alone."""
    url = "data:;base64," + ENCODED[:place] + wrong + ENCODED[place + 1 :]

    with pytest.raises((InvalidImage, InvalidRequest)):
        file_of(parsed([part(url)]))


def test_padding_at_a_seam_is_not_an_end() -> None:
    """Two padded texts in a row are not base64, though each would be."""
    first = base64.b64encode(os.urandom(PIECE_CHARS // 4 * 3 - 1)).decode()

    with pytest.raises(InvalidImage):
        list(Base64(first + "AAAA").content())


def test_php_s_slashes_do_not_make_a_payload_a_text() -> None:
    """`json_encode` escapes each of them, in the media type too; a large image is still set aside."""
    content = bytes(range(256)) * 40_000
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    body = json.dumps({"image": {"type": "image_url", "image_url": {"url": url}}}).replace("/", "\\/").encode()
    payloads = Payloads()

    short = payloads.set_aside(body)

    assert len(short) < 500
    assert payloads.left_over


def test_texts_larger_than_any_prompt_are_not_parsed() -> None:
    """Escaped text costs the event loop most: 413 before it is looked at, whether it is a text or hides in one."""
    text = "\\u4e2d" * 1_000_000
    hidden = "data:image/png;base64," + "A" * 20_000_000

    for content in (text, hidden):
        with pytest.raises(BodyTooLarge):
            parse_chat_request(
                f'{{"model": "m", "messages": [{{"role": "user", "content": "{content}"}}]}}'.encode(),
                max_images=6,
                vocab_size=100,
            )
