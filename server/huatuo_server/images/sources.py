"""Where an image is -> its file's bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from huatuo_server.errors import BodyTooLarge
from huatuo_server.images.content import Content
from huatuo_server.images.remote.fetch import Admit, RemoteImages
from huatuo_server.protocol.data_url import Base64
from huatuo_server.protocol.image_source import ImageSource, RemoteUrl
from huatuo_server.store import Store, required

SMALL_BYTES = 256 * 1024
"""So large a file is decoded from base64 and hashed on the event loop, in 0.2 ms: a thread costs as much again."""

Stage = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Sources:
    """max_bytes: of one image's file. store: None where uploads are off."""

    max_bytes: int
    store: Store | None
    remote: RemoteImages

    async def read(self, source: ImageSource, tenant: str, stage: Stage, admit: Admit) -> Content:
        """The file. Raises RequestError.

        stage: times the reading, as `fetch` or `read`. admit: asked about bytes that the request's body did not bring.
        """
        if isinstance(source, RemoteUrl):
            with stage("fetch"):
                data = await self.remote.fetch(source.url, admit)
                return await asyncio.to_thread(Content, [data])
        with stage("read"):
            if isinstance(source, Base64):
                self._check_size(source.num_bytes)
                if source.num_bytes <= SMALL_BYTES:
                    return _decoded(source)
                return await asyncio.to_thread(_decoded, source)
            store = required(self.store)
            stored = await asyncio.to_thread(store.get, tenant, source.file_id)
            self._check_size(stored.num_bytes)
            admit(stored.num_bytes)
            return await asyncio.to_thread(_stored, store, tenant, stored.id)

    def _check_size(self, num_bytes: int) -> None:
        if num_bytes > self.max_bytes:
            raise BodyTooLarge(f"The image's file is larger than {self.max_bytes} bytes (--max-image-bytes).")


def _decoded(source: Base64) -> Content:
    return Content(source.content())


def _stored(store: Store, tenant: str, file_id: str) -> Content:
    with store.open(tenant, file_id) as file:
        return Content([file.read()])
