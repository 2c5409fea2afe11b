"""What the twin says in these tests, and the pictures they ask about."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from huatuo_server.engine.scripted import Completion
from huatuo_server.tenants.key import new_secret
from huatuo_server.tenants.key_file import KeyFile
from tests import golden
from tests.server.tenants.keys import key
from tests.service.served import Served, scripted_engine, served

TEXT = "A fracture of the distal radius 骨折, seen from the side."

PNG = (golden.IMAGES / "tiny_5x7.png").read_bytes()
PNG_BASE64 = base64.b64encode(PNG).decode()
PNG_URL = f"data:image/png;base64,{PNG_BASE64}"


class Finding(BaseModel):
    """What a client wants to have as values."""

    modality: str
    fracture: bool
    bones: list[str]


FINDING = Finding(modality="x-ray", fracture=True, bones=["radius", "ulna"])
JSON_TEXT = json.dumps(FINDING.model_dump())


@contextmanager
def saying(*texts: str, **settings: Any) -> Iterator[Served]:
    """A server whose answers are these texts, in turn. settings: fields of Settings."""
    with served(scripted_engine(*(Completion(text=text) for text in texts)), **settings) as server:
        yield server


class Keys:
    """A file of keys, for servers that want one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.jsonl"
        self.path.touch(0o600)
        self._number = 0

    def add(self, secret: str | None = None, **given: Any) -> str:
        """A new key's secret. given: fields of Key."""
        self._number += 1
        secret = secret or new_secret()
        KeyFile(self.path).add(key(self._number, secret=secret, **given))
        return secret
