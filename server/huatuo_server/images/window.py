"""Greyscale values -> shades of 8 bits, through a window, a lookup table or percentiles. DICOM PS3.3 C.11.2.1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.errors import InvalidRequest
from huatuo_server.images.bands import bands
from huatuo_server.images.frame import Grey, VoiLut, WindowFunction
from huatuo_server.images.percentiles import percentiles
from huatuo_server.protocol.provenance import WindowFacts, WindowSource
from huatuo_server.protocol.view import PRESETS, View, Window

PERCENTILES: Final = (0.5, 99.5)
"""Where a film that names no window is cut: the outer half percents are markers, collimators and noise."""

MID_GREY: Final = 128

_unworried = np.errstate(over="ignore", divide="ignore", invalid="ignore")
"""Infinities are as bright or dark as can be, and NaN is black: what arithmetic makes of them needs no warning."""

Shades = Callable[[NDArray[Any]], NDArray[np.uint8]]
"""Values of any shape -> what is shown for them."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How the values are seen. window: None where there is none, or no values to find one by."""

    shades: Shades
    window: WindowFacts | None = None
    warnings: tuple[str, ...] = ()


def shade(grey: Grey, view: View, shown: Grey | None = None) -> tuple[Image.Image, WindowFacts | None, list[str]]:
    """A picture of mode L, the window that was used, and sentences for a person.

    The first of these that there is decides: the request's window, its preset, the file's lookup table, its window (or
    its modality's), 8-bit values as they are, percentiles. Shades are rounded to the nearest, halves to the even one.
    Padding and NaN are black. Where the percentiles are the same, the range of all values is taken; where that is none,
    all is mid-grey. shown: a part or a smaller version of `grey`, which is seen instead as all of it would be.

    Raises InvalidRequest (param `view.window` or `view.preset`).
    """
    look = _asked_for(grey, view) or _of_the_file(grey) or _by_percentiles(grey)
    return Image.fromarray(_shown(shown or grey, look.shades)), look.window, list(look.warnings)


def shade_picture(image: Image.Image, window: Window) -> Image.Image:
    """An 8-bit picture of mode RGB or L through a window, each channel alike, by LINEAR_EXACT.

    Raises InvalidRequest (param `view.window`).
    """
    _check(window, "LINEAR_EXACT")
    return image.point(linear_exact(np.arange(256), window).tolist() * len(image.getbands()))


@_unworried
def linear(values: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.2.1, DICOM's default: a width of w covers w whole values, and is at least 1."""
    # A width of 1 divides by 0, as it should: infinitely dark, infinitely bright, and NaN, dark, in the middle.
    return _shades((values.astype(np.float64) - (window.center - 0.5)) / (window.width - 1) + 0.5)


@_unworried
def linear_exact(values: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.3.2: from center - width / 2 to center + width / 2. The width is above 0."""
    return _shades((values.astype(np.float64) - window.center) / window.width + 0.5)


@_unworried
def sigmoid(values: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.3.1: an S-curve that is steepest at the center. The width is above 0."""
    return _shades(1 / (1 + np.exp(-4 * ((values.astype(np.float64) - window.center) / window.width))))


_FUNCTIONS: Final[dict[WindowFunction, Callable[[NDArray[Any], Window], NDArray[np.uint8]]]] = {
    "LINEAR": linear,
    "LINEAR_EXACT": linear_exact,
    "SIGMOID": sigmoid,
}


def _shades(part: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Parts of white, clipped to 0..1 (NaN to 0) -> 0..255."""
    part *= 255
    np.minimum(np.fmax(part, 0, out=part), 255, out=part)
    return np.rint(part, out=part).astype(np.uint8)


def _asked_for(grey: Grey, view: View) -> _Look | None:
    if view.window is not None:
        _check(view.window, grey.function)
        return _windowed(view.window, "request", grey.function)
    if view.preset is None:
        return None
    if not grey.hounsfield:
        raise InvalidRequest(
            "Presets are in Hounsfield units, which this image is not in: give a window instead.", param="view.preset"
        )
    return _windowed(PRESETS[view.preset], "preset", grey.function)


def _of_the_file(grey: Grey) -> _Look | None:
    if grey.voi_lut is not None:
        return _Look(partial(_looked_up, lut=grey.voi_lut), warnings=("The file's own lookup table is applied.",))
    if grey.window is not None and _is_valid(grey.window, grey.function):
        warnings = ("No window in the header: the default of its modality is shown.",)
        return _windowed(
            grey.window, grey.window_source, grey.function, warnings if grey.window_source == "default" else ()
        )
    return _Look(_as_they_are) if grey.as_is else None


def _by_percentiles(grey: Grey) -> _Look:
    found = percentiles(grey.values, grey.padding, PERCENTILES)
    if found is None:
        return _Look(_mid_grey, warnings=("The image holds no values that could be shown.",))
    shown = "the 0.5th to 99.5th percentile is shown"
    if found[0] == found[1]:
        found = percentiles(grey.values, grey.padding, (0, 100)) or found
        shown = "nearly all values are the same, and the range of all is shown"
    # Halved first: the sum of two large numbers may be infinite.
    window = Window(found[0] / 2 + found[1] / 2, found[1] - found[0])
    if not _is_valid(window, "LINEAR_EXACT"):
        facts = WindowFacts(center=window.center if math.isfinite(window.center) else 0, width=0, source="percentiles")
        return _Look(_mid_grey, facts, ("All values are the same: the image is shown mid-grey.",))
    missing = "No window in the header" if grey.window is None else "The window in the header is not a valid one"
    return _windowed(window, "percentiles", "LINEAR_EXACT", (f"{missing}: {shown}.",))


def _windowed(window: Window, source: WindowSource, function: WindowFunction, warnings: tuple[str, ...] = ()) -> _Look:
    facts = WindowFacts(center=window.center, width=window.width, source=source)
    return _Look(lambda values: _FUNCTIONS[function](values, window), facts, warnings)


def _looked_up(values: NDArray[Any], lut: VoiLut) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.1: values below the table's first get its first shade, those above its last the last."""
    places = np.nan_to_num(np.rint(values.astype(np.float64) - lut.first_value))
    shades: NDArray[np.uint8] = lut.shades[np.clip(places, 0, len(lut.shades) - 1).astype(np.intp)]
    return shades


def _as_they_are(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(values, 0, 255).astype(np.uint8)


def _mid_grey(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.full(values.shape, MID_GREY, np.uint8)


def _check(window: Window, function: WindowFunction) -> None:
    if not _is_valid(window, function):
        raise InvalidRequest(
            "A window needs a finite center and a width above 0, or of at least 1 where a DICOM file's window function"
            " is LINEAR.",
            param="view.window",
        )


def _is_valid(window: Window, function: WindowFunction) -> bool:
    wide_enough = window.width >= 1 if function == "LINEAR" else window.width > 0
    return wide_enough and math.isfinite(window.center) and math.isfinite(window.width)


def _shown(grey: Grey, shades: Shades) -> NDArray[np.uint8]:
    """Every value's shade, turned round where the smallest is white; padding and NaN black."""
    table = _table(grey.values.dtype, shades)
    shown = np.empty(grey.values.shape, np.uint8)
    for rows in bands(shown.shape):
        part, seen = grey.values[rows], shown[rows]
        seen[:] = shades(part) if table is None else table[part.view(_unsigned(part.dtype))]
        if grey.inverted and shades is not _mid_grey:
            np.subtract(255, seen, out=seen)
        if part.dtype.kind == "f":
            seen[np.isnan(part)] = 0
        if grey.padding is not None:
            seen[grey.padding[rows]] = 0
    return shown


def _table(dtype: np.dtype[Any], shades: Shades) -> NDArray[np.uint8] | None:
    """The shade of every value that there can be, at the place of its bits; None for floats and above 16 bits.

    Looking up takes a third of the time of working out.
    """
    if dtype.kind not in "iu" or dtype.itemsize > 2 or not dtype.isnative:
        return None
    unsigned = _unsigned(dtype)
    return shades(np.arange(256**dtype.itemsize).astype(unsigned).view(dtype))


def _unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"u{dtype.itemsize}")
