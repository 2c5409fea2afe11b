"""What the server did to an image on its way to the model, as an answer tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

WindowSource = Literal["request", "preset", "header", "default", "percentiles"]


@dataclass(frozen=True, slots=True)
class Window:
    """The window that was applied, in the image's own values, and who named it."""

    center: float
    width: float
    source: WindowSource


@dataclass(frozen=True, slots=True)
class Padding:
    """Pixels of the original's scale that were added to make a square."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class StoredValues:
    """How the numbers of a `gray16` rendering are read: value = number * slope + intercept.

    units: "HU" for Hounsfield units, else None. inverted: whether the smallest value is to be shown white. function: by
    which of DICOM's functions a request's window is applied. padding: the least and the greatest of the values that
    mean nothing and are shown black, None where there are none.
    """

    slope: float
    intercept: float
    units: str | None
    inverted: bool
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
    padding: tuple[float, float] | None

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> StoredValues:
        """Of the server's object."""
        padding = value["padding"]
        return cls(**{**_known(cls, value), "padding": None if padding is None else tuple(padding)})


@dataclass(frozen=True, slots=True)
class ImageProvenance:
    """One image of a request, and what became of it.

    sha256: of the file, hex. width, height: of the upright original, pixels. bit_depth: bits a sample that the file
    stores. frame: counted from 1. window: None where 8-bit values were taken as they are. downscaling: how many pixels
    of the original one of the result stands for, along a side. tokens: of the prompt, None where it was not made for
    the model. warnings: sentences for a person. values: only of a `gray16` rendering.
    """

    sha256: str
    format: str
    width: int
    height: int
    bit_depth: int
    transfer_syntax: str | None
    modality: str | None
    frame: int
    frames: int
    window: Window | None
    region: tuple[int, int, int, int] | None
    orientation: str | None
    padding: Padding | None
    downscaling: float
    tokens: int | None
    warnings: tuple[str, ...]
    values: StoredValues | None = None

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> ImageProvenance:
        """Of the server's object; fields that only a newer server has are left out."""
        known = _known(cls, value)
        known["window"] = _part(Window, value.get("window"))
        known["padding"] = _part(Padding, value.get("padding"))
        known["values"] = StoredValues.of_json(value["values"]) if "values" in value else None
        known["warnings"] = tuple(value["warnings"])
        known["region"] = None if value.get("region") is None else tuple(value["region"])
        return cls(**known)


def _part(kind: type[Any], value: Mapping[str, Any] | None) -> Any:
    return None if value is None else kind(**_known(kind, value))


def _known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    return {one.name: value[one.name] for one in fields(kind) if one.name in value}
