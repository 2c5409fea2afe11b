"""An image becomes a content part: a file as it is, anything else without losing a value."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file

from huatuo_client import HuatuoClient, View, errors, image_part
from tests.clients.answers import TEXT, saying
from tests.huatuo_client.pictures import grey_png
from tests.service.served import Served

CT = Path(str(get_testdata_file("CT_small.dcm")))


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """What it says does not matter."""
    with saying(TEXT) as running:
        yield running


def url(part: Mapping[str, Any]) -> str:
    """Of an `image_url` part."""
    return str(part["image_url"]["url"])


def content(part: Mapping[str, Any]) -> bytes:
    """The file in it."""
    return base64.b64decode(url(part).partition(",")[2])


@pytest.mark.parametrize("kind", [str, Path], ids=["str", "Path"])
def test_a_file_goes_as_it_is(kind: type[Any]) -> None:
    """Byte for byte, and called what it is."""
    part = image_part(kind(CT))

    assert content(part) == CT.read_bytes()
    assert url(part).startswith("data:application/dicom;base64,")
    assert set(part["image_url"]) == {"url"}


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_a_file(kind: type[Any]) -> None:
    """However they are held."""
    part = image_part(kind(grey_png(1)))

    assert content(part) == grey_png(1)
    assert url(part).startswith("data:image/png;base64,")


@pytest.mark.parametrize("given", ["data:image/png;base64,AAAA", "https://films.example/1.png"])
def test_a_url_goes_as_it_is(given: str) -> None:
    """The server says whether it asks for it."""
    assert url(image_part(given)) == given


def test_a_view_stands_beside_the_url() -> None:
    """Only what was said of it."""
    assert image_part(grey_png(1), View())["image_url"].keys() == {"url"}
    assert image_part(grey_png(1), View(frame=2, window=(40, 400)))["image_url"]["view"] == {
        "frame": 2,
        "window": {"center": 40, "width": 400},
    }


def test_a_part_keeps_its_own_view() -> None:
    """Another one for it is a mistake."""
    part = image_part(grey_png(1), View(frame=1))

    assert image_part(part) is part
    with pytest.raises(errors.UnreadableImage):
        image_part(part, View(frame=2))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_picture_keeps_its_values(mode: str) -> None:
    """In a PNG of its own mode."""
    picture = Image.new(mode, (3, 2), 1)

    read = Image.open(io.BytesIO(content(image_part(picture))))

    assert (read.format, read.mode, read.tobytes()) == ("PNG", mode, picture.tobytes())


@pytest.mark.parametrize(("mode", "value"), [("I", -70000), ("F", 0.25)])
def test_a_picture_of_wide_values_keeps_them(mode: str, value: float) -> None:
    """In a TIFF, since a PNG has no room for them."""
    read = Image.open(io.BytesIO(content(image_part(Image.new(mode, (3, 2), value)))))

    assert read.format == "TIFF"
    assert read.getpixel((0, 0)) == value


def test_a_picture_that_lies_is_turned_upright() -> None:
    """As a photograph by a telephone is; its file would have been turned by the server."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.new("RGB", (4, 2)).save(file, format="JPEG", exif=exif)
    lying = Image.open(file)

    assert Image.open(io.BytesIO(content(image_part(lying)))).size == (2, 4)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int16", "int32", "uint32", "int64", "float32", "float64"])
def test_an_array_of_grey_keeps_its_values(server: Served, kind: str) -> None:
    """The server reads back what was put in, before any window."""
    array = np.arange(6, dtype=kind).reshape(2, 3) * 20

    rendering = HuatuoClient(server.base_url).render(array, size=3, format="gray16")

    values = rendering.provenance.values
    assert values is not None
    stored = np.asarray(Image.open(io.BytesIO(rendering.png)), dtype=float)
    assert stored * values.slope + values.intercept == pytest.approx(array.astype(float))


def test_hounsfield_units_keep_their_window(server: Served) -> None:
    """Negative values too, so that a window means what it says."""
    array = np.array([[-1000, -160], [240, 1000]], dtype=np.int16)

    rendering = HuatuoClient(server.base_url).render(array, View(window=(40, 400)), size=2)

    assert rendering.provenance.window is not None
    assert (rendering.provenance.window.center, rendering.provenance.window.source) == (40, "request")
    assert np.asarray(Image.open(io.BytesIO(rendering.png)).convert("L")).tolist() == [[0, 0], [255, 255]]


@pytest.mark.parametrize("channels", [3, 4])
def test_an_array_of_colour_keeps_its_values(channels: int) -> None:
    """Red, green, blue, and how opaque."""
    array = np.arange(2 * 3 * channels, dtype=np.uint8).reshape(2, 3, channels)

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content(image_part(array))))), array)


def test_an_array_that_is_a_view_of_another_is_read_right() -> None:
    """Rows with gaps, and turned around."""
    array = np.arange(60, dtype=np.uint16).reshape(6, 10)[::-1, ::2]

    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content(image_part(array))))), array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 5), np.uint8),
        np.zeros((2, 3, 3), np.float32),
        np.zeros(4),
        np.zeros((0, 3)),
        np.zeros((2, 2), bool),
        np.zeros((2, 2), complex),
        np.full((2, 2), 2**40),
    ],
    ids=lambda one: f"{one.shape}-{one.dtype}",
)
def test_an_array_that_is_no_picture_is_refused(array: NDArray[Any]) -> None:
    """With what would be one."""
    with pytest.raises(errors.UnreadableImage):
        image_part(array)


def test_a_dataset_is_its_file_again(server: Served) -> None:
    """The server sees the same picture."""
    client = HuatuoClient(server.base_url)

    ours, files = client.render(pydicom.dcmread(CT)), client.render(CT)

    assert ours.png == files.png
    assert ours.provenance.modality == "CT"


def test_a_dataset_that_is_no_file_is_refused() -> None:
    """One that was never read and has no header."""
    with pytest.raises(errors.UnreadableImage, match="DICOM"):
        image_part(pydicom.Dataset())


@pytest.mark.parametrize("given", ["missing.png", "."], ids=["missing", "folder"])
def test_a_file_that_cannot_be_read_is_named(given: str) -> None:
    """With the reason."""
    with pytest.raises(errors.UnreadableImage, match=given.replace(".", r"\.")):
        image_part(given)


def test_something_else_is_refused() -> None:
    """By its type."""
    with pytest.raises(errors.UnreadableImage, match="int is no image"):
        image_part(3)  # type: ignore[arg-type]
