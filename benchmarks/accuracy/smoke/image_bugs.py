"""The bugs of the image workers: their own functions, wrapped to go wrong while a bug is on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

from benchmarks.accuracy.smoke.bug import Switch, plant
from huatuo_server.families import PicturePolicy
from huatuo_server.images import look
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom import reader as dicom
from huatuo_server.images.dicom.codecs import Samples
from huatuo_server.images.dicom.functional_groups import FunctionalGroups
from huatuo_server.images.dicom.values import grey
from huatuo_server.images.frame import Frame, Grey
from huatuo_server.images.plain import reader as plain
from huatuo_server.images.prepare import prepare

Prepare = Callable[[Image.Image, PicturePolicy], NDArray[np.uint8]]
GreyOf = Callable[[Samples, Dataset, FunctionalGroups], Grey]
ReadFrame = Callable[[BinaryIO, int | None, Bounds], Frame]


def plant_all(switch: Switch) -> None:
    """In this process."""
    plant(look, "prepare", cropping(prepare, switch))
    plant(dicom, "grey", not_inverting(grey, switch))
    plant(plain, "read_frame", clipping(plain.read_frame, switch))


def cropping(prepare: Prepare, switch: Switch) -> Prepare:
    """Of a picture that is no square, the middle alone is left."""

    def planted(image: Image.Image, policy: PicturePolicy) -> NDArray[np.uint8]:
        return prepare(_middle(image) if switch.bug == "centre crop" else image, policy)

    return planted


def not_inverting(grey: GreyOf, switch: Switch) -> GreyOf:
    """A film whose smallest value is white is shown as a negative."""

    def planted(samples: Samples, dataset: Dataset, groups: FunctionalGroups) -> Grey:
        shown = grey(samples, dataset, groups)
        return replace(shown, inverted=False) if switch.bug == "MONOCHROME1 not inverted" else shown

    return planted


def clipping(read_frame: ReadFrame, switch: Switch) -> ReadFrame:
    """Whatever is above 255 is white."""

    def planted(file: BinaryIO, frame: int | None, bounds: Bounds) -> Frame:
        read = read_frame(file, frame, bounds)
        if switch.bug == "16 bits clipped" and isinstance(read.pixels, Grey):
            clipped = np.clip(read.pixels.values, 0, 255).astype(np.uint8)
            return replace(read, pixels=Image.fromarray(clipped))
        return read

    return planted


def _middle(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))
