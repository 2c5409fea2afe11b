"""One image on its way through admission and a worker: how often it goes there, and which pixels it holds meanwhile."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Coroutine
from typing import Any

import numpy as np
import pytest
from PIL import Image
from prometheus_client import CollectorRegistry

from huatuo_server.admission.budget import Budget
from huatuo_server.admission.flow import Claimant, Flow
from huatuo_server.errors import ServerBusy
from huatuo_server.families import HUATUO_7B, PicturePolicy
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.cache import Picture, PictureCache
from huatuo_server.images.content import Content
from huatuo_server.images.job import Job, Reply
from huatuo_server.images.preparation import SMALL_BYTES, SMALL_PIXELS, Preparation
from huatuo_server.images.prepare import prepare
from huatuo_server.images.workers import ImageWorkers, WorkerLimits
from huatuo_server.metrics import Metrics
from huatuo_server.model_card import ModelCard
from huatuo_server.protocol.view import WHOLE
from huatuo_server.tokenizer import Tokenizer
from tests import golden

CLAIMANT = Claimant(Flow("tenant", "routine"), "request")
LIMITS = WorkerLimits(memory_bytes=512 * 1024 * 1024, cpu_s=5.0, timeout_s=30.0)


class Watched(ImageWorkers):
    """Workers, one of each kind, that note the jobs they get and the pixels that are in flight as they get them."""

    def __init__(self, pixels: Budget) -> None:
        super().__init__(1, LIMITS)
        self.jobs: list[tuple[str, int]] = []
        self._pixels = pixels

    async def begin(self, content: Content, job: Job, flow: Flow) -> asyncio.Task[Reply]:
        self.jobs.append((type(job).__name__, self._pixels.in_flight))
        return await super().begin(content, job, flow)


class Prepared:
    """What became of one picture's file. stages: how often each was timed."""

    def __init__(self) -> None:
        self.picture: Picture | None = None
        self.jobs: list[tuple[str, int]] = []
        self.in_flight_after = -1
        self.stages: dict[str, float] = {}


async def prepared(data: bytes, max_pixels: int = 10**9) -> Prepared:
    pixels, registry = Budget("pixels", max_pixels, "--max-pixels-in-flight"), CollectorRegistry()
    workers, outcome = Watched(pixels), Prepared()
    preparation = Preparation(workers, PictureCache(0), pixels, Bounds(), b"secret", Metrics(registry))
    try:
        with Content([data]) as content:
            outcome.picture = await preparation.picture(content, WHOLE, CLAIMANT, card())
    finally:
        outcome.jobs, outcome.in_flight_after = workers.jobs, pixels.in_flight
        await workers.close()
    for stage in ("inspect", "wait", "decode", "prepare"):
        outcome.stages[stage] = registry.get_sample_value("hgv_image_stage_seconds_count", {"stage": stage}) or 0
    return outcome


def card() -> ModelCard:
    return ModelCard(HUATUO_7B, Tokenizer.load(golden.CHECKPOINT), (0,), 576, 0, "", "")


def file_of(size: tuple[int, int], *, noise: bool = False) -> bytes:
    """A PNG. noise: which cannot be compressed."""
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    file = io.BytesIO()
    (Image.fromarray(values) if noise else Image.new("RGB", size, (9, 99, 199))).save(file, "PNG", compress_level=1)
    return file.getvalue()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_small_file_goes_to_a_worker_once() -> None:
    """With a place for as many pixels as it may have, which it gives back; every stage is timed."""

    async def work() -> None:
        outcome = await prepared(file_of((100, 70)))

        assert outcome.jobs == [("Prepare", SMALL_PIXELS)]
        assert outcome.in_flight_after == 0
        assert outcome.stages == {"inspect": 1, "wait": 1, "decode": 1, "prepare": 1}
        assert outcome.picture is not None
        expected = prepare(Image.new("RGB", (100, 70), (9, 99, 199)), PicturePolicy())
        assert np.array_equal(outcome.picture.pixels, expected)

    run(work())


def test_a_small_file_with_many_pixels_is_decoded_with_a_place_for_all_of_them() -> None:
    """A bomb's header comes back first, and nothing was decoded for it."""

    async def work() -> None:
        data = file_of((3000, 2000))
        assert len(data) <= SMALL_BYTES

        outcome = await prepared(data)

        assert outcome.jobs == [("Prepare", SMALL_PIXELS), ("Prepare", 6_000_000)]
        assert outcome.in_flight_after == 0
        assert outcome.stages == {"inspect": 1, "wait": 1, "decode": 1, "prepare": 1}

    run(work())


def test_a_small_file_with_too_many_pixels_is_refused_undecoded() -> None:
    """The budget is asked for what the header says, as for any other file."""

    async def work() -> None:
        with pytest.raises(ServerBusy, match="--max-pixels-in-flight"):
            await prepared(file_of((3000, 2000)), max_pixels=5_999_999)

    run(work())


@pytest.mark.parametrize(
    ("data", "max_pixels"),
    [(file_of((500, 400), noise=True), 10**9), (file_of((100, 70)), SMALL_PIXELS - 1)],
    ids=["long", "no room"],
)
def test_a_long_file_or_one_that_finds_little_room_is_looked_at_first(data: bytes, max_pixels: int) -> None:
    """Its header tells how many pixels it takes; no more are held for it."""

    async def work() -> None:
        outcome = await prepared(data, max_pixels)

        assert [name for name, _ in outcome.jobs] == ["Inspect", "Prepare"]
        assert outcome.jobs[0][1] == 0
        assert outcome.jobs[1][1] < SMALL_PIXELS
        assert outcome.in_flight_after == 0

    run(work())
