"""The compiled resize has Pillow's bits, and refuses buffers that do not fit together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from huatuo_server.families import PicturePolicy
from huatuo_server.images import bicubic
from huatuo_server.images.prepare import prepare
from tests.server.images.test_prepare import POLICY, naive, random_picture

_bicubic = pytest.importorskip("huatuo_server.images._bicubic", reason="installed without a C compiler")


@settings(deadline=None, max_examples=200)
@given(
    st.integers(1, 900),
    st.integers(1, 900),
    st.integers(bicubic.LEAST_SIZE, 400),
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)),
    st.sampled_from(["RGB", "L"]),
    st.booleans(),
)
@example(1, 1, bicubic.LEAST_SIZE, (255, 0, 255), "L", True)
@example(65, 900, 336, (122, 116, 104), "L", True)
@example(900, 17, 23, (0, 0, 0), "RGB", False)
def test_pictures_of_every_shape_into_squares_of_every_size(
    width: int, height: int, size: int, pad: tuple[int, int, int], mode: str, extreme: bool
) -> None:
    """Bit for bit as Pillow resizes the whole square, whatever the step, the padding, the size and the mode."""
    policy = PicturePolicy(size_pixels=size, pad_rgb=pad)
    image = random_picture((width, height), extreme=extreme).convert(mode)

    assert np.array_equal(bicubic.resized(image, policy), naive(image.convert("RGB"), policy))


def test_a_square_too_small_for_it_goes_by_pillow() -> None:
    """A row below 64 bytes has the same bits too."""
    policy = PicturePolicy(size_pixels=bicubic.LEAST_SIZE - 1)
    image = random_picture((50, 70))

    assert np.array_equal(prepare(image, policy), naive(image, policy))


def test_without_a_compiler_pillow_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing was compiled the picture is the same one."""
    image = random_picture((100, 70))
    compiled = prepare(image, POLICY)

    monkeypatch.setattr(bicubic, "IS_COMPILED", False)

    assert np.array_equal(prepare(image, POLICY), compiled)


def test_the_picture_is_left_as_it_is() -> None:
    """What was given is not written to."""
    image = random_picture((90, 40))
    before = image.tobytes()

    bicubic.resized(image, POLICY)

    assert image.tobytes() == before


def across(**changed: Any) -> None:
    """Two rows of three RGBX pixels to two rows of two RGB ones, but for what is changed."""
    given = {
        "pixels": bytes(2 * 3 * 4),
        "pixel_bytes": 4,
        "width": 3,
        "starts": np.array([0, 1], np.int32),
        "weights": np.zeros((2, 2), np.int32),
        "initial": np.zeros((2, 4), np.int32),
        "out": bytearray(2 * 2 * 3),
        "first_row": 0,
    }
    _bicubic.across(*(given | changed).values())


def down(**changed: Any) -> None:
    """Three rows of 64 bytes to two, but for what is changed."""
    given = {
        "rows": bytes(3 * 64),
        "row_bytes": 64,
        "starts": np.array([0, 1], np.int32),
        "weights": np.zeros((2, 2), np.int32),
        "out": bytearray(2 * 64),
    }
    _bicubic.down(*(given | changed).values())


def test_buffers_that_fit_are_taken() -> None:
    """The calls that the next tests break are good ones."""
    across()
    down()


@pytest.mark.parametrize(
    "changed",
    [
        {"pixels": bytes(2 * 3 * 4 - 1)},
        {"pixel_bytes": 3},
        {"width": 0},
        {"width": 2**40},
        {"starts": np.zeros(0, np.int32)},
        {"starts": np.zeros(3, np.int32)},
        {"starts": np.array([0, -(2**31)], np.int32)},
        {"weights": np.zeros(5, np.int32)},
        {"initial": np.zeros((2, 3), np.int32)},
        {"out": bytearray(2 * 2 * 3 - 1)},
        {"first_row": -1},
        {"first_row": 1},
        {"first_row": 2**62},
    ],
    ids=str,
)
def test_rows_that_do_not_fit_together_are_refused(changed: dict[str, Any]) -> None:
    """Nothing is read or written outside of a buffer."""
    with pytest.raises(ValueError, match="do not fit"):
        across(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"rows": bytes(3 * 64 - 1)},
        {"row_bytes": 63},
        {"row_bytes": 0},
        {"starts": np.zeros(3, np.int32)},
        {"weights": np.zeros(3, np.int32)},
        {"out": bytearray(2 * 64 + 1)},
    ],
    ids=str,
)
def test_columns_that_do_not_fit_together_are_refused(changed: dict[str, Any]) -> None:
    """Nothing is read or written outside of a buffer."""
    with pytest.raises(ValueError, match="do not fit"):
        down(**changed)


@pytest.mark.parametrize("start", [-1000, 1000, 2**30])
def test_a_result_that_sees_no_pixel_is_what_its_sum_began_with(start: int) -> None:
    """A start anywhere outside of the picture reads nothing."""
    out = bytearray(2 * 2 * 3)
    initial = np.full((2, 4), 7 << 22, np.int32)

    across(starts=np.full(2, start, np.int32), weights=np.ones((2, 2), np.int32), initial=initial, out=out)

    assert out == bytes([7]) * 12


def test_a_picture_of_mode_rgb_that_pillow_keeps_in_pieces() -> None:
    """Above 16 MB Pillow's memory is not in one piece; the bits are the same."""
    image = Image.effect_noise((2300, 2100), 80).convert("RGB")

    assert np.array_equal(bicubic.resized(image, POLICY), naive(image))
