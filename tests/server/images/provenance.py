"""What an answer says of an image, for comparisons."""

from __future__ import annotations

from typing import Any, cast

from huatuo_server.protocol.provenance import ImageProvenance


def provenance(**facts: Any) -> ImageProvenance:
    """An 8-bit PNG of 5 x 7 pixels to which nothing worth telling was done, but for `facts`."""
    plain = {
        "sha256": "5e",
        "format": "PNG",
        "width": 5,
        "height": 7,
        "bit_depth": 8,
        "transfer_syntax": None,
        "modality": None,
        "frame": 1,
        "frames": 1,
        "window": None,
        "orientation": None,
        "warnings": [],
        "region": None,
        "padding": {"left": 1, "top": 0, "right": 1, "bottom": 0},
        "downscaling": 0.021,
        "tokens": 576,
    }
    return cast(ImageProvenance, {**plain, **facts})
