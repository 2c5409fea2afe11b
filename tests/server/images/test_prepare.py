"""The prepared square is, bit for bit, what the reference sees."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from huatuo_server.families import PicturePolicy
from huatuo_server.images.decode import decode
from huatuo_server.images.prepare import prepare
from tests import golden

POLICY = PicturePolicy()
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)


def naive(image: Image.Image) -> NDArray[np.uint8]:
    """The reference's own way: build the square, then resize it."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), POLICY.pad_rgb)
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(square.resize((336, 336), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("name", sorted(golden.pixel_digests()))
def test_golden_pixels(name: str) -> None:
    """Normalised in float32, every golden picture hashes to the reference's tensor."""
    pixels = prepare(decode((golden.IMAGES / name).read_bytes(), param=""), POLICY)
    scaled = (pixels * (1 / 255)).astype(np.float32)
    tensor = np.ascontiguousarray(((scaled - MEAN) / STD).transpose(2, 0, 1))
    assert hashlib.sha256(tensor.tobytes()).hexdigest() == golden.pixel_digests()[name]


SHAPES = [(1, 1), (3, 3), (1, 7), (336, 336), (335, 336), (337, 336), (336, 1), (2000, 1)]
SHAPES += [(37, 2500), (999, 1000), (672, 672), (673, 10), (1500, 1100), (2200, 1999)]


@pytest.mark.parametrize("size", sorted({*SHAPES, *((height, width) for width, height in SHAPES)}))
def test_the_square_need_not_be_built(size: tuple[int, int]) -> None:
    """Row bands and one column give the same bits as the whole square, on every kind of shape."""
    width, height = size
    values = np.random.default_rng(width * 31 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    prepared = prepare(image, POLICY)
    assert prepared.shape == (336, 336, 3)
    assert prepared.dtype == np.uint8
    assert np.array_equal(prepared, naive(image))


@pytest.mark.parametrize("size", [(20000, 30), (30, 8000)])
def test_long_narrow_pictures_are_centred(size: tuple[int, int]) -> None:
    """The picture is in the middle, the padding around it."""
    prepared = prepare(Image.new("RGB", size, (255, 0, 0)), POLICY)
    assert prepared[168, 168].tolist() != list(POLICY.pad_rgb)
    assert prepared[2, 2].tolist() == list(POLICY.pad_rgb)


def test_another_policy_gives_another_square() -> None:
    """Size and padding are the family's."""
    prepared = prepare(Image.new("RGB", (8, 2)), PicturePolicy(size_pixels=16, pad_rgb=(1, 2, 3)))
    assert prepared.shape == (16, 16, 3)
    assert prepared[0, 0].tolist() == [1, 2, 3]
