"""What fuzzing found, made as small as it would go. Each was once another exception than ours, a crash or a hang."""

from __future__ import annotations

from pathlib import Path

from tests.hostile import png
from tests.hostile.item import BROKEN, HARMLESS, named

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
"""What no few lines of code would make."""

ITEMS = named(
    "found",
    (
        "a JPEG-LS of 1 KB that keeps its decoder busy for seconds",
        (SEEDS / "jpeg_ls_that_keeps_its_decoder_busy.bin").read_bytes,
        BROKEN,
    ),
    (
        "a lossless JPEG of an unknown Adobe transform, at which GDCM ends the process",
        (SEEDS / "lossless_jpeg_of_an_unknown_adobe_transform.bin").read_bytes,
        HARMLESS,
    ),
    (
        "a PNG whose palette comes before its header",
        lambda: png.png(
            png.chunk(b"PLTE", bytes(3)),
            png.header(8, 8, colour=png.PALETTE),
            png.chunk(b"tRNS", bytes(2)),
            png.rows(8, 8),
        ),
        HARMLESS,
    ),
)
