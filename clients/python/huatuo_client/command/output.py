"""What a command says: answers on stdout, notes on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, Final

from huatuo_client.errors import HuatuoError, ServerError
from huatuo_client.provenance import ImageProvenance

if TYPE_CHECKING:
    from huatuo_client.answer import Answer
    from huatuo_client.answer_stream import AnswerStream


_STEERING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, gives it orders, or turns the order of words around."""


def shown(text: str, stream: IO[str]) -> str:
    """The same; on a terminal with what would steer it as visible escapes."""
    if not stream.isatty():
        return text
    return _STEERING.sub(lambda one: one[0].encode("unicode_escape").decode(), text)


def answer(text: str) -> None:
    """A line of stdout, at once."""
    sys.stdout.write(f"{shown(text, sys.stdout)}\n")
    sys.stdout.flush()


def stream(pieces: AnswerStream) -> Answer:
    """An answer as it comes. One that breaks off ends its line too, so that what is said of it stands on its own."""
    with pieces:
        try:
            for piece in pieces:
                sys.stdout.write(shown(piece, sys.stdout))
                sys.stdout.flush()
        finally:
            if pieces.text and not pieces.text.endswith("\n"):
                answer("")
    return pieces.answer


def as_json(value: Mapping[str, Any]) -> None:
    """One line of stdout. What would steer a terminal is escaped even in a pipe: it may be read on one later."""
    text = json.dumps(value, ensure_ascii=False)
    answer(_STEERING.sub(lambda one: f"\\u{ord(one[0]):04x}", text))


def note(text: str) -> None:
    """A line of stderr."""
    print(shown(f"huatuo: {' '.join(text.split())}", sys.stderr), file=sys.stderr, flush=True)


def error(failed: HuatuoError) -> None:
    """The message, the code to look up, and what the server's log calls the request."""
    request_id = failed.request_id if isinstance(failed, ServerError) else None
    note(f"{failed.message} ({failed.code}{f', request {request_id}' if request_id else ''})")


_told_to_wait: set[str] = set()


def waiting(failed: HuatuoError) -> None:
    """Once for each reason, so that nobody wonders why nothing happens."""
    if failed.code not in _told_to_wait:
        _told_to_wait.add(failed.code)
        note(f"{failed.message} ({failed.code}) Trying again.")


def about_images(names: Sequence[str], images: Sequence[ImageProvenance]) -> None:
    """The warnings of each image, on stderr. names: of the images, in the same order."""
    for index, image in enumerate(images):
        name = names[index] if index < len(names) else f"image {index + 1}"
        for warning in image.warnings:
            note(f"{name}: {warning}")


def abandon() -> None:
    """What is still held back cannot be written: let Python's last flush go nowhere, instead of into a traceback."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
