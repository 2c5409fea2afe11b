"""Base64 and `data:` URLs: which are read, and what of them is believed."""

from __future__ import annotations

import base64

import pytest

from huatuo_server.errors import InvalidImage
from huatuo_server.protocol.data_url import Base64

CONTENT = bytes(range(256))
BASE64 = base64.b64encode(CONTENT).decode()


@pytest.mark.parametrize(
    "head", ["data:image/png;base64", "DATA:IMAGE/PNG;BASE64", "data:;base64", "data:x/y;q=1;base64"]
)
def test_the_media_type_is_not_looked_at(head: str) -> None:
    """Whatever it claims, the bytes are the bytes."""
    assert b"".join(Base64.of_data_url(f"{head},{BASE64}", param="p").content()) == CONTENT


@pytest.mark.parametrize(
    "payload",
    [
        "canary",
        BASE64 + "=",
        BASE64[:-1],
        BASE64[:8] + "\n" + BASE64[8:],
        "-_-_",
        "%2B%2B",
        "aaaa aaaa",
        "äöü=",
        "====",
    ],
)
def test_sloppy_base64_is_an_invalid_image(payload: str) -> None:
    """One encoding of an image is one string; the error shows nothing of it."""
    with pytest.raises(InvalidImage) as caught:
        list(Base64.of_data_url(f"data:;base64,{payload}", param="messages.0").content())

    assert payload not in caught.value.message


@pytest.mark.parametrize("length", range(1, 8))
def test_the_size_is_known_before_the_bytes_are(length: int) -> None:
    """A limit on a file's size can be kept without decoding it."""
    encoded = Base64(base64.b64encode(b"x" * length).decode())

    assert encoded.num_bytes == length == len(b"".join(encoded.content()))
