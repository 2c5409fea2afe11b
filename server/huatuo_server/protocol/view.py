"""How an image is to be looked at: which frame, through which window, which part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Window:
    """The grey values that are told apart: those below become black, those above white.

    center, width: in the image's own values (Hounsfield units for CT, 0 to 255 for an 8-bit picture).
    """

    center: float
    width: float


PRESETS: Final[Mapping[str, Window]] = {
    "soft-tissue": Window(40, 400),
    "lung": Window(-600, 1500),
    "liver": Window(90, 150),
    "bone": Window(480, 2500),
    "brain": Window(40, 80),
}
"""CT windows in Hounsfield units, as the OHIF viewer names and sets them."""


@dataclass(frozen=True, slots=True)
class View:
    """What a request asks to see of one image; None: the image decides.

    frame: of a multi-frame image or a TIFF's pages, counted from 1. preset: a name of PRESETS; never beside a window.
    region: left, top, right, bottom in pixels of the upright original, right and bottom exclusive.
    """

    frame: int | None = None
    window: Window | None = None
    preset: str | None = None
    region: tuple[int, int, int, int] | None = None


Form = Literal["png", "gray16"]
"""Of a rendering: `png` is the windowed picture, `gray16` the values before any window."""

WHOLE: Final = View()
"""Nothing was asked: the default view."""
