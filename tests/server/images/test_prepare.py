"""The prepared square is, bit for bit, what the reference sees."""

from __future__ import annotations

import hashlib
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.families import PicturePolicy
from huatuo_server.images.prepare import padding, prepare, resized_by_pillow
from huatuo_server.images.tall import pillow_weights
from tests import golden
from tests.server.images.plain.pictures import frame_of

POLICY = PicturePolicy()
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def naive(image: Image.Image, policy: PicturePolicy = POLICY) -> NDArray[np.uint8]:
    """The reference's own way: build the square, then resize it."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), policy.pad_rgb)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(square.resize((policy.size_pixels,) * 2, Image.Resampling.BICUBIC))


def random_picture(size: tuple[int, int], *, extreme: bool = False) -> Image.Image:
    """extreme: black and white only, which overshoots and is clipped."""
    width, height = size
    values = np.random.default_rng(width * 31 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(np.where(values < 128, 0, 255).astype(np.uint8) if extreme else values)


@pytest.mark.parametrize("name", sorted(golden.pixel_digests()))
def test_golden_pixels(name: str) -> None:
    """Normalised in float32, every golden picture hashes to the reference's tensor."""
    image = frame_of((golden.IMAGES / name).read_bytes()).pixels
    assert isinstance(image, Image.Image)
    scaled = (prepare(image, POLICY) * (1 / 255)).astype(np.float32)
    tensor = np.ascontiguousarray(((scaled - MEAN) / STD).transpose(2, 0, 1))
    assert hashlib.sha256(tensor.tobytes()).hexdigest() == golden.pixel_digests()[name]


SHAPES = [(1, 1), (3, 3), (1, 7), (336, 336), (335, 336), (337, 336), (336, 1), (2000, 1), (1, 2), (1, 3), (336, 673)]
SHAPES += [(37, 2500), (999, 1000), (672, 672), (673, 10), (1500, 1100), (2200, 1999), (13, 5003), (1000, 2001)]


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("size", sorted({*SHAPES, *((height, width) for width, height in SHAPES)}))
def test_the_square_need_not_be_built(size: tuple[int, int], *, extreme: bool) -> None:
    """Row bands, one column, or only those that see the picture: the same bits as the whole square."""
    image = random_picture(size, extreme=extreme)
    for prepared in (prepare(image, POLICY), resized_by_pillow(image, POLICY)):
        assert prepared.shape == (336, 336, 3)
        assert prepared.dtype == np.uint8
        assert np.array_equal(prepared, naive(image))


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (100, 350), (336, 336), (1, 1)])
def test_grey_in_one_channel_is_grey_in_three(size: tuple[int, int]) -> None:
    """Mode L gives the bits that the same picture in RGB gives, padding in colour included."""
    grey = random_picture(size).convert("L")

    assert np.array_equal(prepare(grey, POLICY), naive(grey.convert("RGB")))
    assert np.array_equal(resized_by_pillow(grey, POLICY), naive(grey.convert("RGB")))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 60),
    st.integers(1, 1500),
    st.integers(1, 400),
    st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255)),
    st.booleans(),
)
@example(1, 1500, 336, (122, 116, 104), True)
@example(60, 121, 1, (0, 0, 0), False)
@example(1, 3, 400, (255, 0, 255), True)
def test_tall_pictures_of_every_shape_into_squares_of_every_size(
    width: int, height: int, size: int, pad: tuple[int, int, int], extreme: bool
) -> None:
    """The horizontal pass in numpy has Pillow's bits, whatever the step, the padding and the size."""
    policy = PicturePolicy(size_pixels=size, pad_rgb=pad)
    image = random_picture((width, max(height, 2 * width + 1)), extreme=extreme)
    assert np.array_equal(resized_by_pillow(image, policy), naive(image, policy))


@pytest.mark.parametrize(("length", "size"), [(1, 336), (336, 336), (337, 336), (3000, 336), (20000, 336), (7, 3)])
def test_the_weights_of_a_pixel_add_up_to_one(length: int, size: int) -> None:
    """In 22 bits after the point, but for the rounding of each."""
    starts, weights = pillow_weights(length, size)
    assert (starts >= 0).all()
    assert (starts < length).all()
    assert np.abs(weights.sum(axis=1) - 2**22).max() <= weights.shape[1] / 2


@pytest.mark.parametrize("size", [(2000, 20000), (10, 20000), (20000, 10), (20000, 2000), (6324, 6324)])
def test_the_largest_pictures_take_less_than_a_second(size: tuple[int, int]) -> None:
    """Of the processor, and less than 40 MB: the padded square of the tallest would be 1.2 GB, and took 4 s."""
    image = Image.new("RGB", size, (255, 0, 0))
    tracemalloc.start()
    began = time.process_time()
    prepared = prepare(image, POLICY)
    spent, most = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spent < 1
    assert most < 40_000_000
    assert prepared[168, 168].tolist() != list(POLICY.pad_rgb)
    assert (prepared[2, 2].tolist() == list(POLICY.pad_rgb)) == (size[0] != size[1])


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((10, 10), None),
        ((10, 4), (0, 3, 0, 3)),
        ((10, 5), (0, 2, 0, 3)),
        ((5, 10), (2, 0, 3, 0)),
        ((1, 20000), (9999, 0, 10000, 0)),
    ],
)
def test_the_padding_is_told(size: tuple[int, int], expected: tuple[int, int, int, int] | None) -> None:
    """Left, top, right, bottom; the odd pixel is on the right or at the bottom, where integer division leaves it."""
    added = padding(size)
    assert (added and (added["left"], added["top"], added["right"], added["bottom"])) == expected


def test_the_padding_that_is_told_is_the_one_that_is_added() -> None:
    """In a square of its own size nothing is scaled: the pad colour stands where it is said."""
    policy = PicturePolicy(size_pixels=11, pad_rgb=(1, 2, 3))
    prepared = prepare(Image.new("RGB", (4, 11), (200, 200, 200)), policy)
    added = padding((4, 11))
    assert added is not None
    row = prepared[5, :, 0].tolist()
    assert row == [1] * added["left"] + [200] * 4 + [1] * added["right"]


def test_another_policy_gives_another_square() -> None:
    """Size and padding are the family's."""
    prepared = prepare(Image.new("RGB", (8, 2)), PicturePolicy(size_pixels=16, pad_rgb=(1, 2, 3)))
    assert prepared.shape == (16, 16, 3)
    assert prepared[0, 0].tolist() == [1, 2, 3]
