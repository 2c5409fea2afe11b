"""An image's file and a view -> the picture, and what was done to it. Runs in a worker; see `worker.py`."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from PIL import Image

from huatuo_server.errors import InvalidRequest
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.dicom import reader as dicom
from huatuo_server.images.formats import HEAD_BYTES, sniff
from huatuo_server.images.frame import Frame, Grey, Header
from huatuo_server.images.grey16 import at_most, grey16, smaller
from huatuo_server.images.job import Inspect, Prepare, Render, Reply
from huatuo_server.images.plain import reader as plain
from huatuo_server.images.prepare import padding, prepare
from huatuo_server.images.window import shade, shade_picture
from huatuo_server.protocol.provenance import FrameFacts
from huatuo_server.protocol.view import View

DOWNSCALING_WORTH_A_WARNING = 2.0

Region = tuple[int, int, int, int]


@dataclass(slots=True)
class Stopwatch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times the block."""
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began


def inspect(file: BinaryIO, job: Inspect) -> Reply:
    """The header's facts. Raises RequestError."""
    watch = Stopwatch()
    with watch.stage("inspect"):
        header = _header(file, job.frame, job.bounds)
    return Reply(asdict(header), seconds=watch.seconds)


def make_picture(file: BinaryIO, job: Prepare) -> Reply:
    """The model's picture and its provenance, or the header's facts where it is too large. Raises RequestError."""
    watch = Stopwatch()
    if job.at_most_pixels is not None:
        with watch.stage("inspect"):
            header = _header(file, job.view.frame, job.bounds)
        if header.width * header.height > job.at_most_pixels:
            return Reply(asdict(header), seconds=watch.seconds)
        file.seek(0)
    with watch.stage("decode"):
        frame = _read(file, job)
    with watch.stage("prepare"):
        image, facts = _seen(frame, job.view)
        pixels = prepare(image, job.policy)
    return Reply(_for_the_model(facts, image, job), pixels.tobytes(), watch.seconds)


def render(file: BinaryIO, job: Render) -> Reply:
    """A PNG and its provenance. Raises RequestError."""
    watch = Stopwatch()
    with watch.stage("decode"):
        frame = _read(file, job)
    with watch.stage("render"):
        image, facts = _rendered(frame, job)
        # No reader's left-overs: a profile or a comment of the file's would go along.
        image.info = {}
        file_out = io.BytesIO()
        # The least compression: the time is the user's, and the wire is a local one.
        image.save(file_out, "PNG", compress_level=1)
    return Reply(facts, file_out.getvalue(), watch.seconds)


def _header(file: BinaryIO, frame: int | None, bounds: Bounds) -> Header:
    return dicom.read_header(file, bounds) if _is_dicom(file) else plain.read_header(file, frame, bounds)


def _is_dicom(file: BinaryIO) -> bool:
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return sniff(head) == "DICOM"


def _read(file: BinaryIO, job: Prepare | Render) -> Frame:
    read_frame = dicom.read_frame if _is_dicom(file) else plain.read_frame
    return read_frame(file, job.view.frame, job.bounds)


def _rendered(frame: Frame, job: Render) -> tuple[Image.Image, dict[str, Any]]:
    if job.form == "gray16":
        return _grey_values(frame, job)
    image, facts = _seen(frame, job.view, job.max_side)
    if job.max_side is None:
        return Image.fromarray(prepare(image, job.policy)), _for_the_model(facts, image, job)
    scaled = at_most(image, job.max_side)
    return scaled, _scaled(facts, max(scaled.size))


def _grey_values(frame: Frame, job: Render) -> tuple[Image.Image, dict[str, Any]]:
    region = _region(job.view, frame.facts)
    image, values = grey16(frame.pixels, region)
    scaled = image if job.max_side is None else at_most(image, job.max_side)
    return scaled, _scaled({**frame.facts, "region": _edges(region), "values": values}, max(scaled.size))


def _seen(frame: Frame, view: View, max_side: int | None = None) -> tuple[Image.Image, dict[str, Any]]:
    """The frame through its window, cut to the region; RGB or L.

    max_side: a larger one is, as far as can be, scaled before it is windowed, as by a page that windows for itself.
    """
    region = _region(view, frame.facts)
    facts: dict[str, Any] = {**frame.facts, "region": _edges(region)}
    if isinstance(frame.pixels, Grey):
        little = None if max_side is None else smaller(frame.pixels, region, max_side)
        image, facts["window"], warnings = shade(frame.pixels, view, little)
        facts["warnings"] = [*frame.facts["warnings"], *warnings]
        return (image if little is not None else _cut(image, region)), facts
    image = _cut(frame.pixels, region)
    return _windowed(image if max_side is None else at_most(image, max_side), view, facts), facts


def _cut(image: Image.Image, region: Region | None) -> Image.Image:
    return image if region is None else image.crop(region)


def _windowed(image: Image.Image, view: View, facts: dict[str, Any]) -> Image.Image:
    if view.preset is not None:
        raise InvalidRequest(
            "Presets are in Hounsfield units, which this image is not in: give a window instead.", param="view.preset"
        )
    if view.window is None:
        return image
    facts["window"] = {**asdict(view.window), "source": "request"}
    return shade_picture(image, view.window)


def _region(view: View, facts: FrameFacts) -> Region | None:
    if view.region is not None and (view.region[2] > facts["width"] or view.region[3] > facts["height"]):
        raise InvalidRequest(
            f"The region reaches beyond the image, which is {facts['width']} x {facts['height']} pixels once upright.",
            param="view.region",
        )
    return view.region


def _edges(region: Region | None) -> list[int] | None:
    return None if region is None else list(region)


def _for_the_model(facts: dict[str, Any], image: Image.Image, job: Prepare | Render) -> dict[str, Any]:
    return _scaled(facts, job.policy.size_pixels) | {"padding": padding(image.size)}


def _scaled(facts: dict[str, Any], side: int) -> dict[str, Any]:
    """With the factor of the longer side, and a warning where it is large."""
    left, top, right, bottom = facts["region"] or (0, 0, facts["width"], facts["height"])
    factor = max(right - left, bottom - top) / side
    warnings = list(facts["warnings"])
    if factor >= DOWNSCALING_WORTH_A_WARNING:
        warnings.append(f"Downscaled {factor:.1f} times: detail smaller than that many pixels is not seen.")
    return {**facts, "padding": None, "downscaling": round(factor, 3), "warnings": warnings}
