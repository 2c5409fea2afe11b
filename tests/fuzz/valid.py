"""Small valid files of every format, mode, compression and transfer syntax: what mutations begin with."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.data
import skimage
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from tests.hostile import bmp, dicom, gif, jpeg, png, tiff, webp
from tests.hostile.compression import deflated_zeros

KINDS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "DICOM")

MAX_FILE_BYTES = 40_000
"""Larger ones would take most of the time."""


@dataclass(frozen=True, slots=True)
class Seed:
    """One valid file. kind: one of KINDS."""

    kind: str
    name: str
    content: bytes


@functools.cache
def valid_files() -> tuple[Seed, ...]:
    """All of them, always in the same order."""
    return (*_pillow(), *_written_by_hand(), *_scikit_image(), *_pydicom(), *_transfer_syntaxes(), *_films())


def _noise(mode: str, side: int = 24) -> Image.Image:
    values = np.random.default_rng(len(mode)).integers(0, 256, (side, side, 3), dtype=np.uint8)
    smooth = Image.fromarray(values).resize((side, side - 5), Image.Resampling.BICUBIC)
    if mode in ("I;16", "I;16B", "I", "F"):
        grey = np.asarray(smooth.convert("L"), np.uint16) * 16
        wide = {"I;16": "<u2", "I;16B": ">u2", "I": "<i4", "F": "<f4"}[mode]
        return Image.frombytes(mode, smooth.size, grey.astype(wide).tobytes())
    return smooth.convert(mode)


def _saved(kind: str, mode: str, **options: Any) -> Seed:
    file = io.BytesIO()
    _noise(mode).save(file, kind, **options)
    told = ",".join(f"{key}={value}" for key, value in options.items() if isinstance(value, str | int))
    return Seed("JPEG" if kind == "MPO" else kind, f"{kind} {mode} {told}", file.getvalue())


def _pillow() -> Iterator[Seed]:
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = bytes(range(256)) * 2
    more = {"save_all": True, "append_images": [_noise("RGB"), _noise("L")]}
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield _saved("PNG", mode)
    yield _saved("PNG", "RGB", exif=exif, icc_profile=profile)
    yield _saved("PNG", "P", transparency=3, bits=4)
    yield _saved("PNG", "RGBA", **more)
    for mode in ("L", "RGB", "CMYK"):
        yield _saved("JPEG", mode)
        yield _saved("JPEG", mode, progressive=True)
    yield _saved("JPEG", "RGB", subsampling=2, restart_marker_blocks=1)
    yield _saved("JPEG", "RGB", subsampling=0, quality=30, exif=exif, icc_profile=profile)
    yield _saved("MPO", "RGB", save_all=True, append_images=[_noise("RGB")])
    for mode in ("RGB", "RGBA"):
        yield _saved("WEBP", mode)
        yield _saved("WEBP", mode, lossless=True)
    yield _saved("WEBP", "RGB", exif=exif, icc_profile=profile)
    yield _saved("WEBP", "RGBA", **more)
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield _saved("BMP", mode)
    yield from _tiffs(exif)
    for mode in ("L", "P", "RGB"):
        yield _saved("GIF", mode)
    yield _saved("GIF", "P", interlace=0, transparency=2)
    yield _saved("GIF", "RGB", **more)


def _tiffs(exif: Image.Exif) -> Iterator[Seed]:
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "I", "F"):
        yield _saved("TIFF", mode)
    for compression in ("tiff_adobe_deflate", "tiff_lzw", "packbits", "tiff_deflate"):
        for mode in ("L", "RGB", "I;16", "F"):
            yield _saved("TIFF", mode, compression=compression)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield _saved("TIFF", "1", compression=compression)
    for mode in ("L", "RGB"):
        yield _saved("TIFF", mode, compression="jpeg")
    yield _saved("TIFF", "L", compression="zstd")
    yield _saved("TIFF", "RGB", exif=exif, big_tiff=True)
    yield _saved("TIFF", "L", save_all=True, append_images=[_noise("RGB"), _noise("I;16")])


def _written_by_hand() -> Iterator[Seed]:
    """What Pillow reads and does not write."""
    yield Seed("PNG", "PNG 16-bit RGBA interlaced", png.black(16, 16, 16, png.RGBA, interlace=1))
    yield Seed("PNG", "PNG 16-bit RGB", png.black(16, 16, 16, png.RGB))
    yield Seed("PNG", "PNG 16-bit LA", png.black(16, 16, 16, png.GREY_ALPHA))
    yield Seed("WEBP", "WEBP animation", webp.animation(8, 8, *[webp.frame(webp.lossless(8, 8), 8, 8)] * 3))
    runs = b"".join(bytes([16, row]) + b"\0\0" for row in range(16)) + b"\0\1"
    yield Seed("BMP", "BMP RLE8", bmp.bmp(16, 16, runs, compression=bmp.RLE8))
    yield Seed("BMP", "BMP RLE4", bmp.bmp(16, 16, runs, compression=bmp.RLE4, bits=4))
    yield Seed("BMP", "BMP upside down", bmp.bmp(16, -16, bytes(range(256))))
    yield Seed("BMP", "BMP of 16 bits", bmp.bmp(16, 16, bytes(range(256)) * 2, bits=16))
    yield Seed("TIFF", "TIFF tile", tiff.tiled(16, 16, deflated_zeros(256)))
    yield Seed("TIFF", "TIFF planes", tiff.tiff({tiff.SAMPLES: 1, tiff.PLANAR: 2}))
    yield Seed("GIF", "GIF frames", gif.gif(gif.screen(8, 8), *[gif.frame(at, at) for at in range(8)]))


SPOILT_ALREADY = frozenset(
    {
        "JPEG2000-embedded-sequence-delimiter.dcm",
        "MR_truncated.dcm",
        "badVR.dcm",
        "meta_missing_tsyntax.dcm",
        "multipage_rgb.tif",
        "nested_priv_SQ.dcm",
    }
)
"""Not everything that the packages hold can be read."""


def _scikit_image() -> Iterator[Seed]:
    folder = Path(skimage.__file__).parent / "data"
    kinds = {".png": "PNG", ".tif": "TIFF", ".gif": "GIF"}
    for path in sorted(folder.iterdir()):
        if path.suffix in kinds and path.name not in SPOILT_ALREADY and path.stat().st_size <= MAX_FILE_BYTES:
            yield Seed(kinds[path.suffix], path.name, path.read_bytes())


def _pydicom() -> Iterator[Seed]:
    """Its test files with pixels, but for those whose names point to a collection under another licence."""
    folder = Path(pydicom.data.__file__).parent / "test_files"
    for path in sorted(folder.glob("*.dcm")):
        content = path.read_bytes()
        marked = content[128:132] == b"DICM"
        has_pixels = b"\xe0\x7f\x10\x00" in content or b"\x7f\xe0\x00\x10" in content
        unwanted = path.name in SPOILT_ALREADY or "693_" in path.name
        if marked and has_pixels and not unwanted and len(content) <= MAX_FILE_BYTES:
            yield Seed("DICOM", path.name, content)


def _film(changes: dict[int, bytes | None] | None = None) -> Dataset:
    return pydicom.dcmread(io.BytesIO(dicom.picture(changes)))


def _written(name: str, film: Dataset, **options: Any) -> Seed:
    file = io.BytesIO()
    film.save_as(file, **options)
    return Seed("DICOM", name, file.getvalue())


def _transfer_syntaxes() -> Iterator[Seed]:
    """One small film in each that pydicom writes; its test files have the others."""
    for syntax in (RLELossless, JPEGLSLossless):
        film = _film()
        film.compress(syntax, generate_instance_uid=False)
        yield _written(f"DICOM {syntax.name}", film)
    yield Seed("DICOM", "DICOM JPEG 2000", dicom.coded(dicom.JPEG_2000, dicom.jpeg_2000()))
    yield Seed("DICOM", "DICOM JPEG Baseline", dicom.coded(dicom.JPEG_BASELINE, jpeg.grey()))
    for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
        film = _film()
        film.file_meta.TransferSyntaxUID = syntax
        yield _written(f"DICOM {syntax.name}", film)


def _films() -> Iterator[Seed]:
    """One for each part of the grey pipeline (PS3.3 C.11) and of the ways to keep frames."""
    ct = (dicom.text(dicom.MODALITY, "CS", "CT"), dicom.text(dicom.SLOPE, "DS", "1"))
    window = (dicom.text(dicom.CENTER, "DS", "40\\50"), dicom.text(dicom.WIDTH, "DS", "400\\80"))
    table = dicom.us(dicom.LUT_DESCRIPTOR, 256, 0, 16) + dicom.element(dicom.LUT_DATA, "OW", bytes(range(256)) * 2)
    frames = (dicom.text(dicom.FRAMES, "IS", "4"), dicom.element(dicom.PIXELS, "OW", bytes(range(256)) * 8))
    for name, elements in {
        "CT": (*ct, dicom.text(dicom.INTERCEPT, "DS", "-1024")),
        "CT with windows": (*ct, dicom.text(dicom.INTERCEPT, "DS", "-1024"), *window),
        "MONOCHROME1": (dicom.text(dicom.PHOTOMETRIC, "CS", "MONOCHROME1"), *window),
        "padding": (dicom.us(dicom.PADDING, 0),),
        "modality table": (dicom.sequence(dicom.MODALITY_LUT, table),),
        "VOI table": (dicom.sequence(dicom.VOI_LUT, table),),
        "sigmoid": (*window, dicom.text(0x00281056, "CS", "SIGMOID")),
        "frames": frames,
        "enhanced": (*frames, *_groups(4)),
        "float": (dicom.element(dicom.FLOAT_PIXELS, "OF", np.linspace(-1, 1, 256, dtype="<f4").tobytes()),),
    }.items():
        yield Seed("DICOM", f"DICOM {name}", dicom.changed(*elements))
    yield Seed("DICOM", "DICOM palette", dicom.palette(dicom.WHOLE_PALETTE, bytes(512)))
    yield Seed("DICOM", "DICOM segmented palette", dicom.palette(dicom.WHOLE_PALETTE, segments=_SEGMENTS))


_SEGMENTS = np.array([0, 1, 0, 1, 255, 65_535], "<u2").tobytes()
"""A discrete segment of one value and a linear one of 255 (PS3.3 C.7.9.2)."""


def _groups(num_frames: int) -> tuple[bytes, bytes]:
    """Functional groups: the rescaling is shared, the windows are each frame's."""
    rescaled = dicom.text(dicom.INTERCEPT, "DS", "-1000") + dicom.text(dicom.SLOPE, "DS", "2")
    shared = dicom.sequence(dicom.SHARED_GROUPS, dicom.sequence(0x00289145, rescaled))
    windows = (
        dicom.text(dicom.CENTER, "DS", str(100 * number)) + dicom.text(dicom.WIDTH, "DS", "500")
        for number in range(num_frames)
    )
    return shared, dicom.sequence(dicom.FRAME_GROUPS, *(dicom.sequence(0x00289132, one) for one in windows))
