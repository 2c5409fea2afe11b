"""Hostile DICOM: elements written byte by byte, so that every length and every size may lie."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Mapping
from typing import Any

import jpeg_ls  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.hostile.compression import MEBIBYTE, raw_deflated_zeros
from tests.hostile.item import BROKEN, DAMAGED, HARMLESS, PICTURE, REFUSED, REJECTED, named
from tests.hostile.jpeg import grey, with_frame

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
MPEG4 = "1.2.840.10008.1.2.4.102"
RLE = "1.2.840.10008.1.2.5"

SAMPLES, PHOTOMETRIC, PLANAR, FRAMES, ROWS, COLUMNS = (
    0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011,
)  # fmt: skip
ALLOCATED, STORED, HIGH_BIT, SIGNED, PADDING = 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120
CENTER, WIDTH, INTERCEPT, SLOPE = 0x00281050, 0x00281051, 0x00281052, 0x00281053
MODALITY_LUT, VOI_LUT, LUT_DESCRIPTOR, LUT_DATA = 0x00283000, 0x00283010, 0x00283002, 0x00283006
RED_DESCRIPTOR, RED_DATA, RED_SEGMENTS = 0x00281101, 0x00281201, 0x00281221
MODALITY, SHARED_GROUPS, FRAME_GROUPS = 0x00080060, 0x52009229, 0x52009230
EXTENDED_OFFSETS, EXTENDED_LENGTHS, PIXELS, FLOAT_PIXELS = 0x7FE00001, 0x7FE00002, 0x7FE00010, 0x7FE00008

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0" + bytes(4), b"\xfe\xff\xdd\xe0" + bytes(4)

LONG_FORM = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UN", "UT", "UC", "UR"})


def element(tag: int, vr: str, value: bytes = b"", *, length: int | None = None) -> bytes:
    """Explicit VR little-endian (PS3.5 7.1.2). length: what the element says, if not the truth."""
    padded = value + b"\0" * (len(value) % 2)
    said = len(padded) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (struct.pack("<HI", 0, said) if vr in LONG_FORM else struct.pack("<H", said)) + padded


def us(tag: int, *values: int) -> bytes:
    return element(tag, "US", struct.pack(f"<{len(values)}H", *values))


def text(tag: int, vr: str, value: str) -> bytes:
    """Padded with a space."""
    return element(tag, vr, (value + " " * (len(value) % 2)).encode())


def file_of(body: bytes, syntax: str = EXPLICIT, *, preamble: bytes = bytes(128)) -> bytes:
    """Preamble, mark, file meta information, data set."""
    uid = syntax.encode()
    meta = element(0x00020002, "UI", b"1.2.840.10008.5.1.4.1.1.7") + element(0x00020003, "UI", b"1.2.3.4")
    meta += element(0x00020010, "UI", uid) if uid else b""
    return preamble + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(meta))) + meta + body


def data_set(changes: Mapping[int, bytes | None] | None = None) -> bytes:
    """A grey 16 x 16 picture of 16 bits. changes: tag -> another element, or None for none."""
    plain: dict[int, bytes | None] = {
        MODALITY: text(MODALITY, "CS", "OT"),
        SAMPLES: us(SAMPLES, 1),
        PHOTOMETRIC: text(PHOTOMETRIC, "CS", "MONOCHROME2"),
        ROWS: us(ROWS, 16),
        COLUMNS: us(COLUMNS, 16),
        ALLOCATED: us(ALLOCATED, 16),
        STORED: us(STORED, 12),
        HIGH_BIT: us(HIGH_BIT, 11),
        SIGNED: us(SIGNED, 0),
        PIXELS: element(PIXELS, "OW", np.arange(256, dtype="<u2").tobytes()),
    }
    return b"".join(found for _, found in sorted({**plain, **(changes or {})}.items()) if found is not None)


def picture(changes: Mapping[int, bytes | None] | None = None, syntax: str = EXPLICIT) -> bytes:
    """The picture of `data_set` as a file."""
    return file_of(data_set(changes), syntax)


def changed(*elements: bytes) -> bytes:
    """The picture with elements put in, by their tags."""
    return picture({_tag(one): one for one in elements})


def sequence(tag: int, *items: bytes) -> bytes:
    """Of defined length."""
    return element(tag, "SQ", b"".join(ITEM + struct.pack("<I", len(item)) + item for item in items))


def fragments(*frames: bytes, offsets: bytes = b"", end: bytes = SEQUENCE_END) -> bytes:
    """Encapsulated pixel data (PS3.5 A.4), a fragment a frame."""
    items = [
        ITEM + struct.pack("<I", len(one) + len(one) % 2) + one + b"\0" * (len(one) % 2) for one in (offsets, *frames)
    ]
    return element(PIXELS, "OB", length=UNDEFINED) + b"".join(items) + end


def coded(syntax: str, *frames: bytes, more: Mapping[int, bytes | None] | None = None, **layout: bytes) -> bytes:
    """An 8-bit 16 x 16 picture in another transfer syntax. layout: `offsets` and `end` of `fragments`."""
    eight = {ALLOCATED: us(ALLOCATED, 8), STORED: us(STORED, 8), HIGH_BIT: us(HIGH_BIT, 7)}
    return picture({**eight, PIXELS: fragments(*frames, **layout), **(more or {})}, syntax)


def _tag(found: bytes) -> int:
    group, number = struct.unpack_from("<HH", found)
    return int(group) << 16 | int(number)


def _deflated(num_bytes: int) -> bytes:
    """A private element of zeros between the header and the pixels."""
    head = data_set({PIXELS: None})
    body = _stored(head + element(0x00290010, "OB", length=num_bytes))
    return file_of(body + raw_deflated_zeros(num_bytes), DEFLATED)


def _deflated_pixels(num_bytes: int, side: int = 16) -> bytes:
    head = data_set({ROWS: us(ROWS, side), COLUMNS: us(COLUMNS, side), PIXELS: element(PIXELS, "OW", length=num_bytes)})
    return file_of(_stored(head) + raw_deflated_zeros(num_bytes), DEFLATED)


def _stored(body: bytes) -> bytes:
    """A stored block of deflate, after which another stream may go on."""
    return b"\0" + struct.pack("<HH", len(body), len(body) ^ 0xFFFF) + body


def _deep(depth: int, *, defined: bool) -> bytes:
    """Sequences in sequences, before the pixels."""
    if not defined:
        head = element(0x00081140, "SQ", length=UNDEFINED) + ITEM + struct.pack("<I", UNDEFINED)
        return file_of(head * depth + (ITEM_END + SEQUENCE_END) * depth + data_set({MODALITY: None}))
    parts, inner = [], 0
    for _ in range(depth):
        parts.append(element(0x00081140, "SQ", length=inner + 8) + ITEM + struct.pack("<I", inner))
        inner += 20
    return file_of(b"".join(reversed(parts)) + data_set({MODALITY: None}))


def _frames(said: str, real: int = 1) -> bytes:
    pixels = element(PIXELS, "OW", bytes(512 * real))
    return changed(text(FRAMES, "IS", said), pixels)


def _groups(num_items: int) -> bytes:
    """Functional groups per frame of an enhanced picture, more than it has frames."""
    return changed(
        text(FRAMES, "IS", "2"), sequence(FRAME_GROUPS, *[b""] * num_items), element(PIXELS, "OW", bytes(1024))
    )


@functools.cache
def jpeg_2000(width: int = 16, height: int = 16) -> bytes:
    return _by_pillow("JPEG2000", np.full((height, width), 77, np.uint8), no_jp2=True)


def _noise() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)


def _by_pillow(kind: str, pixels: NDArray[np.uint8], **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def _most(codestream: bytes) -> bytes:
    """Four fifths of it: the headers are whole, the coded data stop."""
    return codestream[: len(codestream) * 4 // 5]


def _without_last_tile() -> bytes:
    """Four tiles of 8 x 8, of which three are there, each whole (T.800 A.4.2)."""
    stream = _by_pillow("JPEG2000", _noise(), no_jp2=True, tile_size=(8, 8), num_resolutions=1)
    return coded(JPEG_2000, stream[: stream.rindex(b"\xff\x90\0\x0a")] + b"\xff\xd9")


def _jpeg_2000_saying(**fields: int) -> bytes:
    """The codestream with another SIZ (ISO 15444-1 A.5.1): names of the fields to their values."""
    places = {"width": 8, "height": 12, "left": 16, "top": 20, "tile_width": 24, "tile_height": 28}
    stream = bytearray(jpeg_2000())
    for name, value in fields.items():
        if name == "components":
            struct.pack_into(">H", stream, 40, value)
        else:
            struct.pack_into(">I", stream, places[name], value)
    return bytes(stream)


def _jpeg_ls(width: int, height: int) -> bytes:
    """A codestream of 16 x 16 that says another size in its SOF55."""
    stream = bytearray(bytes(jpeg_ls.encode_array(np.zeros((16, 16), np.uint8))))
    at = stream.index(b"\xff\xf7")
    struct.pack_into(">HH", stream, at + 5, height, width)
    return bytes(stream)


def _rle(num_segments: int, *offsets: int, body: bytes = b"\x81\0" * 2) -> bytes:
    """A frame of RLE (PS3.5 G): sixteen words, then the segments."""
    return struct.pack("<16I", num_segments, *offsets, *[0] * (15 - len(offsets))) + body


def _lut(descriptor: bytes, values: bytes, tag: int = MODALITY_LUT) -> bytes:
    return changed(sequence(tag, descriptor + element(LUT_DATA, "OW", values)))


def palette(descriptor: bytes, values: bytes = bytes(512), segments: bytes | None = None) -> bytes:
    """PALETTE COLOR of 8 bits. descriptor: of each of the three tables. segments: in place of values."""
    colour: dict[int, bytes | None] = {PHOTOMETRIC: text(PHOTOMETRIC, "CS", "PALETTE COLOR")}
    for number in range(3):
        colour[RED_DESCRIPTOR + number] = element(RED_DESCRIPTOR + number, "US", descriptor)
        first = RED_DATA if segments is None else RED_SEGMENTS
        colour[first + number] = element(first + number, "OW", values if segments is None else segments)
    eight = {ALLOCATED: us(ALLOCATED, 8), STORED: us(STORED, 8), HIGH_BIT: us(HIGH_BIT, 7)}
    return picture({**colour, **eight, PIXELS: element(PIXELS, "OB", bytes(range(256)))})


WHOLE_PALETTE = struct.pack("<3H", 256, 0, 16)

_LINEAR_BOMB = struct.pack("<3H", 0, 1, 0) + struct.pack("<3H", 1, 65_535, 65_535) * 5000
_INDIRECT_LOOP = struct.pack("<4H", 2, 65_535, 0, 0) * 1000


def _tiff_too() -> bytes:
    """A DICOM file whose preamble is a TIFF's header; TIFF readers see a picture of their own."""
    fields = struct.pack("<H", 4) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in ((256, 4), (257, 4), (273, 8), (279, 16))
    )
    return file_of(data_set(), preamble=(b"II*\0\x08\0\0\0" + fields + bytes(4)).ljust(128, b"\0"))


def _big_endian(body: bytes) -> bytes:
    return file_of(body, BIG_ENDIAN)


def _private(number: int) -> bytes:
    """Elements of no length, their tags ever larger."""
    tags = np.arange(number, dtype="<u4")
    rows = np.zeros((number, 8), np.uint8)
    rows[:, :2] = (0x0029 + 2 * (tags >> 16)).astype("<u2").view(np.uint8).reshape(-1, 2)
    rows[:, 2:4] = (tags & 0xFFFF).astype("<u2").view(np.uint8).reshape(-1, 2)
    rows[:, 4:6] = (ord("L"), ord("O"))
    return rows.tobytes()


ITEMS = named(
    "dicom",
    ("522 KB of deflate that become 512 MB", lambda: _deflated(512 * MEBIBYTE), BROKEN),
    ("deflated pixels of 2 GB", lambda: _deflated_pixels(2**31 - 2), BROKEN),
    ("deflated pixels of 512 MB for 16 x 16", lambda: _deflated_pixels(2**29), BROKEN),
    ("deflate that is none", lambda: file_of(b"no deflate at all", DEFLATED), DAMAGED),
    ("10,000 frames", lambda: _frames("10000", 10_000), REFUSED),
    ("2147483647 frames", lambda: _frames("2147483647"), REFUSED),
    ("12 digits of frames", lambda: _frames("999999999999"), BROKEN),
    ("no frames", lambda: _frames("0"), HARMLESS),
    ("-1 frames", lambda: _frames("-1"), HARMLESS),
    ("a number of frames that is none", lambda: _frames("many"), HARMLESS),
    ("two numbers of frames", lambda: _frames("1\\2"), HARMLESS),
    ("1000 frames in the space of one", lambda: _frames("1000"), DAMAGED),
    ("sequences 10,000 deep of defined length", lambda: _deep(10_000, defined=True), HARMLESS),
    ("sequences 10,000 deep of undefined length", lambda: _deep(10_000, defined=False), HARMLESS),
    ("sequences 500,000 deep of undefined length", lambda: _deep(500_000, defined=False), BROKEN),
    ("65535 x 65535", lambda: changed(us(ROWS, 65_535), us(COLUMNS, 65_535)), REFUSED),
    ("65535 x 1", lambda: changed(us(ROWS, 1), us(COLUMNS, 65_535)), REFUSED),
    ("0 x 0", lambda: changed(us(ROWS, 0), us(COLUMNS, 0)), DAMAGED),
    ("no rows", lambda: picture({ROWS: None}), DAMAGED),
    ("rows that are empty", lambda: changed(element(ROWS, "US")), DAMAGED),
    ("two values of rows", lambda: changed(us(ROWS, 16, 16)), HARMLESS),
    ("rows that are text", lambda: changed(text(ROWS, "LO", "sixteen!")), BROKEN),
    ("more rows than pixels", lambda: changed(us(ROWS, 5000), us(COLUMNS, 5000)), DAMAGED),
    (
        "40 megapixels",
        lambda: picture(
            {ROWS: us(ROWS, 4000), COLUMNS: us(COLUMNS, 5000), PIXELS: element(PIXELS, "OW", bytes(40_000_000))}
        ),
        frozenset({PICTURE, 422}),
    ),
    ("no pixels", lambda: picture({PIXELS: None}), BROKEN),
    ("pixels of no bytes", lambda: changed(element(PIXELS, "OW")), DAMAGED),
    ("pixels that say 4 GB", lambda: changed(element(PIXELS, "OW", bytes(512), length=2**32 - 2)), HARMLESS),
    ("7 bits allocated", lambda: changed(us(ALLOCATED, 7)), BROKEN),
    ("65535 bits allocated", lambda: changed(us(ALLOCATED, 65_535)), BROKEN),
    ("64 bits allocated", lambda: changed(us(ALLOCATED, 64), element(PIXELS, "OW", bytes(2048))), BROKEN),
    ("more bits stored than allocated", lambda: changed(us(STORED, 200), us(HIGH_BIT, 199)), HARMLESS),
    ("no bits stored", lambda: changed(us(STORED, 0), us(HIGH_BIT, 65_535)), HARMLESS),
    ("65535 samples a pixel", lambda: changed(us(SAMPLES, 65_535)), BROKEN),
    ("no samples a pixel", lambda: changed(us(SAMPLES, 0)), BROKEN),
    (
        "a planar configuration of 7",
        lambda: changed(us(SAMPLES, 3), us(PLANAR, 7), text(PHOTOMETRIC, "CS", "RGB")),
        BROKEN,
    ),
    ("a photometric interpretation that is none", lambda: changed(text(PHOTOMETRIC, "CS", "NONSENSE")), BROKEN),
    ("a pixel representation of 3", lambda: changed(us(SIGNED, 3)), HARMLESS),
    ("float pixels beside whole ones", lambda: changed(element(FLOAT_PIXELS, "OF", bytes(1024))), HARMLESS),
    ("a slope of 1e308", lambda: changed(text(SLOPE, "DS", "1e308"), text(INTERCEPT, "DS", "1e308")), HARMLESS),
    ("a slope that is no number", lambda: changed(text(SLOPE, "DS", "nan"), text(INTERCEPT, "DS", "inf")), HARMLESS),
    ("a window of no width", lambda: changed(text(CENTER, "DS", "40"), text(WIDTH, "DS", "0")), HARMLESS),
    ("a window of negative width", lambda: changed(text(CENTER, "DS", "40"), text(WIDTH, "DS", "-400")), HARMLESS),
    ("a window that is no number", lambda: changed(text(CENTER, "DS", "nan"), text(WIDTH, "DS", "1e-320")), HARMLESS),
    ("5000 windows", lambda: changed(text(CENTER, "DS", "\\".join(["40"] * 5000)), text(WIDTH, "DS", "400")), HARMLESS),
    ("a padding value of 4 bytes", lambda: changed(element(PADDING, "UL", b"\xff" * 4)), HARMLESS),
    ("a modality table that lies", lambda: _lut(us(LUT_DESCRIPTOR, 65_535, 0, 16), bytes(8)), HARMLESS),
    ("a modality table of 255 bits", lambda: _lut(us(LUT_DESCRIPTOR, 4, 65_535, 255), bytes(8)), HARMLESS),
    ("a modality table without a descriptor", lambda: _lut(b"", bytes(8)), HARMLESS),
    ("a VOI table that lies", lambda: _lut(us(LUT_DESCRIPTOR, 0, 65_535, 16), bytes(8), VOI_LUT), HARMLESS),
    ("10,000 VOI tables", lambda: changed(sequence(VOI_LUT, *[us(LUT_DESCRIPTOR, 4, 0, 16)] * 10_000)), HARMLESS),
    ("a palette whose descriptor lies", lambda: palette(struct.pack("<3H", 0, 65_535, 16), bytes(8)), DAMAGED),
    ("a palette of 32 bits", lambda: palette(struct.pack("<3H", 256, 0, 32)), HARMLESS),
    ("a palette without its tables", lambda: changed(text(PHOTOMETRIC, "CS", "PALETTE COLOR")), BROKEN),
    ("a segmented palette that becomes 327 million", lambda: palette(WHOLE_PALETTE, segments=_LINEAR_BOMB), HARMLESS),
    ("a segmented palette that refers to itself", lambda: palette(WHOLE_PALETTE, segments=_INDIRECT_LOOP), BROKEN),
    ("a segmented palette of nonsense", lambda: palette(WHOLE_PALETTE, segments=b"\xff" * 512), BROKEN),
    ("JPEG of 65500 x 65500 inside 16 x 16", lambda: coded(JPEG_BASELINE, with_frame(grey(), 65_500, 65_500)), BROKEN),
    ("JPEG of 36 megapixels inside 16 x 16", lambda: coded(JPEG_BASELINE, grey(6000, 6000)), BROKEN),
    ("JPEG that stops", lambda: coded(JPEG_BASELINE, grey()[:200]), DAMAGED),
    ("JPEG that is none", lambda: coded(JPEG_BASELINE, bytes(512)), DAMAGED),
    (
        "JPEG Lossless of 65500 x 65500",
        lambda: coded(JPEG_LOSSLESS, with_frame(grey(), 65_500, 65_500, marker=0xC3)),
        BROKEN,
    ),
    ("JPEG-LS of 65535 x 65535 inside 16 x 16", lambda: coded(JPEG_LS, _jpeg_ls(65_535, 65_535)), BROKEN),
    ("JPEG-LS of 0 x 0", lambda: coded(JPEG_LS, _jpeg_ls(0, 0)), DAMAGED),
    ("JPEG 2000 of 16 megapixels inside 16 x 16", lambda: coded(JPEG_2000, jpeg_2000(4000, 4000)), BROKEN),
    ("JPEG 2000 of 60000 x 60000", lambda: coded(JPEG_2000, _jpeg_2000_saying(width=60_000, height=60_000)), BROKEN),
    (
        "JPEG 2000 of 4 billion a side",
        lambda: coded(JPEG_2000, _jpeg_2000_saying(width=2**32 - 1, height=2**32 - 1)),
        BROKEN,
    ),
    (
        "JPEG 2000 with tiles of one pixel",
        lambda: coded(JPEG_2000, _jpeg_2000_saying(tile_width=1, tile_height=1)),
        BROKEN,
    ),
    (
        "JPEG 2000 with tiles of no pixels",
        lambda: coded(JPEG_2000, _jpeg_2000_saying(tile_width=0, tile_height=0)),
        BROKEN,
    ),
    (
        "JPEG 2000 with 4 billion tiles",
        lambda: coded(JPEG_2000, _jpeg_2000_saying(width=65_535, height=65_535, tile_width=1, tile_height=1)),
        BROKEN,
    ),
    (
        "JPEG 2000 far off its origin",
        lambda: coded(JPEG_2000, _jpeg_2000_saying(left=2**32 - 1, top=2**32 - 1)),
        BROKEN,
    ),
    ("JPEG 2000 of 16384 components", lambda: coded(JPEG_2000, _jpeg_2000_saying(components=16_384)), BROKEN),
    ("JPEG 2000 that stops", lambda: coded(JPEG_2000, _most(_by_pillow("JPEG2000", _noise(), no_jp2=True))), DAMAGED),
    ("JPEG 2000 that lacks its last tile", _without_last_tile, DAMAGED),
    ("JPEG-LS that stops", lambda: coded(JPEG_LS, _most(bytes(jpeg_ls.encode_array(_noise())))), DAMAGED),
    (
        "JPEG that stops in the middle of its pixels",
        lambda: coded(JPEG_BASELINE, _most(_by_pillow("JPEG", _noise()))),
        DAMAGED,
    ),
    ("RLE of 15 segments", lambda: coded(RLE, _rle(15, *[64] * 15)), DAMAGED),
    ("RLE of 4 billion segments", lambda: coded(RLE, _rle(2**32 - 1, 64)), DAMAGED),
    ("RLE of no segments", lambda: coded(RLE, _rle(0)), DAMAGED),
    ("RLE whose segments are elsewhere", lambda: coded(RLE, _rle(1, 2**32 - 1)), DAMAGED),
    ("RLE whose segments go backwards", lambda: coded(RLE, _rle(1, 3)), BROKEN),
    ("RLE of 64 MB for 16 x 16", lambda: coded(RLE, _rle(1, 64, body=b"\x81\0" * 500_000)), HARMLESS),
    ("RLE of 600 MB for 16 x 16", lambda: coded(RLE, _rle(1, 64, body=b"\x81\0" * 5_000_000)), HARMLESS),
    ("RLE of too few bytes", lambda: coded(RLE, _rle(1, 64, body=b"\x81\0")), DAMAGED),
    ("RLE whose header stops", lambda: coded(RLE, b"\1\0\0\0"), DAMAGED),
    ("an offset table that lies", lambda: coded(RLE, _rle(1, 64), offsets=b"\xff" * 8), BROKEN),
    (
        "an extended offset table that lies",
        lambda: coded(
            RLE,
            _rle(1, 64),
            more={
                EXTENDED_OFFSETS: element(EXTENDED_OFFSETS, "OV", struct.pack("<Q", 2**63)),
                EXTENDED_LENGTHS: element(EXTENDED_LENGTHS, "OV", struct.pack("<Q", 2**63)),
            },
        ),
        BROKEN,
    ),
    ("1,000,000 empty fragments", lambda: coded(RLE, *[b""] * 1_000_000), BROKEN),
    ("fragments without an end", lambda: coded(JPEG_BASELINE, grey()[:300], end=b""), HARMLESS),
    ("no fragments", lambda: coded(JPEG_BASELINE), DAMAGED),
    ("plain pixels that are to be fragments", lambda: picture(syntax=JPEG_BASELINE), BROKEN),
    ("fragments that are to be plain", lambda: picture({PIXELS: fragments(grey())}), BROKEN),
    ("no transfer syntax", lambda: file_of(data_set(), ""), HARMLESS),
    ("an unknown transfer syntax", lambda: picture(syntax="1.2.3.4.5"), REJECTED),
    ("a video", lambda: coded(MPEG4, bytes(999)), REJECTED),
    ("little-endian that says big", lambda: _big_endian(data_set()), DAMAGED),
    ("explicit that says implicit", lambda: file_of(data_set(), IMPLICIT), HARMLESS),
    ("a private element of 20 MB", lambda: changed(element(0x00290010, "OB", bytes(20_000_000))), HARMLESS),
    (
        "a private element that says 4 GB",
        lambda: changed(element(0x00290010, "OB", bytes(99), length=2**32 - 2)),
        DAMAGED,
    ),
    (
        "a private element of undefined length",
        lambda: changed(element(0x00290010, "OB", bytes(99), length=UNDEFINED)),
        DAMAGED,
    ),
    ("500,000 private elements", lambda: file_of(data_set({PIXELS: None}) + _private(500_000)), BROKEN),
    ("60 MB of private elements", lambda: file_of(data_set({PIXELS: None}) + _private(6_000_000)), BROKEN),
    ("a sequence of 1,000,000 items", lambda: changed(sequence(0x00290010, *[b""] * 1_000_000)), HARMLESS),
    ("functional groups of 100,000 frames", lambda: _groups(100_000), HARMLESS),
    ("functional groups of no frames", lambda: _groups(0), HARMLESS),
    ("a character set that is none", lambda: changed(text(0x00080005, "CS", "ISO NONSENSE\\\\X")), HARMLESS),
    ("a TIFF too", _tiff_too, frozenset({PICTURE})),
    ("a tag of all ones", lambda: file_of(b"\xff" * 4096), DAMAGED),
    ("no more than its mark", lambda: bytes(128) + b"DICM", BROKEN),
    ("no mark", lambda: picture()[132:], REJECTED),
)
