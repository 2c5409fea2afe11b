"""Pixels reach the model as the reference's arithmetic wants them."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from huatuo_vllm.normalisation import normalisation_table
from huatuo_vllm.processor import _pixel_values
from tests import golden


@pytest.mark.parametrize(("name", "digest"), sorted(golden.pixel_digests().items()))
def test_stock_vllm_gets_the_reference_s_picture_bit_for_bit(name: str, digest: str) -> None:
    """Padding, resizing and the normalisation table give the golden float32 tensor's SHA-256."""
    (pixels,) = _pixel_values([Image.open(golden.IMAGES / name)], 336).numpy()

    table = normalisation_table()
    normalised = np.stack([table[channel][pixels[channel]] for channel in range(3)])

    assert normalised.dtype == np.float32
    assert hashlib.sha256(normalised.tobytes()).hexdigest() == digest


def test_a_prepared_picture_passes_through_untouched() -> None:
    """What the server prepared is not resampled again."""
    prepared = np.random.default_rng(0).integers(0, 256, (336, 336, 3), dtype=np.uint8)

    for picture in (prepared, Image.fromarray(prepared)):
        assert torch.equal(_pixel_values([picture], 336)[0], torch.from_numpy(prepared).permute(2, 0, 1))
