"""What the page windows by itself while a window is dragged, and the server's own render: films of each kind."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from huatuo_server.engine.scripted import Completion
from tests.server.images.dicom.dicom_samples import real
from tests.web.visiting import Twin, Visit


def film() -> bytes:
    """A 16-bit PNG of 900 x 1300 and 12 bits: smooth, and as noisy as a film."""
    rows, columns = np.mgrid[0:1300, 0:900]
    noise = np.random.default_rng(0).normal(0, 60, rows.shape)
    values = 2000 + 1500 * np.sin(columns / 40) + 1200 * np.cos(rows / 61) + noise
    file = io.BytesIO()
    Image.fromarray(np.clip(values, 0, 4095).astype(np.uint16)).save(file, "PNG")
    return file.getvalue()


FILMS: dict[str, Callable[[], bytes]] = {
    "CT": lambda: real("bad_sequence.dcm"),
    "CR, MONOCHROME1, larger than the preview": lambda: real("RG1_UNCR.dcm"),
    "MR": lambda: real("MR2_UNCR.dcm"),
    "a 16-bit PNG, larger than the preview": film,
    "an ultrasound picture in colour": lambda: real("US1_UNCR.dcm"),
}


def test_a_dragged_window_is_the_servers_within_a_grey_level(tmp_path: Path, twin: Twin, visit: Visit) -> None:
    """In every pixel, and for a window that cuts off much at both ends."""
    page = visit(twin(Completion(text="A film.")).base_url)
    page.ready()
    for number, (name, make) in enumerate(FILMS.items(), 1):
        file = tmp_path / f"film-{number}"
        file.write_bytes(make())
        page.choose(file)
        expect(page.thumbnails).to_have_count(number)
        page.picture_ready()
        page.picture_shown()

        # To the left is narrower: from the file's window to a part of it.
        page.drag((0.6, 0.5), (0.47, 0.53), button="right", release=False)
        dragged = np.array(page.greys())
        page.page.mouse.up(button="right")
        page.picture_ready()
        page.picture_shown()
        at_rest = np.array(page.greys())

        assert dragged.shape == at_rest.shape, name
        assert np.abs(dragged - at_rest).max() <= 1, name
        assert len(np.unique(at_rest)) > 16, name
