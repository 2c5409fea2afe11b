"""Content parts that wrap a picture in what is no proper data URL, or call it what it is not."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.hostile import dicom, png
from tests.hostile.item import DAMAGED, PICTURE, UNREAD

Part = dict[str, Any]

GIVEN = frozenset({PICTURE})


@dataclass(frozen=True, slots=True)
class PartItem:
    """One content part; statuses as of an `Item`."""

    name: str
    make: Callable[[], Part]
    statuses: frozenset[int]


def url(text: str) -> Part:
    return {"type": "image_url", "image_url": {"url": text}}


def file(text: str) -> Part:
    return {"type": "file", "file": {"file_data": text, "filename": "film.dcm"}}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _png() -> str:
    """Its base64 has +, / and padding: each wrong alphabet is told from the right one."""
    text = _base64(png.beside(png.chunk(b"prVt", b"\xfb\xef\xbe\xff\xff\xff" * 3 + bytes(1))))
    assert "+" in text
    assert "/" in text
    assert text.endswith("=")
    return text


def _as(media_type: str, payload: str) -> Part:
    return url(f"data:{media_type};base64,{payload}")


def _lines() -> str:
    return "\n".join(_png()[at : at + 76] for at in range(0, len(_png()), 76))


PARTS = tuple(
    PartItem(f"part: {name}", make, statuses)
    for name, make, statuses in (
        ("base64 with rubbish behind it", lambda: _as("image/png", _png() + "!rubbish"), DAMAGED),
        ("base64 with rubbish in it", lambda: _as("image/png", _png()[:40] + "\0%$" + _png()[43:]), DAMAGED),
        ("base64 in lines", lambda: _as("image/png", _lines()), DAMAGED),
        ("base64 with blanks", lambda: _as("image/png", " " + _png()), DAMAGED),
        ("base64 of the URL alphabet", lambda: _as("image/png", _png().translate({43: 45, 47: 95})), DAMAGED),
        ("base64 without padding", lambda: _as("image/png", _png().rstrip("=")), DAMAGED),
        ("base64 with padding in the middle", lambda: _as("image/png", _png() + _png()), DAMAGED),
        ("base64 of one letter", lambda: _as("image/png", "A"), DAMAGED),
        ("base64 of nothing", lambda: _as("image/png", ""), DAMAGED),
        ("base64 that is no ASCII", lambda: _as("image/png", "пиксели="), DAMAGED),
        ("base64 of base64", lambda: _as("image/png", _base64(_png().encode())), DAMAGED | UNREAD),
        (
            "a data URL in a data URL",
            lambda: _as("image/png", _base64(b"data:image/png;base64," + _png().encode())),
            DAMAGED | UNREAD,
        ),
        ("a data URL behind a data URL", lambda: _as("image/png", "data:image/png;base64," + _png()), DAMAGED),
        ("a data URL of percents", lambda: url("data:image/png," + urllib.parse.quote(png.black(8, 8))), DAMAGED),
        ("a data URL without a comma", lambda: url("data:image/png;base64"), DAMAGED),
        (
            "a data URL of a megabyte of parameters",
            lambda: url("data:image/png;" + "a=b;" * 250_000 + "base64," + _png()),
            DAMAGED,
        ),
        ("no URL", lambda: url(""), DAMAGED),
        ("a path", lambda: url("/etc/passwd"), DAMAGED),
        ("a file URL", lambda: url("file:///etc/passwd"), DAMAGED),
        ("a URL of this machine", lambda: url("http://127.0.0.1:1/film.png"), DAMAGED),
        ("a script", lambda: url("javascript:alert(1)"), DAMAGED),
        ("PNG called DICOM", lambda: _as("application/dicom", _png()), GIVEN),
        ("DICOM called PNG", lambda: _as("image/png", _base64(dicom.picture())), GIVEN),
        ("DICOM called text", lambda: _as("text/html;charset=utf-8", _base64(dicom.picture())), GIVEN),
        ("PNG called nothing", lambda: url("data:;base64," + _png()), GIVEN),
        ("HTML called PNG", lambda: _as("image/png", _base64(b"<!doctype html>")), DAMAGED | UNREAD),
        ("a file of rubbish", lambda: file("rubbish"), DAMAGED | UNREAD),
        (
            "a file of rubbish in base64",
            lambda: file("data:application/dicom;base64," + _base64(b"rubbish")),
            DAMAGED | UNREAD,
        ),
        ("a file with broken base64", lambda: file("data:application/dicom;base64," + _png()[:-1]), DAMAGED),
        ("a file of nothing", lambda: file(""), DAMAGED),
        ("a file without a file", lambda: {"type": "file", "file": {}}, DAMAGED),
        ("a file that is a number", lambda: {"type": "file", "file": {"file_data": 7}}, DAMAGED),
        (
            "a file that is an upload's path",
            lambda: {"type": "file", "file": {"file_id": "../../etc/passwd"}},
            DAMAGED | {404},
        ),
        ("a PDF as a file", lambda: file("data:application/pdf;base64," + _base64(b"%PDF-1.7\n")), UNREAD),
        ("a picture that is a list", lambda: {"type": "image_url", "image_url": [_png()]}, DAMAGED),
        ("a picture that is a table of numbers", lambda: {"type": "image_embeds", "image_embeds": _png()}, DAMAGED),
    )
)
