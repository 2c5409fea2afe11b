"""A file as the pieces of its format: chunks, segments, blocks, fields, elements; and pieces put together again."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.hostile.dicom import DEFLATED, IMPLICIT, LONG_FORM

Pieces = tuple[bytes, ...]

DEFLATED_MARK = b"deflated from here"
"""Stands in a DICOM file's pieces where the rest is to be deflated."""


def split(kind: str, content: bytes) -> Pieces:
    """The pieces of a valid file. Joined they give it back, but that what was deflated is plain between them."""
    if kind == "DICOM":
        return tuple(_dicom(content))
    cuts = sorted({0, *_CUTS[kind](content), len(content)})
    return tuple(content[start:end] for start, end in itertools.pairwise(cuts))


def join(kind: str, pieces: Sequence[bytes], *, mend: bool) -> bytes:
    """mend: with the checksums and the outermost length that fit, where the format has any."""
    if kind == "DICOM" and DEFLATED_MARK in pieces:
        at = list(pieces).index(DEFLATED_MARK)
        plain = b"".join(one for one in pieces[at + 1 :] if one != DEFLATED_MARK)
        stream = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
        return b"".join(pieces[:at]) + stream.compress(plain) + stream.flush()
    if mend and kind == "PNG":
        return b"".join(_with_checksum(piece) for piece in pieces)
    whole = b"".join(pieces)
    if mend and kind == "WEBP":
        return whole[:4] + struct.pack("<I", max(0, len(whole) - 8)) + whole[8:]
    return whole


def _with_checksum(chunk: bytes) -> bytes:
    """A PNG chunk whose length and checksum are right; anything else as it is."""
    if len(chunk) < 12 or chunk.startswith(b"\x89PNG"):
        return chunk
    body = chunk[4:-4]
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _png(content: bytes) -> Iterator[int]:
    at = 8
    while at < len(content):
        yield at
        at += 12 + int(struct.unpack_from(">I", content, at)[0])


def _jpeg(content: bytes) -> Iterator[int]:
    """Segments, and the coded data of each scan."""
    at = 2
    while at + 4 <= len(content):
        yield at
        scan = content[at + 1] == 0xDA
        at += 2 + int(struct.unpack_from(">H", content, at + 2)[0])
        if scan:
            yield at
            at = _end_of_scan(content, at)


def _end_of_scan(content: bytes, at: int) -> int:
    while at + 1 < len(content) and not (content[at] == 0xFF and content[at + 1] not in (0, *range(0xD0, 0xD8))):
        at += 1
    return at if content[at + 1 : at + 2] != b"\xd9" else len(content) - 2


def _webp(content: bytes) -> Iterator[int]:
    at = 12
    while at < len(content):
        yield at
        length = int(struct.unpack_from("<I", content, at + 4)[0])
        at += 8 + length + length % 2


def _bmp(content: bytes) -> Iterator[int]:
    """File header, information header, palette, pixels."""
    yield 14
    yield 14 + int(struct.unpack_from("<I", content, 14)[0])
    yield int(struct.unpack_from("<I", content, 10)[0])


def _gif(content: bytes) -> Iterator[int]:
    at = 13 + (3 << (content[10] & 7) + 1 if content[10] & 0x80 else 0)
    while at < len(content):
        yield at
        if content[at : at + 1] == b",":
            flags = content[at + 9]
            at += 10 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            yield at
            at = _end_of_blocks(content, at + 1)
        elif content[at : at + 1] == b"!":
            at = _end_of_blocks(content, at + 2)
        else:
            at += 1


def _end_of_blocks(content: bytes, at: int) -> int:
    while at < len(content) and content[at]:
        at += 1 + content[at]
    return at + 1


def _tiff(content: bytes) -> Iterator[int]:
    """The fields of each directory, and what lies between directories. BigTIFF is cut into its head and the rest."""
    order = "<" if content.startswith(b"II") else ">"
    at = int(struct.unpack_from(f"{order}I", content, 4)[0])
    if content[2:4] in (b"+\0", b"\0+"):
        yield from range(16, 400, 20)
        return
    while at:
        yield at
        number = int(struct.unpack_from(f"{order}H", content, at)[0])
        yield from range(at + 2, at + 3 + 12 * number, 12)
        yield at + 6 + 12 * number
        at = int(struct.unpack_from(f"{order}I", content, at + 2 + 12 * number)[0])


_CUTS: Mapping[str, Callable[[bytes], Iterator[int]]] = {
    "PNG": _png,
    "JPEG": _jpeg,
    "WEBP": _webp,
    "BMP": _bmp,
    "GIF": _gif,
    "TIFF": _tiff,
}


def _dicom(content: bytes) -> Iterator[bytes]:
    """Preamble with the mark, elements, items. What is in a sequence follows its head, as what is in an item does."""
    yield content[:132]
    meta_end, syntax = _end_of_meta(content)
    yield from _elements(content[132:meta_end], implicit=False, order="<")
    body = content[meta_end:]
    if syntax == DEFLATED:
        yield DEFLATED_MARK
        body = zlib.decompress(body, -zlib.MAX_WBITS)
    big = syntax == "1.2.840.10008.1.2.2"
    yield from _elements(body, implicit=syntax == IMPLICIT, order=">" if big else "<")


def _end_of_meta(content: bytes) -> tuple[int, str]:
    """Where group 2 ends, and the transfer syntax."""
    at, syntax = 132, ""
    while content[at : at + 2] == b"\x02\x00":
        head, length = _head(content, at, implicit=False, order="<")
        if content[at + 2 : at + 4] == b"\x10\x00":
            syntax = content[at + head : at + head + length].decode().strip("\0 ")
        at += head + length
    return at, syntax


def _head(body: bytes, at: int, *, implicit: bool, order: str) -> tuple[int, int]:
    """Bytes of an element's head, and the length that it says."""
    group = int(struct.unpack_from(f"{order}H", body, at)[0])
    if implicit or group == 0xFFFE:
        return 8, int(struct.unpack_from(f"{order}I", body, at + 4)[0])
    if body[at + 4 : at + 6].decode("latin-1") in LONG_FORM:
        return 12, int(struct.unpack_from(f"{order}I", body, at + 8)[0])
    return 8, int(struct.unpack_from(f"{order}H", body, at + 6)[0])


def _elements(body: bytes, *, implicit: bool, order: str) -> Iterator[bytes]:
    at, in_pixels = 0, False
    while at + 8 <= len(body):
        head, length = _head(body, at, implicit=implicit, order=order)
        group, number = struct.unpack_from(f"{order}HH", body, at)
        in_pixels = in_pixels or group == 0x7FE0
        opens = length == 0xFFFFFFFF or body[at + 4 : at + 6] == b"SQ" or (group, number) == (0xFFFE, 0xE000)
        end = at + head + (0 if opens and not (in_pixels and group == 0xFFFE) else length)
        yield body[at:end]
        at = end
    if at < len(body):
        yield body[at:]
