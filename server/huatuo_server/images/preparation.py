"""An image's file -> what the model sees of it: through admission, the cache, and a worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np

from huatuo_server.admission.budget import Budget
from huatuo_server.admission.flow import Claimant
from huatuo_server.admission.gate import Gate
from huatuo_server.errors import ImageWorkersFailed, InternalError, RequestError
from huatuo_server.families import PicturePolicy
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.cache import Picture, PictureCache
from huatuo_server.images.content import Content
from huatuo_server.images.identity import asked, identity, resolved
from huatuo_server.images.job import Inspect, Prepare, Render, Reply
from huatuo_server.images.workers import ImageWorkers
from huatuo_server.metrics import Metrics
from huatuo_server.model_card import ModelCard
from huatuo_server.protocol.provenance import ImageProvenance
from huatuo_server.protocol.view import WHOLE, Form, View

FACTS = frozenset(ImageProvenance.__annotations__)

STAGES = frozenset({"inspect", "decode", "prepare", "render"})
"""What a worker may report the time of."""

SMALL_BYTES = 512 * 1024
SMALL_PIXELS = 1_000_000
"""So short a file is sent to be prepared without a look at its header, with a place for so many pixels. It is most
often enough, and saves one of two ways to a worker and back; else the header comes back, and nothing was decoded."""

PIXELS_AT_ONCE = 20_000_000
"""Decoded side by side, however many workers there are: the largest take half a gigabyte each, and go alone."""

ONE_PIXEL = bytes.fromhex(
    "424d3a000000000000003600000028000000010000000100000001001800000000000400000000000000000000000000000000000000ffffff00"
)
"""A BMP."""


class Preparation:
    """Built once; every method may run for many requests at a time.

    pixels: of all images that wait or are in work. secret: keys the identities.
    """

    def __init__(
        self,
        workers: ImageWorkers,
        cache: PictureCache,
        pixels: Budget,
        bounds: Bounds,
        secret: bytes,
        metrics: Metrics,
    ) -> None:
        self._workers = workers
        self._cache = cache
        self._pixels = pixels
        self._at_once = Gate(PIXELS_AT_ONCE)
        self._bounds = bounds
        self._secret = secret
        self._metrics = metrics

    async def picture(self, content: Content, view: View, claimant: Claimant, card: ModelCard) -> Picture:
        """What the model sees. Raises RequestError."""
        tenant = claimant.flow.tenant
        key = identity(content.sha256, asked(view), card.family.name, self._secret, tenant)
        kept = self._cache.get(tenant, key)
        self._metrics.image_cache.labels("miss" if kept is None else "hit").inc()
        if kept is not None:
            return kept
        num_forgotten = self._cache.num_forgotten
        reply = await self._work(content, Prepare(view, self._bounds, card.family.picture), claimant)
        picture = self._picture_of(reply, content.sha256, tenant, card)
        if self._cache.num_forgotten == num_forgotten:
            self._cache.put(tenant, key, picture)
        return picture

    async def rendering(
        self, content: Content, view: View, claimant: Claimant, card: ModelCard, max_side: int | None, form: Form
    ) -> tuple[bytes, ImageProvenance]:
        """A PNG for people. max_side: pixels, None for what the model sees. Raises RequestError."""
        reply = await self._work(content, Render(view, self._bounds, card.family.picture, max_side, form), claimant)
        tokens = card.tokens_per_image if max_side is None else None
        return reply.payload, _provenance(reply, content.sha256, tokens)

    async def check(self) -> None:
        """Prepare a picture of one pixel. Raises ImageWorkersFailed where the workers cannot do even that."""
        try:
            with Content([ONE_PIXEL]) as content:
                await self._workers.run(content, Prepare(WHOLE, self._bounds, PicturePolicy()))
        except RequestError as error:
            raise ImageWorkersFailed(f"the image workers failed a picture of one pixel: {error.message}") from error

    def forget(self, tenant: str, sha256: str) -> None:
        """The file was deleted: what was made of it goes as well."""
        self._cache.forget(tenant, sha256)

    async def _work(self, content: Content, job: Prepare | Render, claimant: Claimant) -> Reply:
        """The header first, and a place among the pixels in flight; then the whole. Both at once for a small file."""
        began = self._metrics.clock()
        if isinstance(job, Prepare) and self._may_be_small(content, claimant):
            reply = await self._done(content, replace(job, at_most_pixels=SMALL_PIXELS), SMALL_PIXELS, claimant)
            if reply.payload:
                self._observe(content, began, reply)
                return reply
            header = reply
        else:
            header = await self._workers.run(content, Inspect(self._bounds, job.view.frame), claimant.flow)
        reply = await self._done(content, job, _num_pixels(header.facts), claimant)
        self._observe(content, began, header, reply)
        return reply

    def _may_be_small(self, content: Content, claimant: Claimant) -> bool:
        """Worth a try without a look at its header: the pixels are to be had, and it would not wait to be judged."""
        if content.num_bytes > SMALL_BYTES or not self._at_once.has_room(SMALL_PIXELS):
            return False
        return self._pixels.fits(claimant, SMALL_PIXELS)

    def _observe(self, content: Content, began: float, *replies: Reply) -> None:
        """replies: of all that was done for it, the picture's last."""
        self._metrics.image_bytes.inc(content.num_bytes)
        self._metrics.image_pixels.inc(_num_pixels(replies[-1].facts))
        seconds: Counter[str] = Counter()
        for reply in replies:
            seconds.update({stage: float(reply.seconds[stage]) for stage in STAGES & reply.seconds.keys()})
        waited = self._metrics.clock() - began - sum(seconds.values())
        for stage, spent in {"wait": max(0.0, waited), **seconds}.items():
            self._metrics.image_stage.labels(stage).observe(spent)

    async def _done(self, content: Content, job: Prepare | Render, num_pixels: int, claimant: Claimant) -> Reply:
        return await asyncio.shield(await self._begin(content, job, num_pixels, claimant))

    async def _begin(
        self, content: Content, job: Prepare | Render, num_pixels: int, claimant: Claimant
    ) -> asyncio.Task[Reply]:
        """Once a worker has the job, its pixels are in work until it is done, whether or not anybody still waits."""
        reserved = self._pixels.reservation(claimant)
        reserved.grow_to(num_pixels)
        try:
            await self._at_once.enter(claimant.flow, num_pixels)
        except BaseException:
            reserved.release()
            raise

        def give_back(_: object = None) -> None:
            self._at_once.leave(num_pixels)
            reserved.release()

        try:
            task = await self._workers.begin(content, job, claimant.flow)
        except BaseException:
            give_back()
            raise
        task.add_done_callback(give_back)
        return task

    def _picture_of(self, reply: Reply, sha256: str, tenant: str, card: ModelCard) -> Picture:
        size = card.family.picture.size_pixels
        if len(reply.payload) != size * size * 3:
            raise InternalError("The server failed to prepare the image.")
        pixels = np.frombuffer(reply.payload, np.uint8).reshape(size, size, 3)
        key = identity(sha256, resolved(reply.facts), card.family.name, self._secret, tenant)
        return Picture(pixels, key, _provenance(reply, sha256, card.tokens_per_image))


def _num_pixels(facts: Mapping[str, Any]) -> int:
    return int(facts["width"]) * int(facts["height"])


def _provenance(reply: Reply, sha256: str, tokens: int | None) -> ImageProvenance:
    """Ours last: a worker that a file has taken over could claim another's hash."""
    facts = {name: reply.facts[name] for name in FACTS & reply.facts.keys()}
    return cast(ImageProvenance, {**facts, "sha256": sha256, "tokens": tokens})
