"""One input through what a worker does: its header, then a picture of it through a random view."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import huatuo_server
from huatuo_server.errors import InvalidRequest, RequestError
from huatuo_server.families import HUATUO_34B
from huatuo_server.images import look
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.job import Inspect, Prepare, Render, Reply
from huatuo_server.images.workers import ERRORS
from huatuo_server.protocol.view import PRESETS, View, Window

BOUNDS = Bounds()
POLICY = HUATUO_34B.picture

PIXELS = "pixels"
MEMORY = "memory"

_ROOT = Path(huatuo_server.__file__).parent


@dataclass(frozen=True, slots=True)
class Outcome:
    """name: PIXELS, MEMORY, an error's class, or for a finding what was raised and where. past_header: it was read."""

    name: str
    past_header: bool
    finding: bool = False


def attempt(content: bytes, rng: random.Random) -> Outcome:
    """Anything but pixels, our errors for images and a lack of memory is a finding."""
    past_header = False
    try:
        with in_memory(content) as file:
            header = look.inspect(file, Inspect(BOUNDS)).facts
            past_header = True
            file.seek(0)
            _check(*_picture(file, random_view(rng, header), rng))
    except MemoryError:
        return Outcome(MEMORY, past_header)
    except RequestError as error:
        return Outcome(type(error).__name__, past_header, finding=not _is_ours(error))
    except Exception as error:  # noqa: BLE001 - it is what this is about
        return Outcome(f"{type(error).__name__} at {_where(error.__traceback__)}", past_header, finding=True)
    return Outcome(PIXELS, past_header)


def in_memory(content: bytes) -> BinaryIO:
    """As a worker gets it: with a descriptor, which some decoders read past Python."""
    file = os.fdopen(os.memfd_create("input"), "r+b")
    file.write(content)
    file.seek(0)
    return file


def random_view(rng: random.Random, header: Mapping[str, Any]) -> View:
    """Most often nothing, or what the image can do; sometimes what it cannot."""
    window = Window(rng.choice((0.0, 40.0, -600.0, 1e9, 0.5)), rng.choice((1.0, 400.0, 1e-6, 1e12, 2.0)))
    chance = rng.random()
    return View(
        frame=rng.randint(1, int(header["frames"]) + (rng.random() < 0.1)) if rng.random() < 0.3 else None,
        window=window if chance < 0.2 else None,
        preset=rng.choice(list(PRESETS)) if chance > 0.9 else None,
        region=_region(rng, int(header["width"]), int(header["height"])) if rng.random() < 0.2 else None,
    )


def _region(rng: random.Random, width: int, height: int) -> tuple[int, int, int, int]:
    left, top = rng.randrange(width), rng.randrange(height)
    return left, top, rng.randint(left + 1, width), rng.randint(top + 1, height)


def _picture(file: BinaryIO, view: View, rng: random.Random) -> tuple[Reply, int | None]:
    """The picture and the bytes that it must have, if that is known."""
    if rng.random() < 0.15:
        form = rng.choice(("png", "gray16"))
        return look.render(file, Render(view, BOUNDS, POLICY, 64, "gray16" if form == "gray16" else "png")), None
    return look.make_picture(file, Prepare(view, BOUNDS, POLICY)), POLICY.size_pixels**2 * 3


def _check(reply: Reply, num_bytes: int | None) -> None:
    """What goes back over the wire is JSON, and all of the pixels are there."""
    json.dumps(reply.facts, allow_nan=False)
    if num_bytes is not None and len(reply.payload) != num_bytes:
        raise AssertionError("a picture of another size")


def _is_ours(error: RequestError) -> bool:
    """An image's own error, or one of the view: a request was otherwise in order."""
    known = type(error).__name__ in ERRORS and 400 <= error.status < 500
    return known and (not isinstance(error, InvalidRequest) or str(error.param).startswith("view."))


def _where(trace: TracebackType | None) -> str:
    """The innermost line of ours, and the innermost of all: `images/dicom.py:12 < pydicom/sequence.py:34`."""
    places = []
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        places.append((path.is_relative_to(_ROOT), f"{path.parent.name}/{path.name}:{trace.tb_lineno}"))
        trace = trace.tb_next
    ours = [place for is_ours, place in places if is_ours]
    return " < ".join(dict.fromkeys([*ours[-1:], places[-1][1]]))
