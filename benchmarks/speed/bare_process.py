"""vLLM's AsyncLLM with nothing around it, told by lines of JSON on stdin what to generate; answers on stdout.

An order: {"prompts": token ids of each, "max_tokens": of each, "concurrency": at once}. The answer: seconds to the
first output of each, and the processor time of this process alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.images.renderer import quieten
from huatuo_server.command.output import claim_stdout

ON_CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_USE_V2_MODEL_RUNNER": "0",
}
"""As the server sets them, but for the cache: text needs little of it, and two servers may be up beside this."""


def main() -> None:
    """Serve the orders until stdin ends."""
    stdout = claim_stdout()
    quieten()
    os.environ.update(ON_CPU)
    # The loop that the server runs on.
    import uvloop

    uvloop.run(_main(stdout, sys.argv[1], int(sys.argv[2])))
    # Once its modules are gone, AsyncLLM's own end fails, and says so at length.
    os._exit(0)


async def _main(stdout: Any, checkpoint: str, max_num_seqs: int) -> None:
    engine = _engine(checkpoint, max_num_seqs)
    print(json.dumps({}), file=stdout, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await _obeyed(engine, **json.loads(line))), file=stdout, flush=True)
    engine.shutdown()


def _engine(checkpoint: str, max_num_seqs: int) -> Any:
    """With the arguments that `VllmEngine` gives, as far as they touch text."""
    from vllm import AsyncEngineArgs
    from vllm.platforms import current_platform
    from vllm.v1.engine.async_llm import AsyncLLM

    import huatuo_vllm
    from huatuo_vllm.penalty import logits_processor

    huatuo_vllm.register()
    chunked = {"enable_chunked_prefill": False} if current_platform.is_cpu() else {}
    arguments = AsyncEngineArgs(
        model=checkpoint,
        dtype="float32",
        enforce_eager=True,
        max_num_seqs=max_num_seqs,
        generation_config="vllm",
        scheduling_policy="priority",
        mm_processor_cache_gb=0,
        logits_processors=[logits_processor(False)],
        **chunked,
    )
    return AsyncLLM.from_engine_args(arguments)


async def _obeyed(engine: Any, prompts: Sequence[Sequence[int]], max_tokens: int, concurrency: int) -> dict[str, Any]:
    waiting = list(enumerate(prompts))
    ttfts: list[float] = []

    async def client() -> None:
        while waiting:
            number, token_ids = waiting.pop()
            ttfts.append(await _first_s(engine, f"{time.monotonic()}-{number}", token_ids, max_tokens))

    used = time.process_time()
    await asyncio.gather(*(client() for _ in range(concurrency)))
    return {"ttfts_s": ttfts, "processor_s": time.process_time() - used}


async def _first_s(engine: Any, request_id: str, token_ids: Sequence[int], max_tokens: int) -> float:
    """Seconds to the first output; returns when the last has come."""
    from vllm import SamplingParams
    from vllm.inputs import TokensPrompt
    from vllm.sampling_params import RequestOutputKind

    began, first = time.perf_counter(), 0.0
    sampling = SamplingParams(
        max_tokens=max_tokens,
        temperature=0.0,
        ignore_eos=True,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )
    (rendered,) = await engine.renderer.render_cmpl_async([TokensPrompt(prompt_token_ids=list(token_ids))])
    async for _ in engine.generate(rendered, sampling, request_id):
        first = first or time.perf_counter() - began
    return first


if __name__ == "__main__":
    main()
