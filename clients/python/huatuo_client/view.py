"""How an image is to be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Preset = Literal["soft-tissue", "lung", "liver", "bone", "brain"]


@dataclass(frozen=True, slots=True)
class View:
    """What is to be seen of an image; None: the image decides.

    frame: of a multi-frame image, counted from 1. window: center and width in the image's own values, Hounsfield units
    for CT. preset: a CT window by name; never beside a window. region: left, top, right, bottom in pixels of the
    upright original, right and bottom exclusive.
    """

    frame: int | None = None
    window: tuple[float, float] | None = None
    preset: Preset | None = None
    region: tuple[int, int, int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """As it goes out: only what is set."""
        found: dict[str, Any] = {"frame": self.frame, "preset": self.preset}
        if self.window is not None:
            found["window"] = {"center": self.window[0], "width": self.window[1]}
        if self.region is not None:
            found["region"] = list(self.region)
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def of_json(cls, value: Any) -> View:
        """As it is written in a file. Raises ValueError, with the reason, for what is no view."""
        if not isinstance(value, dict):
            raise ValueError("a view is a JSON object")
        unknown = sorted(set(value) - {"frame", "window", "preset", "region"})
        if unknown:
            raise ValueError(f"a view has no {unknown[0]!r}; it has frame, window, preset, region")
        window, region = value.get("window"), value.get("region")
        try:
            return cls(
                frame=value.get("frame"),
                window=None if window is None else (float(window["center"]), float(window["width"])),
                preset=value.get("preset"),
                region=None if region is None else _four(region),
            )
        except (KeyError, OverflowError, TypeError, ValueError):
            raise ValueError("a view's window has center and width, its region four whole numbers") from None


def _four(region: Any) -> tuple[int, int, int, int]:
    left, top, right, bottom = region
    return int(left), int(top), int(right), int(bottom)
