"""JPEGs of synthetic films, each one different to any cache, at the price of a few bytes."""

from __future__ import annotations

from functools import cache
from io import BytesIO

from PIL import Image

from benchmarks.images import films

START = b"\xff\xd8"
COMMENT = b"\xff\xfe"
"""A segment of a JPEG that no decoder shows (ITU-T T.81, B.2.4.5). Our server and vLLM both know a picture by all of
its bytes."""

NUM_FILMS = 3
"""Different to look at; beyond these the files alone differ."""


@cache
def film(seed: int, width: int, height: int) -> bytes:
    """In colour, as screens and phones save them: all three channels have to be resized."""
    whole = films.colour_jpeg(seed)
    if (width, height) == (films.WIDTH, films.HEIGHT):
        return whole
    file = BytesIO()
    with Image.open(BytesIO(whole)) as picture:
        picture.resize((width, height)).save(file, "JPEG", quality=films.JPEG_QUALITY)
    return file.getvalue()


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """The same picture in another file. comment: ASCII, at most 65,533 letters."""
    text = comment.encode("ascii")
    return START + COMMENT + (len(text) + 2).to_bytes(2, "big") + text + jpeg.removeprefix(START)


def jpegs(width: int, height: int, count: int, seed: int = 0) -> list[bytes]:
    """So many files of one size, each different, and different from every other seed's."""
    return [with_comment(film(number % NUM_FILMS, width, height), f"{seed}-{number}") for number in range(count)]
