"""A process with a real engine that prefills in chunks: prints how often it showed progress before the first token."""

from __future__ import annotations

import asyncio

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.engine.base import Prompt, Sampling, all_deltas
from huatuo_server.engine.vllm_engine import VllmEngine
from tests import golden

LONG = Prompt((5,) * 3000)
"""More than the 2,048 tokens that vLLM computes in a step on a CPU."""


async def beats() -> int:
    """Until the first token came."""
    engine = VllmEngine(
        Checkpoint.open(golden.CHECKPOINT),
        image_token_id=4095,
        dtype="float32",
        enforce_eager=True,
        # As on a GPU; on a CPU prompts are prefilled whole, since requests with seeds end that engine otherwise.
        engine_args={"enable_chunked_prefill": True, "max_num_batched_tokens": 2048},
    )
    await engine.start()
    seen = {engine.last_progress}

    async def watch() -> None:
        while True:
            seen.add(engine.last_progress)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await all_deltas(engine, LONG, Sampling(max_tokens=1), "long")
    watching.cancel()
    await engine.stop()
    return len(seen)


if __name__ == "__main__":
    print(asyncio.run(beats()))
