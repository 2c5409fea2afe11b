"""Stock vLLM's side: its loader, then its renderer with transformers' CLIP processor, as its API server calls them.

The loader (`MediaConnector`) decodes in a pool of 8 threads. The renderer runs the processor in one thread, one request
at a time, with one thread of torch (`OMP_NUM_THREADS` unset). Its cache of processed images is emptied before a round.

The checkpoint is a CLIP of 336 pixels, not a LLaVA: vLLM cannot import its LLaVA where torchvision is missing. The
loader, the renderer and the image processor are the same, and so was the time where both could be measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.images.renderer import PACKAGES, quieten, rendered, renderer
from benchmarks.images.side import Round, serve
from benchmarks.machine import versions

TOWER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
CONFIG = {
    "architectures": ["CLIPModel"],
    "model_type": "clip",
    "projection_dim": 32,
    "text_config": {**TOWER, "vocab_size": 4, "max_position_embeddings": 77, "bos_token_id": 1, "eos_token_id": 2},
    "vision_config": {**TOWER, "image_size": 336, "patch_size": 14},
}
"""The towers are as small as they may be: no model is loaded."""

PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 336},
    "crop_size": {"height": 336, "width": 336},
    "do_center_crop": True,
    "resample": 3,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
"""openai/clip-vit-large-patch14-336's, which the -hf conversions of LLaVA-1.5 share."""

TOKENIZER = {
    "tokenizer_class": "CLIPTokenizer",
    "bos_token": "<|startoftext|>",
    "eos_token": "<|endoftext|>",
    "unk_token": "<|endoftext|>",
    "pad_token": "<|endoftext|>",
}
VOCABULARY = {"!": 0, "<|startoftext|>": 1, "<|endoftext|>": 2, "a</w>": 3}


def main() -> None:
    """Serve the rounds that are asked for on stdin."""
    quieten()
    # None of the plugins that other packages bring, ours among them.
    os.environ["VLLM_PLUGINS"] = ""
    with tempfile.TemporaryDirectory() as folder:
        _write_checkpoint(Path(folder))
        asyncio.run(_main(Path(folder)))


async def _main(checkpoint: Path) -> None:
    from vllm.multimodal.media.connector import MediaConnector

    stock = renderer(checkpoint, runner="pooling")
    connector = MediaConnector()

    async def prepare(url: str) -> Any:
        image = await connector.fetch_image_async(url)
        return await rendered(stock, {"prompt_token_ids": [], "multi_modal_data": {"image": image}})

    async def begin(_: Round) -> Callable[[str], Awaitable[Any]]:
        await stock.clear_mm_cache_async()
        return prepare

    await serve(_facts(stock), begin)


def _facts(stock: Any) -> dict[str, Any]:
    from vllm import envs

    processor = stock.mm_processor.info.get_hf_processor().image_processor
    return {
        "processor": type(processor).__name__,
        "backend": processor.backend,
        "loader_threads": envs.VLLM_MEDIA_LOADING_THREAD_COUNT,
        "processor_threads": 1,
        "torch_threads": int(os.environ.get("OMP_NUM_THREADS", "1")),
        "versions": versions(*PACKAGES),
    }


def _write_checkpoint(folder: Path) -> None:
    """All that the renderer reads of one."""
    for name, content in {
        "config.json": CONFIG,
        "preprocessor_config.json": PREPROCESSOR,
        "tokenizer_config.json": TOKENIZER,
        "vocab.json": VOCABULARY,
    }.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")


if __name__ == "__main__":
    main()
