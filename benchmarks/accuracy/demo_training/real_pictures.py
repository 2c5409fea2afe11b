"""Real medical pictures that installed packages bring along: read on this machine, nothing is downloaded.

They are test data of pydicom and pydicom-data (MIT), nibabel (MIT), matplotlib (its own licence) and scikit-image
(retina: CC0; histology: no known restriction); what each package knows of their origin is in its notes on its data.
The files `693_*` of pydicom-data are left out, as their data is probably not for commercial use. So is what is no
typical picture of its kind: test patterns, segmentations, perfusion maps, phantoms, frames that are nearly empty.

Every picture comes through the server's own path, so that the model is trained on what the server shows it.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

import nibabel
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file

from huatuo_server.families import PicturePolicy
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.job import Render
from huatuo_server.images.look import render
from huatuo_server.protocol.view import WHOLE, View

Modality = Literal["CT", "MR", "X-ray", "retina", "histology", "ultrasound"]


@dataclass(frozen=True, slots=True)
class RealPicture:
    """source: package, file and, where it gives more than one picture, which: `pydicom-data: file.dcm frame 3`.

    pixels: uint8, shape (height, width, 3), the whole film, slice or frame at its own size.
    """

    modality: Modality
    source: str
    pixels: NDArray[np.uint8]

    @property
    def file(self) -> str:
        """The source without frame, slice, preset or half: package and file; pictures of one file show one patient."""
        return " ".join(self.source.split()[:2])


@dataclass(frozen=True, slots=True)
class _Dicom:
    """A file of pydicom's or pydicom-data's, and the views of it that are taken."""

    modality: Modality
    name: str
    views: tuple[View, ...] = (WHOLE,)
    is_held_out: bool = False


def _frames(*numbers: int) -> tuple[View, ...]:
    return tuple(View(frame=number) for number in numbers)


_CT_WINDOWS: Final = (WHOLE, View(preset="bone"))

_DICOM: Final = (
    _Dicom("CT", "CT_small.dcm", _CT_WINDOWS),  # spine
    _Dicom("CT", "J2K_pixelrep_mismatch.dcm", (*_CT_WINDOWS, View(preset="soft-tissue"))),  # head
    _Dicom("CT", "bad_sequence.dcm", _CT_WINDOWS),  # spine
    _Dicom("CT", "explicit_VR-UN.dcm", _CT_WINDOWS, is_held_out=True),  # abdomen
    _Dicom("MR", "MR_small.dcm"),  # part of a joint
    _Dicom("MR", "MR2_UNCI.dcm"),  # shoulder
    _Dicom("MR", "emri_small.dcm", _frames(1, 5, 10)),  # part of a head
    _Dicom("MR", "MR-SIEMENS-DICOM-WithOverlays.dcm", is_held_out=True),  # abdomen
    _Dicom("X-ray", "RG1_UNCI.dcm"),  # chest
    _Dicom("X-ray", "RG3_UNCI.dcm"),  # lower leg
    _Dicom("ultrasound", "color3d_jpeg_baseline.dcm", _frames(*range(1, 121, 17))),  # heart
    _Dicom("ultrasound", "color-pl.dcm"),  # heart, with Doppler
    _Dicom("ultrasound", "US1_UNCI.dcm"),  # lymph node, with Doppler
    _Dicom("ultrasound", "gdcm-US-ALOKA-16.dcm", is_held_out=True),  # pelvis
    _Dicom("ultrasound", "JPGLosslessP14SV1_1s_1f_8b.dcm", is_held_out=True),  # heart
)

_BRAIN: Final = "example4d.nii.gz"
_BRAIN_SLICES: Final = range(5, 22)
"""Of nibabel, without the lowest and the highest of 24 slices, which show little brain; counted from 1."""

_HEAD: Final = "s1045.ima.gz"
_HEAD_SHAPE: Final = (256, 256)
"""Of matplotlib: rows of big-endian 16-bit values, as its example of an MR picture reads them."""

_PHOTOGRAPHS: Final[tuple[tuple[Modality, str], ...]] = (("retina", "retina.jpg"), ("histology", "ihc.png"))
"""Of scikit-image."""

_IN_HALVES: Final = frozenset({"retina", "histology", "X-ray"})
"""Of these there are one or two pictures, too few to hold a whole one out."""

_HELD_OUT: Final = frozenset(file.name for file in _DICOM if file.is_held_out)


def real_pictures() -> list[RealPicture]:
    """All of them, each modality several times; the same list in the same order each time.

    Raises FileNotFoundError for a file that the installed packages do not have.
    """
    return [*_dicom_pictures(), *_brain_slices(), _head(), *_photographs()]


def split(pictures: list[RealPicture]) -> tuple[list[RealPicture], list[RealPicture]]:
    """Pictures to train on, and pictures held out: of all modalities, where all pictures are given.

    By file, no two of which name the same patient. Of retina, histology and X-ray there are one or two pictures: the
    left half of each is trained on and the right half held out, so that no pixel is in both, though the patient is;
    their `source` ends with the half's name.
    """
    training: list[RealPicture] = []
    held_out: list[RealPicture] = []
    for picture in pictures:
        if picture.modality in _IN_HALVES:
            left, right = _halves(picture)
            training.append(left)
            held_out.append(right)
        else:
            (held_out if picture.file.split()[1] in _HELD_OUT else training).append(picture)
    return training, held_out


def _halves(picture: RealPicture) -> tuple[RealPicture, RealPicture]:
    middle = picture.pixels.shape[1] // 2
    return (
        replace(picture, source=f"{picture.source} left half", pixels=picture.pixels[:, :middle]),
        replace(picture, source=f"{picture.source} right half", pixels=picture.pixels[:, middle:]),
    )


def _dicom_pictures() -> Iterator[RealPicture]:
    for file in _DICOM:
        path = get_testdata_file(file.name, download=False)
        if not isinstance(path, str):
            raise FileNotFoundError(f"{file.name}: neither pydicom nor an installed pydicom-data has it")
        package = "pydicom-data" if "data_store" in Path(path).parts else "pydicom"
        content = Path(path).read_bytes()
        for view in file.views:
            yield _picture(file.modality, f"{package}: {file.name}{_named(view)}", content, view)


def _named(view: View) -> str:
    if view.frame is not None:
        return f" frame {view.frame}"
    return "" if view.preset is None else f" preset {view.preset}"


def _brain_slices() -> Iterator[RealPicture]:
    volume = nibabel.load(_folder("nibabel") / "tests" / "data" / _BRAIN)
    assert isinstance(volume, nibabel.Nifti1Image)
    first = np.asarray(volume.dataobj)[..., 0]
    for number in _BRAIN_SLICES:
        # This file's axes run to the left, to the front and up. Radiologists look from the feet, with the front above.
        axial = first[:, ::-1, number - 1].T
        yield _picture("MR", f"nibabel: {_BRAIN} slice {number}", _png(axial))


def _head() -> RealPicture:
    content = gzip.decompress((_folder("matplotlib") / "mpl-data" / "sample_data" / _HEAD).read_bytes())
    return _picture("MR", f"matplotlib: {_HEAD}", _png(np.frombuffer(content, ">u2").reshape(_HEAD_SHAPE)))


def _photographs() -> Iterator[RealPicture]:
    for modality, name in _PHOTOGRAPHS:
        yield _picture(modality, f"scikit-image: {name}", (_folder("skimage") / "data" / name).read_bytes())


def _picture(modality: Modality, source: str, content: bytes, view: View = WHOLE) -> RealPicture:
    """A file as the server renders it, at its own size."""
    bounds = Bounds()
    rendered = render(io.BytesIO(content), Render(view, bounds, PicturePolicy(), bounds.max_side, "png"))
    with Image.open(io.BytesIO(rendered.payload)) as image:
        return RealPicture(modality, source, np.asarray(image.convert("RGB")))


def _png(values: NDArray[np.integer]) -> bytes:
    """Values from 0 to 65535 as a file that the server reads; it windows such files by percentiles."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values, np.uint16)).save(file, "PNG")
    return file.getvalue()


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{package} is not installed")
    return Path(spec.origin).parent
