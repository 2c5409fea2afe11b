"""Pictures to read, and short ways of reading them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file

from huatuo_server.errors import RequestError
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.frame import Frame, Grey, Header
from huatuo_server.images.plain.reader import read_frame, read_header
from huatuo_server.images.window import shade
from huatuo_server.protocol.view import WHOLE


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """The same for the same size."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values).convert(mode)


def wide_noise(width: int, height: int, dtype: Any = np.uint16) -> NDArray[Any]:
    """Grey values over most of 16 bits; of both signs, where the type has them."""
    values = np.random.default_rng(0).integers(0, 60_000, (height, width))
    return (values - 30_000 if np.dtype(dtype).kind in "if" else values).astype(dtype)


def scikit_image(name: str) -> bytes:
    """A file of scikit-image's wheel; what the tests name is CC0 or in the public domain."""
    # Imported here: the parity tests also run where scikit-image is not installed.
    import skimage

    return (Path(skimage.__file__).parent / "data" / name).read_bytes()


def ct_slice() -> NDArray[np.uint16]:
    """A real CT slice, 128 x 128, as stored: 128 to 2191. The last 32,768 bytes but for 138 of pydicom's CT_small."""
    path = get_testdata_file("CT_small.dcm")
    return np.frombuffer(Path(str(path)).read_bytes(), "<u2", 128 * 128, 6300).reshape(128, 128)


def header_of(data: bytes, **bounds: int) -> Header:
    return read_header(io.BytesIO(data), None, Bounds(**bounds))


def frame_of(data: bytes, number: int | None = None, **bounds: int) -> Frame:
    return read_frame(io.BytesIO(data), number, Bounds(**bounds))


def grey_of(data: bytes, number: int | None = None) -> Grey:
    """The frame's grey values; fails for a colour picture."""
    pixels = frame_of(data, number).pixels
    assert isinstance(pixels, Grey)
    return pixels


def picture_of(data: bytes) -> Image.Image:
    """The first frame of an 8-bit file; fails for grey values."""
    pixels = frame_of(data).pixels
    assert isinstance(pixels, Image.Image)
    return pixels.convert("RGB")


def seen(data: bytes, number: int | None = None) -> NDArray[np.uint8]:
    """What is shown of a file where nothing is asked: rows, columns, RGB."""
    pixels = frame_of(data, number).pixels
    image = shade(pixels, WHOLE)[0] if isinstance(pixels, Grey) else pixels
    return np.asarray(image.convert("RGB"))


def error_of(data: bytes, number: int | None = None, **bounds: int) -> RequestError:
    """What reading the frame raises."""
    with pytest.raises(RequestError) as caught:
        frame_of(data, number, **bounds)
    return caught.value
