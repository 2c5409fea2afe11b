"""The planted bugs of the image workers: each changes what the model sees of the films that it is about."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.accuracy.smoke import films, image_bugs
from benchmarks.accuracy.smoke.bug import BUGS, Bug, Switch
from benchmarks.accuracy.smoke.films import Pixels
from huatuo_server.families import PicturePolicy
from huatuo_server.images import look
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom import reader as dicom
from huatuo_server.images.job import Prepare
from huatuo_server.images.plain import reader as plain
from huatuo_server.images.prepare import prepare
from huatuo_server.protocol.view import WHOLE

SQUARE, WIDE = np.full((336, 336), 90, np.uint8), np.full((210, 336), 90, np.uint8)
SQUARE[60:100, 10:50] = WIDE[60:100, 10:50] = 200


@dataclass(frozen=True)
class Kind:
    """save: pixels to a file. shown: pixels to what should be seen of it."""

    save: Callable[[Pixels], bytes]
    shown: Callable[[Pixels], Pixels] = lambda pixels: pixels


KINDS = {
    "png": Kind(films.png),
    "monochrome1": Kind(films.monochrome1),
    "png16": Kind(films.png16, films.stretched),
    "tiff16": Kind(films.tiff16, films.stretched),
}


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Switch:
    """Of bugs that are planted in this process for as long as the test runs; none is on."""
    for module, name in ((look, "prepare"), (dicom, "grey"), (plain, "read_frame")):
        monkeypatch.setattr(module, name, getattr(module, name))
    switch = Switch(tmp_path / "bug")
    switch.turn_to(None)
    image_bugs.plant_all(switch)
    return switch


def model_sees(file: bytes) -> NDArray[np.uint8]:
    """Through the image worker's own function."""
    policy = PicturePolicy()
    reply = look.make_picture(io.BytesIO(file), Prepare(WHOLE, Bounds(), policy))
    return np.frombuffer(reply.payload, np.uint8).reshape(policy.size_pixels, policy.size_pixels, 3)


def intended(pixels: Pixels) -> NDArray[np.uint8]:
    """The scene itself, as a server that makes no mistake prepares it."""
    return prepare(Image.fromarray(pixels), PicturePolicy())


@pytest.mark.parametrize("pixels", [SQUARE, WIDE], ids=["square", "wide"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_without_a_bug_every_film_shows_its_scene(switch: Switch, kind: Kind, pixels: Pixels) -> None:
    """To the last bit: no window, inversion or depth of the file's is left."""
    seen = model_sees(kind.save(pixels))

    assert np.array_equal(seen, intended(kind.shown(pixels)))


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_changes_the_films_that_it_is_about_and_no_others(switch: Switch, bug: Bug) -> None:
    """What tells one bug is not what tells another."""
    switch.turn_to(bug)

    changed = {
        (film, name)
        for film, kind in KINDS.items()
        for name, pixels in {"square": SQUARE, "wide": WIDE}.items()
        if not np.array_equal(model_sees(kind.save(pixels)), intended(kind.shown(pixels)))
    }

    assert changed == {
        "centre crop": {(film, "wide") for film in KINDS},
        "MONOCHROME1 not inverted": {("monochrome1", "square"), ("monochrome1", "wide")},
        "16 bits clipped": {(film, name) for film in ("png16", "tiff16") for name in ("square", "wide")},
    }.get(bug, set())


def test_a_cropped_picture_has_lost_its_shape(switch: Switch) -> None:
    """Only the middle square is left, which is plain ground."""
    switch.turn_to("centre crop")

    seen = model_sees(films.png(WIDE))

    side, left = WIDE.shape[0], (WIDE.shape[1] - WIDE.shape[0]) // 2
    assert np.array_equal(seen, intended(WIDE[:, left : left + side]))


def test_a_film_that_is_not_inverted_is_a_negative(switch: Switch) -> None:
    """Bright is dark."""
    switch.turn_to("MONOCHROME1 not inverted")

    seen = model_sees(films.monochrome1(SQUARE))

    assert np.array_equal(seen, intended(255 - SQUARE))


@pytest.mark.parametrize("save", [films.png16, films.tiff16])
def test_a_film_of_16_bits_is_clipped_to_white(switch: Switch, save: Callable[[Pixels], bytes]) -> None:
    """Nothing is left of it."""
    switch.turn_to("16 bits clipped")

    seen = model_sees(save(SQUARE))

    assert np.array_equal(seen, intended(np.full_like(SQUARE, 255)))
