"""`data:` URLs (RFC 2397), the only kind of image URL that is read."""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from huatuo_server.errors import InvalidImage, InvalidRequest

MAX_HEAD_CHARS = 256
"""A media type with its parameters is short; a longer head is not one."""


@dataclass(frozen=True, slots=True)
class DataUrl:
    """The base64 text of one image, and the field that it stood in.

    The media type is dropped: what the bytes are is told from the bytes.
    """

    payload: str
    param: str

    @classmethod
    def parse(cls, url: str, *, param: str) -> DataUrl:
        """Raises InvalidRequest when it is another kind of URL, or not in base64."""
        head, comma, payload = url.partition(",")
        scheme, _, media_type = head[:MAX_HEAD_CHARS].partition(":")
        if scheme.strip().lower() != "data":
            raise InvalidRequest(
                f"{param}: only data: URLs are read; this server fetches nothing. "
                "Send the image itself, as data:image/png;base64,...",
                param=param,
            )
        if not comma or len(head) > MAX_HEAD_CHARS or not media_type.strip().lower().endswith(";base64"):
            raise InvalidRequest(
                f"{param}: the data: URL must be in base64, as in data:image/png;base64,...", param=param
            )
        if not payload:
            raise InvalidRequest(f"{param}: the data: URL is empty.", param=param)
        return cls(payload, param)

    def content(self) -> bytes:
        """The bytes. Raises InvalidImage when the text is not base64 of the standard alphabet, padded, in one line."""
        try:
            return binascii.a2b_base64(self.payload, strict_mode=True)
        except ValueError:
            raise InvalidImage(
                f"{self.param}: not valid base64 (standard alphabet, padding, no line breaks).", param=self.param
            ) from None
