"""What was done to an image on its way to the model, as the answer tells it. Never anything about the patient."""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

WindowSource = Literal["request", "preset", "header", "default", "percentiles"]


class WindowFacts(TypedDict):
    """The window that was applied, in the image's own values, and who named it.

    source: `default` is the one of the modality (CT), `percentiles` the 0.5th to the 99.5th of the picture's values.
    """

    center: float
    width: float
    source: WindowSource


class Padding(TypedDict):
    """Pixels of the original's scale that were added to make a square."""

    left: int
    top: int
    right: int
    bottom: int


class FrameFacts(TypedDict):
    """What the file was, and what one frame of it became before it was made a picture for the model.

    format: as its bytes tell (PNG, JPEG, WEBP, BMP, TIFF, GIF, DICOM). width, height: of the upright original, pixels.
    bit_depth: bits a sample that the file stores. transfer_syntax, modality: DICOM only; modality is one of the
    standard's defined terms or "other". frame: counted from 1; frames: how many there are. window: None where 8-bit
    values were taken as they are, or a lookup table of the file's was used. orientation: what was done to turn it
    upright, None for nothing. warnings: sentences for a person.
    """

    format: str
    width: int
    height: int
    bit_depth: int
    transfer_syntax: str | None
    modality: str | None
    frame: int
    frames: int
    window: WindowFacts | None
    orientation: str | None
    warnings: list[str]


class ImageProvenance(FrameFacts):
    """A frame's facts, and how it was cut and scaled.

    sha256: of the file, hex. region: as asked, None for all of it. padding: None where none was added. downscaling: how
    many pixels of the original one of the result stands for, along a side; below 1 where it was enlarged. tokens: of
    the prompt, None where nothing was sent to the model. values: only for `gray16`, see `StoredValues`.
    """

    sha256: str
    region: list[int] | None
    padding: Padding | None
    downscaling: float
    tokens: int | None
    values: NotRequired[StoredValues]


class StoredValues(TypedDict):
    """How the numbers of a `gray16` picture are read: value = number * slope + intercept.

    units: "HU" for Hounsfield units, else None. inverted: whether the smallest value is to be shown white. function: by
    which of DICOM's functions a request's window is applied. padding: the least and the greatest of the values that
    mean nothing and are shown black, None where there are none.
    """

    slope: float
    intercept: float
    units: str | None
    inverted: bool
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
    padding: list[float] | None
