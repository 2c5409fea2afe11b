"""Prepared pictures that may be asked for again, in memory, the least recently used going first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from huatuo_server.protocol.provenance import ImageProvenance


@dataclass(frozen=True, slots=True)
class Picture:
    """What the model sees of one image: uint8, (size, size, 3), RGB; its key in the engine; what was done to it."""

    pixels: NDArray[np.uint8]
    identity: str
    provenance: ImageProvenance


class PictureCache:
    """Pictures by tenant and key. max_bytes: of their pixels together; 0 keeps nothing."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._pictures: OrderedDict[tuple[str, str], Picture] = OrderedDict()
        self.num_forgotten = 0
        """How often something was to be forgotten; a picture begun before then is not to be put."""

    def get(self, tenant: str, key: str) -> Picture | None:
        """The picture, now the most recently used; None where there is none."""
        picture = self._pictures.get((tenant, key))
        if picture is not None:
            self._pictures.move_to_end((tenant, key))
        return picture

    def put(self, tenant: str, key: str, picture: Picture) -> None:
        """Keep it, at the cost of others."""
        self._drop((tenant, key))
        self._pictures[tenant, key] = picture
        self._num_bytes += picture.pixels.nbytes
        while self._num_bytes > self._max_bytes:
            self._drop(next(iter(self._pictures)))

    def forget(self, tenant: str, sha256: str) -> None:
        """Drop all pictures of this tenant's file, which was deleted."""
        self.num_forgotten += 1
        for key in [key for key, one in self._pictures.items() if key[0] == tenant]:
            if self._pictures[key].provenance["sha256"] == sha256:
                self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        picture = self._pictures.pop(key, None)
        if picture is not None:
            self._num_bytes -= picture.pixels.nbytes
