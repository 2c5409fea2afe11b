"""A question's picture as a file that a browser shows."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from benchmarks.accuracy.item import media_type

_AS_IT_IS = {"image/png": "png", "image/jpeg": "jpg"}

_PNG_MODES = ("1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA")
"""Of Pillow, that a PNG has as well."""


@dataclass(frozen=True, slots=True)
class PictureCopy:
    """file: its name. remark: empty, or why a browser does not show it."""

    file: str
    remark: str = ""


def copy(content: bytes, folder: Path, stem: str) -> PictureCopy:
    """Write the picture into the folder: PNG and JPEG as they are, others as PNG, DICOM and unreadable ones to link to.

    Raises OSError where it cannot be written.
    """
    kind = media_type(content)
    if kind in _AS_IT_IS:
        return _written(content, folder, f"{stem}.{_AS_IT_IS[kind]}")
    if kind == "application/dicom":
        return _written(content, folder, f"{stem}.dcm", "a DICOM file")
    try:
        converted = _png(content)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return _written(content, folder, f"{stem}.bin", f"cannot be converted to PNG: {error}")
    return _written(converted, folder, f"{stem}.png")


def _png(content: bytes) -> bytes:
    """The first frame."""
    file = BytesIO()
    with Image.open(BytesIO(content)) as image:
        (image if image.mode in _PNG_MODES else image.convert("RGB")).save(file, "PNG")
    return file.getvalue()


def _written(content: bytes, folder: Path, file: str, remark: str = "") -> PictureCopy:
    (folder / file).write_bytes(content)
    return PictureCopy(file, remark)
