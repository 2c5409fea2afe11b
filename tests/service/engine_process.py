"""`python -m tests.service.engine_process HOW [WORKERS]`: a real engine that is stopped while it answers.

In a process of its own, since vLLM's metrics allow for one engine a process, and what is left behind can be told apart.
HOW: "busy", or "hung", whose engine process is stopped by a signal first. Prints what was found, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from huatuo_server.checkpoint import Checkpoint
from huatuo_server.child_processes import Descendants
from huatuo_server.engine.base import Prompt, Sampling
from huatuo_server.engine.vllm_engine import VllmEngine
from tests import golden
from tests.service.running_engine import deltas_of

ENDLESS = Sampling(max_tokens=3000, ignore_eos=True)
LIMIT_S = 20.0


async def stopped(how: str, num_workers: int) -> dict[str, Any]:
    """What a stop took, and left."""
    before = _temporary()
    engine = VllmEngine(
        Checkpoint.open(golden.CHECKPOINT),
        image_token_id=4095,
        dtype="float32",
        tensor_parallel_size=num_workers,
        enforce_eager=True,
    )
    await engine.start()
    descendants = Descendants.now()
    began = engine.last_progress
    reader = asyncio.create_task(deltas_of(engine, Prompt((5, 6, 7)), ENDLESS, "endless"))
    await _until(lambda: engine.last_progress > began)
    if how == "hung":
        await _hang(engine, descendants)
    stop_began = time.monotonic()
    await engine.stop(grace_s=0.0 if how == "hung" else 3.0)
    took_s = time.monotonic() - stop_began
    await asyncio.wait({reader}, timeout=LIMIT_S)
    # On busy cores the kernel takes a while to free what a killed process had.
    await _until(lambda: not any(one.runs for one in descendants.processes))
    return {
        "took_s": round(took_s, 2),
        "num_processes": len(descendants.processes),
        "reader": type(reader.exception()).__name__ if reader.done() else "waits",
        "num_shared": len(descendants.shared),
        "left": sorted(map(str, (_temporary() - before) | set(filter(Path.exists, descendants.shared)))),
    }


async def _hang(engine: VllmEngine, descendants: Descendants) -> None:
    """No progress from now on, and vLLM's own check finds nothing."""
    for one in descendants.processes:
        if one.name == "VLLM::EngineCor":
            os.kill(one.pid, signal.SIGSTOP)
    await _until(lambda: time.monotonic() - engine.last_progress > 1)
    await engine.check()


async def _until(condition: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


def _temporary() -> set[Path]:
    # torch shares its cache between its runs.
    return {file for file in Path(tempfile.gettempdir()).iterdir() if not file.name.startswith("torchinductor_")}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(stopped(sys.argv[1], int(sys.argv[2])))))
