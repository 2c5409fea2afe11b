"""An image to the content part that carries it: from a file, bytes, a Pillow image, an array or a DICOM dataset.

A file goes as it is. What was taken out of a file is put into one that loses nothing: a PNG of 8 or 16 bits, or a TIFF
where values are negative or no whole numbers. Pillow, NumPy and pydicom are only used where one of theirs is given.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from huatuo_client.errors import UnreadableImage
from huatuo_client.view import View

if TYPE_CHECKING:
    import numpy
    import PIL.Image
    import pydicom

ContentPart: TypeAlias = "Mapping[str, Any]"

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | PIL.Image.Image | numpy.ndarray[Any, Any] "
    "| pydicom.Dataset | ContentPart"
)
"""A path; or a `data:` or `http(s):` URL; a file's bytes; a picture, an array (height, width[, 3 or 4]) or a dataset; a
content part goes as it is.
"""

_URL_SCHEMES = ("data:", "http://", "https://")
_TAKEN = "a path, bytes, a Pillow image, a NumPy array or a pydicom dataset"

_DICOM = "application/dicom"
_MEDIA_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"II": "image/tiff"}
"""The server looks at the bytes; another server of OpenAI's API may want to be told."""


def image_part(source: ImageSource, view: View | None = None) -> ContentPart:
    """A content part for a user's message. Raises UnreadableImage."""
    if isinstance(source, Mapping):
        if view is not None:
            raise UnreadableImage("A content part has its view already; give the view where the part is made.")
        return source
    image: dict[str, Any] = {"url": _url(source)}
    if view is not None and (wanted := view.as_json()):
        image["view"] = wanted
    return {"type": "image_url", "image_url": image}


def _url(source: Any) -> str:
    if isinstance(source, str) and source.startswith(_URL_SCHEMES):
        return source
    content = _content(source)
    return f"data:{_media_type(content)};base64,{base64.b64encode(content).decode()}"


def _content(source: Any) -> bytes:
    if isinstance(source, str | os.PathLike):
        return _read(Path(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if _is_a(source, "PIL.Image", "Image"):
        return _of_picture(source)
    if _is_a(source, "numpy", "ndarray"):
        return _of_array(source)
    if _is_a(source, "pydicom.dataset", "Dataset"):
        return _of_dataset(source)
    raise UnreadableImage(f"{type(source).__name__} is no image: give {_TAKEN}.")


def _is_a(source: Any, module: str, name: str) -> bool:
    """Of a class whose module nobody has to have: whoever has such an object has imported it."""
    found = sys.modules.get(module)
    return found is not None and isinstance(source, getattr(found, name))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"{path}: {error.strerror}.") from None
    except ValueError:
        raise UnreadableImage(f"{path}: no file can be called so.".replace("\0", "\\0")) from None


def _of_picture(picture: PIL.Image.Image) -> bytes:
    """Turned upright first, since a PNG made of it would forget that it lay."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("I", "F"):
        return _saved(upright, "TIFF")
    if not upright.mode.startswith("I;16") and upright.mode not in ("1", "L", "LA", "P", "RGB", "RGBA"):
        upright = upright.convert("RGB")
    return _saved(upright, "PNG")


def _of_array(array: numpy.ndarray[Any, Any]) -> bytes:
    """Values as they are: of 8 or 16 bits in a PNG, others in a TIFF of 32."""
    import numpy
    from PIL import Image

    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == numpy.uint8 and array.size:
        return _saved(Image.fromarray(numpy.ascontiguousarray(array)), "PNG")
    if array.ndim != 2 or not array.size or array.dtype.kind not in "buif":
        raise UnreadableImage(
            f"An array of shape {array.shape} and type {array.dtype} is no picture: give (height, width) of numbers, "
            "or (height, width, 3 or 4) of uint8."
        )
    stored = numpy.ascontiguousarray(array, dtype=_stored_type(array))
    return _saved(Image.fromarray(stored), "PNG" if stored.dtype.kind == "u" else "TIFF")


def _stored_type(array: numpy.ndarray[Any, Any]) -> str:
    if array.dtype.kind == "b":
        raise UnreadableImage("An array of booleans is no picture: multiply it by 255 as uint8.")
    if array.dtype.kind == "f":
        return "float32"
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return f"uint{8 * array.dtype.itemsize}"
    if array.min() < -(2**31) or array.max() >= 2**31:
        raise UnreadableImage("The array holds whole numbers of more than 32 bits.")
    return "int32"


def _saved(picture: PIL.Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, format=form)
    return file.getvalue()


def _of_dataset(dataset: pydicom.Dataset) -> bytes:
    file = io.BytesIO()
    try:
        dataset.save_as(file, enforce_file_format=True)
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        raise UnreadableImage(f"The dataset cannot be written as a DICOM file: {error}.") from None
    return file.getvalue()


def _media_type(content: bytes) -> str:
    if content[128:132] == b"DICM":
        return _DICOM
    found = (kind for head, kind in _MEDIA_TYPES.items() if content.startswith(head))
    return next(found, "application/octet-stream")
