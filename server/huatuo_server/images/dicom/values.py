"""Stored values -> grey values in the image's units, and the window that the header asks for.

The modality LUT or rescaling (PS3.3 C.11.1), padding (C.7.5.1.1.2) and the VOI LUT or window (C.11.2).
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from huatuo_server.errors import InvalidImage
from huatuo_server.images.bands import bands
from huatuo_server.images.dicom.codecs import Samples
from huatuo_server.images.dicom.elements import has, item, numbers, shorts, text, texts
from huatuo_server.images.dicom.functional_groups import FunctionalGroups
from huatuo_server.images.dicom.lut import lut
from huatuo_server.images.frame import Grey, VoiLut, WindowFunction
from huatuo_server.protocol.view import Window

CT_WINDOW: Final = Window(40, 400)
"""Soft tissue, in Hounsfield units: how a CT without a window is first shown."""

FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")

LARGEST: Final = 1e30
"""Of a rescaled value; 32-bit floats end at 3e38."""


def grey(samples: Samples, dataset: Dataset, groups: FunctionalGroups) -> Grey:
    """The values, and how the header wants them seen. Raises InvalidImage, or ValueError for numbers that are none."""
    transformation, voi = groups.macro("PixelValueTransformationSequence"), groups.macro("FrameVOILUTSequence")
    stored = samples.values * np.uint8(255) if samples.bits == 1 else samples.values
    values = _in_units(stored, transformation)
    shown = Grey(
        values,
        inverted=samples.photometric == "MONOCHROME1" or text(dataset, "PresentationLUTShape") == "INVERSE",
        window=_window(voi),
        function=_function(voi, stored),
        padding=_padding(stored, dataset),
        hounsfield=_is_hounsfield(dataset, transformation),
        as_is=samples.bits in (1, 8) and values is stored and stored.dtype.kind == "u",
    )
    if (sequence_item := item(voi, "VOILUTSequence")) is not None:
        shown.voi_lut = _voi_lut(sequence_item, values)
    elif shown.window is None and shown.hounsfield and text(dataset, "Modality") == "CT":
        shown.window, shown.window_source = CT_WINDOW, "default"
    return shown


def rescaled(stored: NDArray[Any], slope: float, intercept: float) -> NDArray[Any]:
    """stored * slope + intercept; whole numbers in the narrowest type that holds them all, so that none can wrap.

    Others are 32-bit floats where the stored ones have at most 16 bits, which those hold exactly. Raises InvalidImage.
    """
    ends = [float(end) * slope + intercept for end in (stored.min(), stored.max()) if math.isfinite(end)]
    if not all(abs(end) < LARGEST for end in ends):
        raise InvalidImage("The DICOM header's rescaling makes values that are beyond all bounds.")
    is_whole = stored.dtype.kind != "f" and slope.is_integer() and intercept.is_integer()
    dtype = _narrowest(ends) if is_whole else np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)
    factor, offset = (int(slope), int(intercept)) if dtype.kind != "f" else (slope, intercept)
    values = np.empty(stored.shape, dtype)
    for rows in bands(stored.shape):
        values[rows] = stored[rows].astype(np.int64 if dtype.kind != "f" else np.float64) * factor + offset
    return values


def _narrowest(ends: list[float]) -> np.dtype[Any]:
    types = (np.dtype(name) for name in ("int16", "uint16", "int32"))
    fits = (dtype for dtype in types if np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max)
    return next(fits, np.dtype(np.float64))


def _in_units(stored: NDArray[Any], transformation: Dataset) -> NDArray[Any]:
    """After the Modality LUT Sequence, or the rescaling; a slope of zero, which writers leave, rescales nothing."""
    sequence_item = item(transformation, "ModalityLUTSequence")
    if sequence_item is not None:
        return lut(sequence_item, is_signed=stored.dtype.kind == "i")(stored)
    slope, intercept = _rescaling(transformation)
    return stored if slope == 0 or (slope, intercept) == (1, 0) else rescaled(stored, slope, intercept)


def _rescaling(transformation: Dataset) -> tuple[float, float]:
    slope, intercept = (numbers(transformation, f"Rescale{name}") for name in ("Slope", "Intercept"))
    return (slope or [1.0])[0], (intercept or [0.0])[0]


def _is_hounsfield(dataset: Dataset, transformation: Dataset) -> bool:
    """By the type that the rescaling names; where it names none, a CT is, unless it is a localizer (C.8.2.1)."""
    if not has(transformation, "RescaleSlope") or _rescaling(transformation)[0] == 0:
        return False
    if kind := text(transformation, "RescaleType"):
        return kind == "HU"
    return text(dataset, "Modality") == "CT" and "LOCALIZER" not in texts(dataset, "ImageType")


def _padding(stored: NDArray[Any], dataset: Dataset) -> NDArray[np.bool_] | None:
    """Where the stored values are the padding value, or between it and the range's limit."""
    ends = [*shorts(dataset, "PixelPaddingValue")[:1], *shorts(dataset, "PixelPaddingRangeLimit")[:1]]
    if not has(dataset, "PixelPaddingValue") or stored.dtype.kind == "f":
        return None
    limits = np.array(ends, np.uint16).view(np.int16 if stored.dtype.kind == "i" else np.uint16)
    padding = stored >= limits.min()
    padding &= stored <= limits.max()
    return padding if padding.any() else None


def _window(voi: Dataset) -> Window | None:
    """The first of the header's windows; one of no numbers, which is told to be invalid, where it cannot be read."""
    if not has(voi, "WindowCenter") and not has(voi, "WindowWidth"):
        return None
    try:
        return Window(numbers(voi, "WindowCenter")[0], numbers(voi, "WindowWidth")[0])
    except (ValueError, IndexError):
        return Window(math.nan, math.nan)


def _function(voi: Dataset, stored: NDArray[Any]) -> WindowFunction:
    """As the header says. LINEAR does not do for floats, or for a window narrower than 1 (C.11.2.1.2.1)."""
    named = cast(WindowFunction, text(voi, "VOILUTFunction"))
    function = named if named in FUNCTIONS else "LINEAR"
    window = _window(voi)
    is_narrow = window is not None and 0 < window.width < 1
    return "LINEAR_EXACT" if function == "LINEAR" and (stored.dtype.kind == "f" or is_narrow) else function


def _voi_lut(sequence_item: Dataset, values: NDArray[Any]) -> VoiLut:
    """Its shades are mapped from the range that its entries' bits have, never from that of its entries."""
    table = lut(sequence_item, is_signed=bool(values.min() < 0))
    return VoiLut(table.first_value, np.rint(table.table * (255 / ((1 << table.bits) - 1))).astype(np.uint8))
