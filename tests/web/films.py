"""Pictures as a clinician has them, as files: a scan that the demo knows, DICOM, a series, and what is no picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom import dcmread

from tests.server.images.dicom.dicom_samples import real
from tests.web.browser import ROOT

SCAN = ROOT / "docs" / "images" / "ct.png"
"""The README's: the demo tells that it is a CT."""

CT, MANY_FRAMES = "CT_small.dcm", "emri_small.dcm"
"""pydicom's: a slice of 16 bits in Hounsfield units; ten frames of MR."""

NUM_FRAMES = 10

SERIES = "1.2.826.0.1.3680043.8.498.1"


def dicom(folder: Path, name: str = CT) -> Path:
    """One of pydicom's files, under its own name."""
    file = folder / name
    file.write_bytes(real(name))
    return file


def series(folder: Path, num_slices: int) -> Path:
    """A folder with a CT series whose files' names are in no order; slice N is the N-th from the feet."""
    target = folder / "series"
    target.mkdir()
    for number in range(1, num_slices + 1):
        slice_ = dcmread(io.BytesIO(real(CT)))
        slice_.SeriesInstanceUID = SERIES
        slice_.SOPInstanceUID = f"{SERIES}.{number}"
        slice_.file_meta.MediaStorageSOPInstanceUID = slice_.SOPInstanceUID
        slice_.InstanceNumber = number
        slice_.ImagePositionPatient = [0, 0, 5 * number]
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.save_as(target / f"IM{(number * 7) % 10}{number}")
    return target


def pictures(folder: Path, count: int) -> list[Path]:
    """Small colour pictures, each another one."""
    return [_picture(folder / f"picture-{number}.png", number) for number in range(1, count + 1)]


def _picture(file: Path, number: int) -> Path:
    noise = np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(file)
    return file


def letter(folder: Path) -> Path:
    """A PDF by its first bytes: a format that is known and not read."""
    file = folder / "letter.pdf"
    file.write_bytes(b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n" + bytes(200))
    return file


def wide(folder: Path) -> Path:
    """A picture of more pixels than are taken, in few bytes."""
    file = folder / "wide.png"
    Image.new("1", (8000, 6000)).save(file)
    return file
