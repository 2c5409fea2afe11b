"""CLIP's pixel arithmetic as a table: 256 values a channel, so that pixels can travel as uint8.

The table holds what transformers' CLIPImageProcessor (4.41, numpy) computes for every possible byte, in its order and
its precisions, so looking a byte up is bit-identical to rescaling and normalising it, at a quarter of the bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""RGB, of openai/clip-vit-large-patch14-336's preprocessor_config.json; the mean is also the padding's colour."""


def normalisation_table() -> NDArray[np.float32]:
    """float32, shape (3, 256): what each byte of each RGB channel becomes."""
    # The product is taken in float64 and only then rounded to float32; mean and std are float32 from the start.
    rescaled = (np.arange(256, dtype=np.uint8) * (1 / 255)).astype(np.float32)
    mean = np.array(CLIP_MEAN, dtype=np.float32)[:, None]
    std = np.array(CLIP_STD, dtype=np.float32)[:, None]
    table: NDArray[np.float32] = (rescaled[None, :] - mean) / std
    return table
