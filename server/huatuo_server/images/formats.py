"""Which formats are read, how their bytes begin, and the names of those that are not read."""

from __future__ import annotations

from typing import Final, Literal

from huatuo_server.errors import InvalidImage, UnsupportedImageFormat

Format = Literal["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"]
Reader = Literal["DICOM", "PLAIN"]

FORMATS: Final[tuple[Format, ...]] = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""What Pillow may try; it reads dozens more, none of which an image question needs."""

HEAD_BYTES: Final = 1_024
"""How much of a file tells its format."""

WANTED: Final = f"{', '.join(FORMATS)} or DICOM"

_READ: Final[tuple[tuple[int, bytes, Format], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (8, b"WEBP", "WEBP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),
    (0, b"MM\x00+", "TIFF"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (0, b"BM", "BMP"),
)

_EXPORT = "Export the picture that you mean"
_PHONE = "Convert it to JPEG; on an iPhone: Settings, Camera, Formats, Most Compatible"
_CONVERT = "Convert it to PNG or JPEG"
_SLICE = "Export the slice that you mean as a PNG of 16 bits, or send DICOM"
_UNPACK = "Unpack it and send the image itself"
_PART_10 = "Save it as a DICOM file (PS3.10), which has DICM at byte 128"
_STILL = "Send one picture of it as PNG or JPEG"

_LOOKALIKES: Final[tuple[tuple[int, bytes, str, str], ...]] = (
    (0, b"\xff\xd8\xff\xf7", "a JPEG-LS picture outside of a DICOM file", _CONVERT),
    (8, b"CR\x02", "a camera's raw picture", _CONVERT),
)
"""These begin as a JPEG or a TIFF does. Offset, bytes, what it is, what to do."""

_UNREAD: Final[tuple[tuple[int, bytes, str, str], ...]] = (
    (0, b"%PDF", "a PDF", f"{_EXPORT} as PNG"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000", _CONVERT),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000", _CONVERT),
    (0, b"\xff\x0a", "JPEG XL", _CONVERT),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL", _CONVERT),
    (0, b"II\xbc\x01", "JPEG XR", _CONVERT),
    (0, b"8BPS", "a Photoshop document", f"{_EXPORT} as PNG"),
    (0, b"\x00\x00\x01\x00", "an ICO icon", _CONVERT),
    (0, b"v/1\x01", "OpenEXR", _CONVERT),
    (0, b"%!PS", "PostScript", f"{_EXPORT} as PNG"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document", _UNPACK),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (0, b"\x1f\x8b", "a gzip archive (NIfTI volumes often are)", _UNPACK),
    (0, b"BZh", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ", "an xz archive", _UNPACK),
    (344, b"n+1\x00", "a NIfTI volume", _SLICE),
    (344, b"ni1\x00", "a NIfTI header", _SLICE),
    (4, b"n+2\x00", "a NIfTI volume", _SLICE),
    (4, b"ni2\x00", "a NIfTI header", _SLICE),
    (0, b"\x5c\x01\x00\x00", "an Analyze or NIfTI header", _SLICE),
    (0, b"NRRD", "an NRRD volume", _SLICE),
    (0, b"ObjectType =", "a MetaImage volume", _SLICE),
    (0, b"CDF\x01", "a MINC or NetCDF volume", _SLICE),
    (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file", _SLICE),
    (0, b"SIMPLE  =", "FITS", _SLICE),
    (0, b"\x1aE\xdf\xa3", "a video", _STILL),
    (8, b"AVI ", "a video", _STILL),
    (0, b"\x00\x00\x01\xba", "a video", _STILL),
    (0, b"\x00\x00\x01\xb3", "a video", _STILL),
    (0, b"OggS", "a video or a recording", _STILL),
    (0, b"\x02\x00\x00\x00UL", "DICOM without its preamble", _PART_10),
    (0, b"\x08\x00\x05\x00", "DICOM without its preamble", _PART_10),
    (0, b"\x00\x08\x00\x05", "DICOM without its preamble", _PART_10),
)
"""Offset, bytes, what it is, what to do."""

_BRANDS: Final = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
    b"avif": "AVIF",
    b"avis": "AVIF",
}
"""ISO base media brands (bytes 8..12 after `ftyp`)."""


def sniff(head: bytes) -> Reader:
    """Who reads a file that begins with these bytes (HEAD_BYTES of them, or all there are): the DICOM reader or ours.

    DICOM comes first: some DICOM files also open as TIFF, and would skip every window.
    Raises UnsupportedImageFormat, which names the format and says what to do, or InvalidImage: like nothing we know.
    """
    if head[128:132] == b"DICM":
        return "DICOM"
    lookalike = _named(head, _LOOKALIKES)
    if lookalike is None and _known(head) is not None:
        return "PLAIN"
    unread = lookalike or _named(head, _UNREAD) or _video_or_phone(head) or _text(head.lower())
    if unread is None:
        raise _like_nothing()
    name, advice = unread
    raise UnsupportedImageFormat(f"The image looks like {name}, which is not read here. {advice}.")


def format_of(head: bytes) -> Format:
    """Which of FORMATS these first bytes begin. Raises InvalidImage."""
    known = _known(head)
    if known is None:
        raise _like_nothing()
    return known


def _known(head: bytes) -> Format | None:
    return next((name for offset, magic, name in _READ if head.startswith(magic, offset)), None)


def _like_nothing() -> InvalidImage:
    return InvalidImage(f"The image cannot be read. It must be a complete file of one of the formats {WANTED}.")


def _named(head: bytes, known: tuple[tuple[int, bytes, str, str], ...]) -> tuple[str, str] | None:
    """Name and advice."""
    return next(((name, advice) for offset, magic, name, advice in known if head.startswith(magic, offset)), None)


def _video_or_phone(head: bytes) -> tuple[str, str] | None:
    if head[4:8] != b"ftyp":
        return None
    brand = _BRANDS.get(head[8:12])
    return ("a video", _STILL) if brand is None else (brand, _PHONE)


def _text(head: bytes) -> tuple[str, str] | None:
    if b"<svg" in head:
        return "SVG", f"{_EXPORT} as PNG"
    return ("a web page", "Send the image itself") if b"<html" in head or b"<!doctype html" in head else None
