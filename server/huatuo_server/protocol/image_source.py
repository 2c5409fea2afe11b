"""Where an image of a request comes from: the request itself, an earlier upload, or another server."""

from __future__ import annotations

from dataclasses import dataclass

from huatuo_server.protocol.data_url import Base64, is_data_url
from huatuo_server.protocol.view import View


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came by `POST /v1/files`."""

    file_id: str


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """An http or https URL; whether it may be fetched is not the protocol's to say."""

    url: str


ImageSource = Base64 | Upload | RemoteUrl


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """One image of a request: where it is, and what is to be seen of it.

    param: the JSON path of the object that named it, `messages.0.content.1.image_url`.
    """

    source: ImageSource
    view: View
    param: str


def source_in(field: str, value: str, param: str) -> ImageSource:
    """field: `file_id`, `file_data`, or another, which holds a URL. Raises InvalidRequest."""
    if field == "file_id":
        return Upload(value)
    return (source_of_file_data if field == "file_data" else source_of_url)(value, param)


def source_of_url(url: str, param: str) -> ImageSource:
    """Raises InvalidRequest for a URL that is neither data: in base64 nor http(s)."""
    scheme = url[:8].partition(":")[0].lower()
    return RemoteUrl(url) if scheme in ("http", "https") else Base64.of_data_url(url, param=param)


def source_of_file_data(text: str, param: str) -> Base64:
    """A `file` part's data: a data: URL as the SDKs' documentation has it, or base64 alone. Raises InvalidRequest."""
    return Base64.of_data_url(text, param=param) if is_data_url(text) else Base64.of_text(text, param=param)
