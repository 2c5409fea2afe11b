"""Image files that hold a patient's data wherever a file can, pixels too."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from drills.canaries.canary import Canaries
from tests.server.images.dicom.dicom_samples import made

SIDE = 336
"""The model's own: such a picture is not resized, and its pixels keep their values."""

LARGE = (3000, 4000)
"""A picture of half a second's work: there is time to kill who does it."""


def pixels(word: str, shape: tuple[int, int] = (SIDE, SIDE)) -> NDArray[np.uint8]:
    """Rows of the word's letters, as grey values."""
    row = np.frombuffer(word.encode(), np.uint8)
    repeated: NDArray[np.uint8] = np.resize(row, shape[0] * shape[1]).reshape(shape)
    return repeated


def png(canaries: Canaries, shape: tuple[int, int] = (SIDE, SIDE), level: int = 6) -> bytes:
    """Text in a tEXt, an iTXt and a compressed zTXt chunk, and in Exif."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", canaries["png text"])
    texts.add_text("Description", canaries["png compressed text"], zip=True)
    texts.add_itxt("Title", canaries["png international text"])
    return _saved(
        pixels(canaries["png pixels"], shape), "PNG", pnginfo=texts, exif=_exif(canaries), compress_level=level
    )


def jpeg(canaries: Canaries) -> bytes:
    """Text in a comment and in Exif; JPEG's pixels are not those that went in."""
    return _saved(pixels(canaries["jpeg pixels"]), "JPEG", comment=canaries["jpeg comment"], exif=_exif(canaries))


def dicom(canaries: Canaries) -> bytes:
    """The patient in the elements that name one."""
    return made(
        pixels(canaries["dicom pixels"]).astype(np.uint16),
        PatientName=f"{canaries['PatientName']}^{canaries['PatientName']}",
        PatientID=canaries["PatientID"],
        PatientComments=canaries["PatientComments"],
        InstitutionName=canaries["InstitutionName"],
        StudyDescription=canaries["StudyDescription"],
        AccessionNumber=canaries["AccessionNumber"],
    )


def damaged(file: bytes) -> bytes:
    """Its second half is missing."""
    return file[: len(file) // 2]


def _saved(values: NDArray[np.uint8], kind: str, **options: Any) -> bytes:
    file = BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def _exif(canaries: Canaries) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = canaries["exif description"]  # ImageDescription
    exif[0x013B] = canaries["exif artist"]  # Artist
    return exif
