"""gray16: the values before any window, in 16 bits, and how to read them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.errors import ImageRefused
from huatuo_server.images.frame import Grey
from huatuo_server.images.grey16 import grey16


def read_back(values: NDArray[Any], **facts: Any) -> NDArray[np.float64]:
    """The values as a page would compute them."""
    image, told = grey16(Grey(values, **facts), None)
    assert image.mode == "I;16"
    return np.asarray(image) * told["slope"] + told["intercept"]


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0, 65535], [7, 300]], np.uint16),
        np.array([[-1024, 3071]], np.int16),
        np.array([[-40000, 25535]], np.int32),
        np.array([[1_000_000, 1_065_535]], np.int64),
        np.array([[0, 255]], np.uint8),
        np.array([[5, 5]], np.int16),
        np.array([[-32768, 32767]], np.int16),
    ],
    ids=lambda values: f"{values.dtype} from {values.min()}",
)
def test_whole_numbers_that_fit_come_back_exactly(values: NDArray[Any]) -> None:
    """Shifted where they must be, never scaled."""
    assert np.array_equal(read_back(values), values)


def test_what_does_not_fit_is_scaled_to_all_of_the_16_bits() -> None:
    """Of a range of 655,350 a step is 10, and no value is off by more than half of it."""
    values = np.array([[0, 123_456, 655_350]], np.int32)

    assert np.abs(read_back(values) - values).max() <= 5


def test_floats_keep_their_ends_and_nan_is_the_lowest() -> None:
    """Infinities are cut to the range of the finite values."""
    values = np.array([[-1.5, 0.25, np.nan, np.inf, -np.inf, 2.5]], np.float32)

    found = read_back(values)[0]

    assert found[[0, 2, 4]].tolist() == [-1.5, -1.5, -1.5]
    assert found[[3, 5]].tolist() == [2.5, 2.5]
    assert abs(found[1] - 0.25) < 4 / 65535


def test_nothing_but_nan_is_nothing() -> None:
    """A picture without a number is all zeros."""
    assert read_back(np.full((2, 2), np.nan)).tolist() == [[0, 0], [0, 0]]


def test_a_region_is_cut_before_the_range_is_taken() -> None:
    """[left, top, right, bottom], right and bottom exclusive."""
    values = np.arange(20, dtype=np.int32).reshape(4, 5) * 100_000

    image, told = grey16(Grey(values), (1, 2, 3, 3))

    assert np.asarray(image).tolist() == [[0, 65535]]
    assert told["intercept"] == 1_100_000


def test_units_and_polarity_are_told() -> None:
    """Hounsfield units by name; a MONOCHROME1 film's values stay as stored, with a word that zero is white."""
    _, told = grey16(Grey(np.zeros((1, 1)), inverted=True, hounsfield=True), None)

    assert (told["units"], told["inverted"]) == ("HU", True)


def test_grey_in_colour_is_grey_and_colour_is_refused() -> None:
    """Three equal channels are one; else a 422."""
    grey = Image.new("L", (2, 2), 77)

    image, _ = grey16(grey.convert("RGB"), None)

    assert np.asarray(image).tolist() == [[77, 77], [77, 77]]
    with pytest.raises(ImageRefused, match="png"):
        grey16(Image.new("RGB", (1, 1), (1, 2, 3)), None)
