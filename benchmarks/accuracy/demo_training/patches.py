"""A picture's patches as CLIP reads them, all or a quarter of them."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.accuracy.demo_training.model import GRID, NUM_PATCHES, PATCH_VALUES

PATCH: Final = 14
"""Pixels a side."""

_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
"""CLIP's."""


def patches(pixels: NDArray[np.uint8], places: NDArray[np.int64]) -> Tensor:
    """The patches at some places of pictures, normalised as CLIP's.

    pixels: (batch, 336, 336, 3); places: (batch, n). float32, (batch, n, PATCH_VALUES), channels first.
    """
    batch = len(pixels)
    tiled = pixels.reshape(batch, GRID, PATCH, GRID, PATCH, 3).transpose(0, 1, 3, 2, 4, 5)
    picked = tiled.reshape(batch, NUM_PATCHES, PATCH, PATCH, 3)[np.arange(batch)[:, None], places]
    normalised = (picked.astype(np.float32) / 255 - _MEAN) / _STD
    return torch.from_numpy(normalised.transpose(0, 1, 4, 2, 3).reshape(batch, -1, PATCH_VALUES))


def thinned(batch: int, random_: np.random.Generator) -> NDArray[np.int64]:
    """One patch of every two by two, at random: a quarter of the places in order, (batch, NUM_PATCHES / 4)."""
    corners = (np.arange(0, GRID, 2)[:, None] * GRID + np.arange(0, GRID, 2)).flatten()
    return np.sort(corners + random_.choice(np.array([0, 1, GRID, GRID + 1]), (batch, len(corners))))
