"""DICOM files to read in tests: the real ones of pydicom and pydicom-data, and small ones made here."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread, dcmwrite
from pydicom.data import get_testdata_file
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless

from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom import reader as dicom
from huatuo_server.images.frame import Frame, Grey
from huatuo_server.images.window import shade
from huatuo_server.protocol.view import WHOLE, View


def real(name: str) -> bytes:
    """A file of pydicom's or pydicom-data's, as it is; none is ever downloaded."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"{name} is not installed"
    return Path(path).read_bytes()


def parsed(name: str) -> Dataset:
    """The same, as pydicom reads it."""
    return dcmread(io.BytesIO(real(name)))


def frame_of(data: bytes, frame: int | None = None, bounds: Bounds | None = None) -> Frame:
    """What `dicom.read_frame` gives."""
    return dicom.read_frame(io.BytesIO(data), frame, bounds or Bounds())


def grey_of(data: bytes, frame: int | None = None) -> Grey:
    """The grey values of a file that has some."""
    pixels = frame_of(data, frame).pixels
    assert isinstance(pixels, Grey)
    return pixels


def colours_of(data: bytes, frame: int | None = None) -> NDArray[np.uint8]:
    """The picture of a file in colour, shape (rows, columns, 3)."""
    pixels = frame_of(data, frame).pixels
    assert isinstance(pixels, Image.Image)
    assert pixels.mode == "RGB"
    return np.asarray(pixels)


def shades_of(data: bytes, frame: int | None = None, view: View = WHOLE) -> NDArray[np.uint8]:
    """A grey file as it is shown."""
    image, _, _ = shade(grey_of(data, frame), view)
    return np.asarray(image)


def made(values: NDArray[Any], syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """A grey image of these values, rows and columns, with these elements besides; None takes one away."""
    bits = 8 * values.itemsize
    header: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "Modality": "OT",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "BitsAllocated": bits,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
    }
    return saved(header | elements | {"PixelData": values.tobytes()}, syntax)


def colour_made(values: NDArray[Any], syntax: UID = ExplicitVRLittleEndian, **elements: Any) -> bytes:
    """As `made`, of values of shape (rows, columns, 3)."""
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    return made(values, syntax, **(colour | elements))


def compressed(frames: list[bytes], syntax: UID = JPEG2000Lossless, **elements: Any) -> bytes:
    """An image of these frames, whatever they hold, under a header for 8-bit grey of 16 x 16 unless told otherwise."""
    header = dataset_of(made(np.zeros((16, 16), np.uint8), **elements))
    header.file_meta.TransferSyntaxUID = syntax
    header.PixelData = encapsulate(frames)
    header["PixelData"].VR, header["PixelData"].is_undefined_length = "OB", True
    return bytes_of(header)


def saved(elements: dict[str, Any], syntax: UID = ExplicitVRLittleEndian) -> bytes:
    """A DICOM file of these elements; those that are None are left out. Bytes are written as they are."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, UID("1.2.3")
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    for keyword, value in elements.items():
        if value is not None:
            setattr(dataset, keyword, value)
    file = io.BytesIO()
    order = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
    dcmwrite(file, dataset, **order, force_encoding=True, enforce_file_format=False)
    return file.getvalue()


def dataset_of(data: bytes) -> FileDataset:
    """A file, to be changed and written again."""
    return dcmread(io.BytesIO(data))


def bytes_of(dataset: Dataset) -> bytes:
    """A file, as it is written."""
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=False)
    return file.getvalue()


def changed(data: bytes, **elements: Any) -> bytes:
    """A file with other elements; None takes one away."""
    dataset = dataset_of(data)
    for keyword, value in elements.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return bytes_of(dataset)


def explicit(elements: dict[str, bytes], syntax: bytes = b"1.2.840.10008.1.2.1") -> bytes:
    """A DICOM file of raw values, which pydicom might not want to write; explicit VR, little endian."""
    meta = element(0x00020010, "UI", syntax + bytes(len(syntax) % 2))
    body = [element(tag, dictionary_VR(tag).split(" ")[-1], value) for tag, value in sorted(by_tag(elements))]
    return bytes(128) + b"DICM" + meta + b"".join(body)


def by_tag(elements: dict[str, bytes]) -> list[tuple[int, bytes]]:
    """Keywords to tags."""
    tags = [(tag_for_keyword(keyword), value + b" " * (len(value) % 2)) for keyword, value in elements.items()]
    return [(tag, value) for tag, value in tags if tag is not None]


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    """One element; its length may lie."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    size = len(value) if length is None else length
    long = vr in ("OB", "OW", "SQ", "UN", "UT", "UC", "UR", "OF", "OD")
    return head + (struct.pack("<HL", 0, size) if long else struct.pack("<H", size)) + value


PIXELS = {
    "SamplesPerPixel": b"\x01\x00",
    "PhotometricInterpretation": b"MONOCHROME2",
    "Rows": b"\x10\x00",
    "Columns": b"\x10\x00",
    "BitsAllocated": b"\x08\x00",
    "BitsStored": b"\x08\x00",
    "HighBit": b"\x07\x00",
    "PixelRepresentation": b"\x00\x00",
    "PixelData": bytes(range(256)),
}
"""A ramp of 16 x 16, as raw elements."""
