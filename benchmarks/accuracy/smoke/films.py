"""Grey pictures as files of each kind that the server reads in a way of its own.

pixels: uint8, shape (height, width); what a server that makes no mistake shows, where nothing else is said.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

Pixels = NDArray[np.uint8]

DEEP_WHITE = 4080
"""16 times 255: a film of 12 bits."""


def png(pixels: Pixels) -> bytes:
    """Of 8 bits."""
    return _saved(pixels, "PNG")


def jpeg(pixels: Pixels) -> bytes:
    """Nearly what it should show: a JPEG loses a little."""
    return _saved(pixels, "JPEG", quality=95)


def png16(pixels: Pixels) -> bytes:
    """Of 16 bits, without a window; what it should show is `stretched`."""
    return _saved(_deep(pixels), "PNG")


def tiff16(pixels: Pixels) -> bytes:
    """Of 16 bits, without a window; what it should show is `stretched`."""
    return _saved(_deep(pixels), "TIFF")


def stretched(pixels: Pixels) -> Pixels:
    """Two shades, each of more than half a percent of the pixels, between the percentiles that the server cuts at."""
    return np.where(pixels == pixels.max(), 255, 0).astype(np.uint8)


def monochrome1(pixels: Pixels) -> bytes:
    """A DICOM film of 12 bits, its smallest value white, with a window over all of them."""
    film = Dataset()
    film.SOPClassUID, film.SOPInstanceUID = DigitalXRayImageStorageForPresentation, generate_uid(entropy_srcs=["film"])
    film.Modality = "DX"
    film.PhotometricInterpretation, film.SamplesPerPixel, film.PixelRepresentation = "MONOCHROME1", 1, 0
    film.Rows, film.Columns = pixels.shape
    film.BitsAllocated, film.BitsStored, film.HighBit = 16, 12, 11
    film.WindowCenter, film.WindowWidth, film.VOILUTFunction = DEEP_WHITE // 2, DEEP_WHITE, "LINEAR_EXACT"
    film.PixelData = ((255 - pixels.astype(np.uint16)) * 16).tobytes()
    return _dicom(film)


def _deep(pixels: Pixels) -> NDArray[np.uint16]:
    return pixels.astype(np.uint16) * np.uint16(257)


def _saved(values: NDArray[np.uint8] | NDArray[np.uint16], kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind, **options)
    return file.getvalue()


def _dicom(dataset: Dataset) -> bytes:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()
