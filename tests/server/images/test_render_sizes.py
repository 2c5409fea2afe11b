"""A render of so many pixels, and a page that windows `gray16` of as many pixels by itself: they show the same."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.families import PicturePolicy
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.frame import Grey, WindowFunction
from huatuo_server.images.grey16 import grey16, smaller
from huatuo_server.images.job import Render
from huatuo_server.images.look import render
from huatuo_server.images.window import shade, shade_picture
from huatuo_server.protocol.view import Form, View, Window
from tests.server.images.dicom.dicom_samples import made, real

SIDE = 100


def rendered(data: bytes, view: View, form: Form = "png", side: int = SIDE) -> tuple[NDArray[Any], dict[str, Any]]:
    """The picture, and what is told of it."""
    reply = render(io.BytesIO(data), Render(view, Bounds(), PicturePolicy(), side, form))
    return np.asarray(Image.open(io.BytesIO(reply.payload))), dict(reply.facts)


def by_the_page(data: bytes, view: View) -> NDArray[np.uint8]:
    """What a page makes of `gray16`, with nothing but what it is told."""
    numbers, facts = rendered(data, replace(view, window=None), "gray16")
    told = facts["values"]
    function: WindowFunction = told["function"]
    values = numbers * told["slope"] + told["intercept"]
    padding = told["padding"] and (values >= told["padding"][0]) & (values <= told["padding"][1])
    image, _, _ = shade(Grey(values, told["inverted"], function=function, padding=padding), View(window=view.window))
    return np.asarray(image)


def png(pixels: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


NOISE = np.random.default_rng(3).integers(0, 4096, (260, 190)).astype(np.uint16)


def film(**header: Any) -> bytes:
    """A film of 190 x 260 whose smallest values are white, with other elements in its header."""
    return made(NOISE, PhotometricInterpretation="MONOCHROME1", **header)


CASES: dict[str, tuple[Callable[[], bytes], View]] = {
    "a film, inverted": (lambda: real("RG1_UNCR.dcm"), View(window=Window(14000, 900))),
    "a part of it": (lambda: real("RG1_UNCR.dcm"), View(window=Window(14000, 900), region=(300, 200, 1500, 1900))),
    "a film with padding": (
        lambda: film(PixelPaddingValue=0, PixelPaddingRangeLimit=700),
        View(window=Window(2000, 1500)),
    ),
    "by another function": (lambda: film(VOILUTFunction="SIGMOID"), View(window=Window(2000, 500))),
    "CT": (lambda: real("CT_small.dcm"), View(window=Window(40, 80))),
    "a 16-bit PNG": (lambda: png(NOISE), View(window=Window(2000, 300))),
    "8 bits": (lambda: png((NOISE >> 4).astype(np.uint8)), View(window=Window(100, 20))),
}


@pytest.mark.parametrize("name", CASES)
def test_a_render_is_what_a_page_computes(name: str) -> None:
    """In every pixel, however narrow the window: both are scaled before they are windowed."""
    make, view = CASES[name]
    data = make()

    picture, _ = rendered(data, view)

    assert max(picture.shape) == SIDE
    assert len(np.unique(picture)) > 16
    assert np.array_equal(picture, by_the_page(data, view))


def test_colours_are_scaled_before_they_are_windowed() -> None:
    """Each channel alike."""
    colours = np.random.default_rng(4).integers(0, 256, (300, 200, 3)).astype(np.uint8)
    window = Window(120, 30)

    plain, _ = rendered(png(colours), View())
    picture, facts = rendered(png(colours), View(window=window))

    assert np.array_equal(picture, np.asarray(shade_picture(Image.fromarray(plain), window)))
    assert facts["downscaling"] == 3.0


def test_the_window_is_found_over_all_of_the_picture() -> None:
    """Whatever its part or its size: scaling makes outliers fewer."""
    _, whole = rendered(png(NOISE), View(), side=4096)
    _, little = rendered(png(NOISE), View(region=(0, 0, 150, 120)))

    assert little["window"] == whole["window"]
    assert little["downscaling"] == 1.5


def test_values_that_16_bits_do_not_hold_are_windowed_as_they_are() -> None:
    """One value far out leaves the others a single number: scaled by it they would all be the same."""
    values = np.random.default_rng(5).random((200, 300)).astype(np.float32)
    values[0, 0] = 1e6

    assert smaller(Grey(values), None, SIDE) is None


def test_what_is_small_enough_is_left_alone() -> None:
    """A part of a large picture too."""
    grey = Grey(NOISE)

    assert smaller(grey, None, 260) is None
    assert smaller(grey, (0, 0, SIDE, 50), SIDE) is None
    assert smaller(grey, (0, 0, SIDE + 1, 50), SIDE) is not None


def test_padding_is_told_by_its_ends() -> None:
    """But not where a value between them means something: a page would paint that black."""
    values = np.array([[-2000, -1990, 0, 300]], np.int16)
    padding = np.array([[True, True, False, False]])

    _, told = grey16(Grey(values, padding=padding), None)
    _, mixed = grey16(Grey(values, padding=padding[:, [0, 2, 1, 3]]), None)
    _, none = grey16(Grey(values), None)

    assert (told["padding"], mixed["padding"], none["padding"]) == ([-2000.0, -1990.0], None, None)
