"""Grey values are shaded as DICOM PS3.3 C.11.2.1 says; the window's range is mapped, never the data's."""

from __future__ import annotations

import io
import math
import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.errors import InvalidRequest
from huatuo_server.images.frame import Grey, VoiLut, WindowFunction
from huatuo_server.images.window import shade, shade_picture
from huatuo_server.protocol.view import PRESETS, WHOLE, View, Window
from tests.server.images.plain.pictures import ct_slice

MISSING = "No window in the header: the 0.5th to 99.5th percentile is shown."


def row(*values: float, dtype: Any = np.int16) -> NDArray[Any]:
    return np.array([values], dtype)


def shades(grey: Grey, view: View = WHOLE) -> list[int]:
    """Of the first row."""
    image, _, _ = shade(grey, view)
    assert image.mode == "L"
    return [int(one) for one in np.asarray(image)[0]]


def through(function: WindowFunction, center: float, width: float, *values: float, dtype: Any = np.int16) -> list[int]:
    """The values through the request's window, by a function."""
    return shades(Grey(row(*values, dtype=dtype), function=function), View(window=Window(center, width)))


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_linear_is_the_standards(dtype: Any) -> None:
    """C.11.2.1.2.1, center 2048, width 4096: black up to 0, white above 4095, else (x - 2047.5) / 4095 + 0.5 of 255.

    1 gives 0.06, 1024 gives 63.77, 2048 gives 127.53, 4094 gives 254.94.
    """
    values = (-5, 0, 1, 1024, 2048, 4094, 4095, 4096, 9000)
    assert through("LINEAR", 2048, 4096, *values, dtype=dtype) == [0, 0, 0, 64, 128, 255, 255, 255, 255]


def test_linear_of_a_ct_window_is_the_standards() -> None:
    """Center 40, width 400: black up to -160, white above 239. -60 gives 63.91, 40 gives 127.82, 139 gives 191.09."""
    assert through("LINEAR", 40, 400, -161, -160, -60, 40, 139, 239, 240) == [0, 0, 64, 128, 191, 255, 255]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_linear_of_width_one_is_a_step(dtype: Any) -> None:
    """The standard's note: center 100, width 1 is black up to 99.5 and white above it."""
    assert through("LINEAR", 100, 1, 98, 99, 100, 101, dtype=dtype) == [0, 0, 255, 255]
    assert through("LINEAR", 100.5, 1, 99, 100, 101, dtype=dtype) == [0, 0, 255]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_linear_exact_is_the_standards(dtype: Any) -> None:
    """C.11.2.1.3.2, center 100, width 100: black up to 50, white above 150; 75 gives 63.75, 100 gives 127.5 -> 128."""
    values = (0, 50, 51, 75, 100, 149, 150, 151, 900)
    assert through("LINEAR_EXACT", 100, 100, *values, dtype=dtype) == [0, 0, 3, 64, 128, 252, 255, 255, 255]


def test_linear_exact_takes_a_width_below_one() -> None:
    """Center 0, width 0.5: -0.125 is a quarter of the way, 63.75."""
    found = through("LINEAR_EXACT", 0, 0.5, -1, -0.25, -0.125, 0.125, 0.25, 1, dtype=np.float32)
    assert found == [0, 0, 64, 191, 255, 255]


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32])
def test_sigmoid_is_the_standards(dtype: Any) -> None:
    """C.11.2.1.3.1, center 0, width 400: 255 / (1 + exp(-x / 100)); at 100 that is 255 / 1.36788 = 186.42."""
    values = (-30000, -100, 0, 100, 200, 30000)
    assert through("SIGMOID", 0, 400, *values, dtype=dtype) == [0, 69, 128, 186, 225, 255]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@settings(deadline=None)
@given(st.integers(-40_000, 40_000), st.integers(1, 70_000), st.lists(st.integers(-32768, 32767), min_size=1))
def test_tables_and_arithmetic_agree(function: WindowFunction, center: int, width: int, values: list[int]) -> None:
    """16-bit values go through a table, others are worked out: the shades are the same."""
    of_table = through(function, center, width, *values)
    assert of_table == through(function, center, width, *values, dtype=np.int32)
    assert of_table == through(function, center, width, *values, dtype=np.float32)
    assert of_table == [int(exact(function, center, width, value)) for value in values]


def exact(function: WindowFunction, center: float, width: float, value: float) -> float:
    """The standard's pseudocode, branch by branch."""
    if function == "SIGMOID":
        power = min(700.0, -4 * (value - center) / width)
        return round(255 / (1 + math.exp(power)))
    middle, reach = (center - 0.5, width - 1) if function == "LINEAR" else (center, width)
    if value <= middle - reach / 2:
        return 0
    if value > middle + reach / 2:
        return 255
    return round(((value - middle) / reach + 0.5) * 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.float32])
def test_every_type_is_read_as_its_numbers(dtype: Any) -> None:
    """A value of 100 in a window around 100 is mid-grey, whatever holds it."""
    assert through("LINEAR_EXACT", 100, 50, 100, dtype=dtype) == [128]


def test_big_endian_values_are_numbers_too() -> None:
    """As are values that are seen from the side."""
    grey = Grey(row(0, 100, 200, dtype=">u2"))
    assert shades(grey, View(window=Window(100, 200))) == [0, 128, 255]
    turned = Grey(np.array([[0], [100], [200]], np.uint16)[::-1].T)
    assert shades(turned, View(window=Window(100, 200))) == [255, 128, 0]


def test_the_requests_window_goes_before_everything() -> None:
    """Before a lookup table, the file's window and 8-bit values as they are; and the answer says so."""
    grey = Grey(row(0, 50, 100), window=Window(1, 2), voi_lut=VoiLut(0, np.zeros(9, np.uint8)), as_is=True)
    image, facts, warnings = shade(grey, View(window=Window(50, 100)))
    assert np.asarray(image)[0].tolist() == [0, 128, 255]
    assert facts == {"center": 50, "width": 100, "source": "request"}
    assert warnings == []


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_its_window(preset: str) -> None:
    """In Hounsfield units, by the file's own function."""
    grey = Grey(np.arange(-2000, 2000, dtype=np.int16)[None], window=Window(0, 1), hounsfield=True, function="LINEAR")
    image, facts, _ = shade(grey, View(preset=preset))
    named = PRESETS[preset]
    assert facts == {"center": named.center, "width": named.width, "source": "preset"}
    assert np.array_equal(np.asarray(image), np.asarray(shade(grey, View(window=named))[0]))


def test_a_preset_is_for_hounsfield_units_only() -> None:
    """Elsewhere it is a 400 that names the field."""
    with pytest.raises(InvalidRequest) as caught:
        shade(Grey(row(1, 2)), View(preset="lung"))
    assert caught.value.param == "view.preset"


def test_the_files_lookup_table_goes_before_its_window() -> None:
    """C.11.2.1.1: below its first value the first shade, above its last the last; no window is told."""
    table = VoiLut(10, np.array([5, 90, 250], np.uint8))
    for dtype in (np.int16, np.int32, np.float32):
        grey = Grey(row(-100, 10, 11, 12, 500, dtype=dtype), voi_lut=table, window=Window(0, 1))
        assert shades(grey) == [5, 5, 90, 250, 250]
        assert shade(grey, WHOLE)[1] is None


@pytest.mark.parametrize(("source", "warnings"), [("header", 0), ("default", 1)])
def test_the_files_window_is_told_with_its_source(source: Any, warnings: int) -> None:
    """The modality's default comes with a warning."""
    grey = Grey(row(-160, 40, 240), window=Window(40, 400), window_source=source, function="LINEAR")
    image, facts, said = shade(grey, WHOLE)
    assert np.asarray(image)[0].tolist() == [0, 128, 255]
    assert facts == {"center": 40, "width": 400, "source": source}
    assert len(said) == warnings


def test_8_bit_values_are_taken_as_they_are() -> None:
    """No window is told."""
    grey = Grey(row(0, 1, 200, 255, dtype=np.uint8), as_is=True)
    assert shades(grey) == [0, 1, 200, 255]
    assert shade(grey, WHOLE)[1:] == (None, [])


def test_percentiles_are_numpys() -> None:
    """A real CT slice: numpy's 0.5th and 99.5th percentile are 163 and 1809, so the window is 986 and 1646 wide."""
    image, facts, warnings = shade(Grey(ct_slice(), function="LINEAR"), WHOLE)
    assert facts == {"center": 986, "width": 1646, "source": "percentiles"}
    assert warnings == [MISSING]
    shown = np.asarray(image)
    assert (shown[32, 32], shown[0, 0], shown[64, 64]) == (50, 2, 255)


def test_outliers_do_not_set_the_window() -> None:
    """Half a percent of pixels at either end, a marker say, is cut off."""
    film = np.random.default_rng(0).integers(1000, 1200, (100, 100)).astype(np.uint16)
    film[0, :10] = 65535
    _, facts, _ = shade(Grey(film), WHOLE)
    assert facts is not None
    assert 1090 < facts["center"] < 1110
    assert 190 < facts["width"] < 200


def test_padding_is_black_and_counts_for_nothing() -> None:
    """Of -2000 in a third of the picture neither the window nor the shade knows, upright or inverted."""
    values = np.tile(np.arange(100, dtype=np.int16), (3, 1))
    values[0] = -2000
    for inverted in (False, True):
        grey = Grey(values, padding=values == -2000, inverted=inverted)
        image, facts, _ = shade(grey, WHOLE)
        assert facts is not None
        assert facts["center"] == 49.5
        assert not np.asarray(image)[0].any()
        assert np.asarray(image)[1, [0, -1]].tolist() == ([255, 0] if inverted else [0, 255])


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_inverted_values_are_turned_round(dtype: Any) -> None:
    """MONOCHROME1: after the window, or the table, 255 - shade."""
    values = row(0, 25, 100, dtype=dtype)
    view = View(window=Window(50, 100))
    assert shades(Grey(values, inverted=True), view) == [255, 191, 0]
    table = VoiLut(0, np.arange(101, dtype=np.uint8))
    assert shades(Grey(values, inverted=True, voi_lut=table)) == [255, 230, 155]
    assert shades(Grey(values.astype(np.uint8), inverted=True, as_is=True)) == [255, 230, 155]


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("inverted", [False, True])
def test_nan_is_black_and_infinity_as_bright_as_can_be(function: WindowFunction, inverted: bool) -> None:
    """NaN also where the smallest value is white."""
    grey = Grey(row(np.nan, -np.inf, np.inf, dtype=np.float32), function=function, inverted=inverted)
    assert shades(grey, View(window=Window(1, 2))) == ([0, 255, 0] if inverted else [0, 0, 255])


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_constant_picture_is_mid_grey(dtype: Any, inverted: bool) -> None:
    """Its value is told as the center of a window without width, and that there is no contrast."""
    image, facts, warnings = shade(Grey(np.full((4, 4), 3000, dtype), inverted=inverted), WHOLE)
    assert (np.asarray(image) == 128).all()
    assert facts == {"center": 3000, "width": 0, "source": "percentiles"}
    assert "mid-grey" in warnings[0]


def test_a_few_values_that_differ_are_seen() -> None:
    """A mask of 10 pixels in 10,000: both percentiles are 0, and still it is white on black."""
    mask = np.zeros((100, 100), np.uint16)
    mask[0, :10] = 7
    image, facts, warnings = shade(Grey(mask), WHOLE)
    assert np.asarray(image)[0, 8:12].tolist() == [255, 255, 0, 0]
    assert facts == {"center": 3.5, "width": 7, "source": "percentiles"}
    assert "the range of all is shown" in warnings[0]


def test_values_without_measure_have_a_finite_window() -> None:
    """Of the largest 64-bit floats the range is infinite: mid-grey, and no infinity in the answer."""
    for count in (1, 2, 4, 1000):
        _, facts, _ = shade(Grey(np.array([[-1.7e308, 1.7e308, 1.7e308]] * count)), WHOLE)
        assert facts is not None
        assert math.isfinite(facts["center"])
        assert math.isfinite(facts["width"])


def test_a_picture_of_nothing_is_black_or_mid_grey_and_says_so() -> None:
    """All padding, all NaN: there is no window to tell."""
    values = np.full((2, 2), np.nan, np.float32)
    for grey in (Grey(values), Grey(np.ones((2, 2), np.int16), padding=np.ones((2, 2), bool))):
        image, facts, warnings = shade(grey, WHOLE)
        assert not np.asarray(image).any()
        assert facts is None
        assert warnings == ["The image holds no values that could be shown."]


@pytest.mark.parametrize(
    ("function", "window"),
    [
        ("LINEAR", Window(1, 0.5)),
        ("LINEAR", Window(1, 0)),
        ("LINEAR_EXACT", Window(1, 0)),
        ("SIGMOID", Window(1, -3)),
        ("LINEAR_EXACT", Window(math.nan, 1)),
        ("LINEAR_EXACT", Window(1, math.inf)),
    ],
)
def test_a_window_that_is_none(function: WindowFunction, window: Window) -> None:
    """In a request it is a 400 that names the field; in a file it is left out, with a warning."""
    with pytest.raises(InvalidRequest) as caught:
        shade(Grey(row(1, 2), function=function), View(window=window))
    assert caught.value.param == "view.window"
    _, facts, warnings = shade(Grey(ct_slice(), function=function, window=window), WHOLE)
    assert facts == {"center": 986, "width": 1646, "source": "percentiles"}
    assert warnings == ["The window in the header is not a valid one: the 0.5th to 99.5th percentile is shown."]


@pytest.mark.filterwarnings("error")
@settings(deadline=None)
@given(
    st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(min_value=1, allow_infinity=False),
    st.sampled_from([np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]),
)
def test_no_window_is_too_large(function: WindowFunction, center: float, width: float, dtype: Any) -> None:
    """Whatever its numbers, the shades rise with the values, and nothing is said on the way."""
    top = np.iinfo(dtype).max if np.dtype(dtype).kind in "iu" else np.finfo(dtype).max
    values = np.array([[0, 1, 100, top // 2, top]]).astype(dtype)
    found = shades(Grey(values, function=function), View(window=Window(center, width)))
    assert found == sorted(found)


def test_an_8_bit_picture_goes_through_a_window_channel_by_channel() -> None:
    """LINEAR_EXACT, center 100, width 100: 75 gives 63.75, 100 gives 127.5 -> 128, 151 is white."""
    picture = Image.new("RGB", (2, 1))
    picture.putpixel((0, 0), (75, 100, 151))
    picture.putpixel((1, 0), (0, 50, 255))
    shown = shade_picture(picture, Window(100, 100))
    assert shown.mode == "RGB"
    assert np.asarray(shown)[0].tolist() == [[64, 128, 255], [0, 0, 255]]


def test_the_window_of_all_8_bits_changes_nothing() -> None:
    """Center 127.5, width 255 maps 0 to 0 and 255 to 255."""
    picture = Image.fromarray(np.arange(256, dtype=np.uint8)[None]).convert("RGB")
    assert np.array_equal(np.asarray(shade_picture(picture, Window(127.5, 255))), np.asarray(picture))


def test_an_8_bit_picture_takes_no_window_without_width() -> None:
    """A 400 that names the field."""
    with pytest.raises(InvalidRequest) as caught:
        shade_picture(Image.new("RGB", (1, 1)), Window(1, 0))
    assert caught.value.param == "view.window"


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_a_large_film_takes_little_memory(dtype: Any) -> None:
    """Of 12 million values: the shades, 12 MB, and less than 20 MB besides, by percentiles."""
    values = np.random.default_rng(0).integers(0, 4096, (3000, 4000)).astype(dtype)
    tracemalloc.start()
    shade(Grey(values), WHOLE)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 32_000_000


def test_a_film_is_windowed_in_little_time() -> None:
    """3000 x 2500 values of 16 bits by percentiles: about 25 ms of the processor, 200 where the machine is busy."""
    values = np.random.default_rng(0).integers(0, 4096, (2500, 3000)).astype(np.uint16)
    spent = []
    for _ in range(3):
        began = time.process_time()
        shade(Grey(values), WHOLE)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.2


def test_the_shades_are_a_picture_that_can_be_saved() -> None:
    """Mode L, as large as the values."""
    image, _, _ = shade(Grey(ct_slice()), WHOLE)
    file = io.BytesIO()
    image.save(file, "PNG")
    assert Image.open(file).size == (128, 128)
