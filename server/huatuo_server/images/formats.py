"""Which formats are read, and the names of those that are not."""

from __future__ import annotations

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""What Pillow may try; it reads dozens more, none of which an image question needs."""

_MAGIC = (
    (0, b"%PDF", "a PDF"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"8BPS", "a Photoshop document"),
    (0, b"\x00\x00\x01\x00", "an ICO icon"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"PK\x03\x04", "a ZIP archive or an office document"),
    (0, b"\x1f\x8b", "a gzip archive (NIfTI volumes often are)"),
    (344, b"n+1\x00", "a NIfTI volume"),
)

_BRANDS = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
    b"avif": "AVIF",
    b"avis": "AVIF",
}
"""ISO base media brands (bytes 8..12 after `ftyp`)."""


def name_of_unread_format(data: bytes) -> str | None:
    """Name the format that `data` looks like, if we know it and do not read it; None otherwise.

    DICOM comes first: some DICOM files also open as TIFF, and would skip every window.
    """
    if data[128:132] == b"DICM":
        return "DICOM"
    for offset, magic, name in _MAGIC:
        if data.startswith(magic, offset):
            return name
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "a video")
    return "SVG" if b"<svg" in data[:1024].lower() else None
