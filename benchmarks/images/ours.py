"""Our side: the server's own path, from the text of a `data:` URL through its image workers to vLLM's renderer.

The cache of prepared pictures is off. The model would look bytes up in its table of normalised values on its device;
here the look-up is done and paid for in this process, so that both sides end with the same kind of tensor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from prometheus_client import CollectorRegistry

from benchmarks.images.renderer import PACKAGES, quieten, rendered, renderer
from benchmarks.images.side import Round, serve
from benchmarks.machine import versions
from huatuo_server.admission.budget import Budget
from huatuo_server.admission.flow import Claimant, Flow
from huatuo_server.checkpoint import Checkpoint
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.cache import PictureCache
from huatuo_server.images.content import Content
from huatuo_server.images.preparation import Preparation
from huatuo_server.images.workers import ImageWorkers, WorkerLimits
from huatuo_server.metrics import Metrics
from huatuo_server.model_card import ModelCard
from huatuo_server.placeholder import image_token_id
from huatuo_server.protocol.data_url import Base64
from huatuo_server.protocol.view import WHOLE
from huatuo_server.settings import Settings
from huatuo_server.tokenizer import Tokenizer
from tests import golden

CLAIMANT = Claimant(Flow("benchmark", "routine"), "benchmark")
SETTINGS = Settings()
"""The defaults; only the number of workers and the cache are the benchmark's own."""


class Ours:
    """The path of one image, with so many workers."""

    def __init__(self, workers: int, card: ModelCard, renderer: Any, placeholder: int) -> None:
        limits = WorkerLimits(SETTINGS.image_memory_bytes, SETTINGS.image_cpu_s, SETTINGS.image_timeout_s)
        self._workers = ImageWorkers(workers, limits)
        self._preparation = Preparation(
            self._workers,
            PictureCache(0),
            Budget("pixels", SETTINGS.max_pixels_in_flight, "--max-pixels-in-flight"),
            Bounds(SETTINGS.max_image_pixels, SETTINGS.max_image_side, SETTINGS.max_frames),
            b"benchmark",
            Metrics(CollectorRegistry()),
        )
        self._card = card
        self._renderer = renderer
        self._placeholder = placeholder
        self._table = _table()

    async def prepare(self, url: str) -> Any:
        """A tensor of shape (3, 336, 336), normalised."""
        source = Base64.of_data_url(url, param="image_url")
        with await asyncio.to_thread(_file, source) as content:
            picture = await self._preparation.picture(content, WHOLE, CLAIMANT, self._card)
        prompt = {
            "prompt_token_ids": [self._placeholder],
            "multi_modal_data": {"image": [picture.pixels]},
            "multi_modal_uuids": {"image": [picture.identity]},
        }
        return await asyncio.to_thread(self._normalised, await rendered(self._renderer, prompt))

    def _normalised(self, pixels: Any) -> Any:
        """As `huatuo_vllm.model` does it."""
        import torch

        return self._table[torch.arange(3).view(3, 1, 1), pixels.long()].to(torch.bfloat16)


def main() -> None:
    """Serve the rounds that are asked for on stdin."""
    quieten()
    asyncio.run(_main())


async def _main() -> None:
    import huatuo_vllm

    huatuo_vllm.register()
    checkpoint = Checkpoint.open(golden.CHECKPOINT)
    tokenizer = Tokenizer.load(golden.CHECKPOINT)
    card = ModelCard(checkpoint.family, tokenizer, checkpoint.eos_token_ids, checkpoint.tokens_per_image, 0, "", "")
    placeholder = image_token_id(checkpoint, tokenizer)
    overrides = {"image_token_index": placeholder, "huatuo_text_placeholder": False}
    vllm_renderer = renderer(golden.CHECKPOINT, mm_processor_cache_gb=0, hf_overrides=overrides)
    pools: dict[int, Ours] = {}

    async def begin(asked: Round) -> Callable[[str], Awaitable[Any]]:
        if asked.workers not in pools:
            pools[asked.workers] = Ours(asked.workers, card, vllm_renderer, placeholder)
        return pools[asked.workers].prepare

    await serve({"versions": versions(*PACKAGES)}, begin)


def _file(source: Base64) -> Content:
    return Content(source.content())


def _table() -> Any:
    import torch

    from huatuo_vllm.normalisation import normalisation_table

    return torch.from_numpy(normalisation_table())


if __name__ == "__main__":
    main()
