"""Pictures that can be told apart by what the engine gets of them."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path

from PIL import Image

from huatuo_server.engine.scripted import OWN_REQUESTS, ScriptedEngine

MIDDLE = 168


def grey_png(value: int) -> bytes:
    """A square of one grey value, 0 to 255."""
    file = io.BytesIO()
    Image.new("L", (8, 8), value).save(file, format="PNG")
    return file.getvalue()


def greys(folder: Path, count: int) -> list[str]:
    """Files with the values 0 to count - 1; returns their names."""
    folder.mkdir()
    names = [f"{value:03}.png" for value in range(count)]
    for value, name in enumerate(names):
        (folder / name).write_bytes(grey_png(value))
    return names


def asked(engine: ScriptedEngine) -> Counter[str]:
    """How often the engine was asked about each of `greys`."""
    return Counter(
        f"{int(one.prompt.images[0].pixels[MIDDLE, MIDDLE, 0]):03}.png"
        for one in list(engine.generations)
        if not one.request_id.startswith(OWN_REQUESTS)
    )
