"""Films that nobody took: 3000 x 2500, smooth anatomy under grain, each one different, so that no cache helps."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH, HEIGHT = 3000, 2500

JPEG_QUALITY = 90
GRAIN = 4.0
"""Standard deviation of a film's noise, of 255: such a JPEG has about 1.5 MB, as radiographs of this size do."""


def write(folder: Path, counts: Mapping[str, int]) -> None:
    """Files `KIND-NUMBER.url`, each the `data:` URL of one image. counts: how many of each of KINDS."""
    with ProcessPoolExecutor() as pool:
        jobs = [(kind, number) for kind, count in counts.items() for number in range(count)]
        list(pool.map(partial(_write, folder), jobs))


def film(seed: int) -> NDArray[np.float32]:
    """Brightness between 0 and 1: a collimated field, two dark lungs, a bright spine, grain."""
    random = np.random.default_rng(seed)
    y, x = np.ogrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    turn, lean = random.uniform(-0.1, 0.1, 2)
    body = 0.75 - 0.35 * x * x - 0.2 * (y - turn) ** 2 + 0.03 * np.sin(9 * y + 4 * x)
    lungs = sum(np.exp(-(((x - side * 0.4 - lean * y) / 0.25) ** 2) - ((y + 0.1) / 0.55) ** 2) for side in (-1, 1))
    spine = np.exp(-(((x - lean) / 0.07) ** 2))
    grain = random.standard_normal((HEIGHT, WIDTH), np.float32) * (GRAIN / 255)
    shown = (abs(x) < 0.95) & (abs(y) < 0.96)
    brightness: NDArray[np.float32] = np.where(shown, body - 0.5 * lungs + 0.15 * spine + grain, 0.02)
    return np.clip(brightness, 0, 1).astype(np.float32)


def _write(folder: Path, job: tuple[str, int]) -> None:
    kind, number = job
    make, media_type = KINDS[kind]
    text = base64.b64encode(make(number)).decode()
    (folder / f"{kind}-{number:02}.url").write_text(f"data:{media_type};base64,{text}", encoding="ascii")


def _file(image: Image.Image, form: str, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _bytes(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(values * 255).astype(np.uint8)


def _tinted(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Three channels that differ."""
    return _bytes(np.stack([values, values * 0.8 + 0.1, 1 - values * 0.7], axis=-1))


def grey_jpeg(seed: int) -> bytes:
    """A radiograph: one channel."""
    return _file(Image.fromarray(_bytes(film(seed))), "JPEG", quality=JPEG_QUALITY)


def colour_jpeg(seed: int) -> bytes:
    """A photograph of that size: three channels, at the usual half resolution of colour."""
    return _file(Image.fromarray(_tinted(film(1000 + seed))), "JPEG", quality=JPEG_QUALITY)


def grey_png(seed: int) -> bytes:
    """8 bits, one channel."""
    return _file(Image.fromarray(_bytes(film(2000 + seed))), "PNG", compress_level=6)


def colour_png(seed: int) -> bytes:
    """8 bits, three channels; hardly compressed, as fast encoders do, so that it has many bytes."""
    return _file(Image.fromarray(_tinted(film(4000 + seed))), "PNG", compress_level=1)


def deep_png(seed: int) -> bytes:
    """16 bits, of which a film uses 12."""
    values = np.rint(film(3000 + seed) * 4095).astype(np.uint16)
    return _file(Image.fromarray(values), "PNG", compress_level=6)


KINDS: dict[str, tuple[Callable[[int], bytes], str]] = {
    "jpeg-grey": (grey_jpeg, "image/jpeg"),
    "jpeg-colour": (colour_jpeg, "image/jpeg"),
    "png-8": (grey_png, "image/png"),
    "png-colour": (colour_png, "image/png"),
    "png-16": (deep_png, "image/png"),
}
