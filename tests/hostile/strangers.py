"""Files of formats that are not read, files of two formats at once, and files of none."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import zipfile
from typing import Any

import numpy as np
from PIL import Image

from tests.hostile import gif, png
from tests.hostile.item import DAMAGED, HARMLESS, UNREAD, named

UNKNOWN = DAMAGED | UNREAD


def by_pillow(kind: str, **options: Any) -> bytes:
    """A valid picture in a format that Pillow writes and reads."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize((32, 32)).convert("RGB").save(file, kind, **options)
    return file.getvalue()


def _box(kind: bytes, body: bytes) -> bytes:
    """Of an ISO base media file."""
    return struct.pack(">I", len(body) + 8) + kind + body


def _media(brand: bytes) -> bytes:
    return _box(b"ftyp", brand + bytes(4) + brand) + _box(b"mdat", bytes(4096))


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


class _RunsACommand:
    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('a pickle was opened')",))


def _array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros((16, 16), np.uint8))
    return file.getvalue()


_FITS = b"".join(
    f"{name:8}{'= ' if value else ''}{value:>20}".ljust(80).encode()
    for name, value in (
        ("SIMPLE", "T"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", "16"),
        ("NAXIS2", "16"),
        ("END", ""),
    )
).ljust(2880) + bytes(2880)

_SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>fetch("http://127.0.0.1")</script></svg>'

_ENTITIES = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "%s">]><svg>%s</svg>' % (b"a" * 1000, b"&a;" * 10_000)

_POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n%%EOF\n"


def _spider() -> bytes:
    file = io.BytesIO()
    Image.new("F", (16, 16)).save(file, "SPIDER")
    return file.getvalue()


ITEMS = named(
    "stranger",
    ("nothing", lambda: b"", DAMAGED),
    ("one byte", lambda: b"\0", UNKNOWN),
    ("64 random bytes", lambda: random.Random(0).randbytes(64), UNKNOWN),
    ("1 MB of random bytes", lambda: random.Random(0).randbytes(1_000_000), UNKNOWN),
    ("20 MB of zeros", lambda: bytes(20_000_000), UNKNOWN),
    ("text", lambda: b"What does this film show?" * 40, UNKNOWN),
    ("text in UTF-16", lambda: "What does this film show?".encode("utf-16"), UNKNOWN),
    ("JSON", lambda: b'{"image": "data:image/png;base64,AAAA"}', UNKNOWN),
    ("HTML", lambda: b"<!doctype html><script>alert(1)</script>", UNKNOWN),
    ("SVG with a script", lambda: _SVG, UNREAD),
    ("SVG of entities", lambda: _ENTITIES, UNKNOWN),
    ("SVG behind 2 KB of blanks", lambda: b" " * 2048 + _SVG, UNKNOWN),
    ("PDF", lambda: by_pillow("PDF"), UNREAD),
    ("PDF and then PNG", lambda: b"%PDF-1.7\n" + png.black(8, 8), UNREAD),
    ("PNG and then PDF", lambda: png.black(8, 8) + by_pillow("PDF"), HARMLESS),
    ("PNG and then ZIP", lambda: png.black(8, 8) + _zip(a=b"content"), HARMLESS),
    ("ZIP and then PNG", lambda: _zip(a=b"content") + png.black(8, 8), UNREAD),
    ("ZIP of a picture", lambda: _zip(a=png.black(8, 8)), UNREAD),
    ("GIF and HTML", lambda: gif.gif(gif.screen(8, 8), b"!\xfe\x19<script>alert(1)</script>\0", gif.frame()), HARMLESS),
    ("GIF whose size is a comment of HTML", lambda: b"GIF89a/*<svg onload=alert(1)>*/", UNKNOWN | {422}),
    ("JPEG's mark and then PNG", lambda: b"\xff\xd8\xff" + png.black(8, 8), DAMAGED),
    ("gzip of a picture", lambda: gzip.compress(png.black(8, 8), mtime=0), UNREAD),
    ("HEIC", lambda: _media(b"heic"), UNREAD),
    ("HEIF", lambda: _media(b"mif1"), UNREAD),
    ("AVIF", lambda: by_pillow("AVIF"), UNREAD),
    ("video", lambda: _media(b"isom"), UNREAD),
    ("Matroska", lambda: b"\x1a\x45\xdf\xa3" + bytes(999), UNKNOWN),
    ("JPEG 2000", lambda: by_pillow("JPEG2000"), UNREAD),
    ("a JPEG 2000 codestream", lambda: by_pillow("JPEG2000", no_jp2=True), UNREAD),
    ("JPEG XL", lambda: b"\xff\x0a" + bytes(99), UNREAD),
    ("ICO", lambda: by_pillow("ICO"), UNREAD),
    ("a cursor", lambda: b"\0\0\2\0\1\0" + bytes(999), UNKNOWN),
    ("ICNS", lambda: by_pillow("ICNS"), UNKNOWN),
    ("EPS", lambda: by_pillow("EPS"), UNKNOWN),
    ("PostScript that reads a file", lambda: _POSTSCRIPT, UNKNOWN),
    (
        "EPS in its binary wrapping",
        lambda: b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, 99, 0, 0, 0, 0) + _POSTSCRIPT,
        UNKNOWN,
    ),
    ("a Windows metafile", lambda: b"\xd7\xcd\xc6\x9a" + bytes(99), UNKNOWN),
    ("FITS", lambda: _FITS, UNKNOWN),
    ("Photoshop", lambda: b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 16, 16, 8, 3) + bytes(999), UNREAD),
    ("PCX", lambda: by_pillow("PCX"), UNKNOWN),
    ("Targa", lambda: by_pillow("TGA"), UNKNOWN),
    ("FLI", lambda: struct.pack("<IHHHHHH", 999, 0xAF11, 1, 16, 16, 8, 3) + bytes(999), UNKNOWN),
    ("PPM", lambda: by_pillow("PPM"), UNKNOWN),
    ("PPM of 10^9 a side", lambda: b"P5 1000000000 1000000000 65535\n" + bytes(99), UNKNOWN),
    ("SGI", lambda: by_pillow("SGI"), UNKNOWN),
    ("Sun raster", lambda: b"\x59\xa6\x6a\x95" + struct.pack(">7I", 16, 16, 8, 256, 1, 0, 0) + bytes(256), UNKNOWN),
    ("DDS", lambda: by_pillow("DDS"), UNKNOWN),
    ("SPIDER", _spider, UNKNOWN),
    ("XPM", lambda: b'/* XPM */\nstatic char *a[] = {"1 1 1 1", "a c #000000", "a"};', UNKNOWN),
    ("QOI", lambda: by_pillow("QOI"), UNKNOWN),
    ("Blizzard's BLP", lambda: b"BLP2" + bytes(2000), UNKNOWN),
    ("OpenEXR", lambda: b"v/1\x01" + bytes(999), UNREAD),
    ("NIfTI", lambda: (struct.pack("<I", 348) + bytes(340) + b"n+1\0").ljust(4096, b"\0"), UNREAD),
    ("HDF5", lambda: b"\x89HDF\r\n\x1a\n" + bytes(999), UNKNOWN),
    ("a pickle that runs a command", lambda: pickle.dumps(_RunsACommand()), UNKNOWN),
    ("a NumPy array", _array, UNKNOWN),
    ("a program", lambda: b"\x7fELF\2\1\1" + bytes(4096), UNKNOWN),
)
