"""How stock vLLM is started: with the engine arguments of `huatuo_server.engine.vllm_engine`, our plugin loaded.

Whatever is not the engine's is as vLLM has it: its log, its statistics, its cache of processed pictures.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.speed.rival.tokenizer import Placeholder
from huatuo_server.checkpoint import Checkpoint

TEMPLATE = Path(__file__).parent / "chat_template.jinja"

ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_USE_V2_MODEL_RUNNER": "0",
    "VLLM_CPU_KVCACHE_SPACE": "2",
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
}
"""As our server sets it for itself."""

PENALTY = "huatuo_vllm.penalty:OutputRepetitionPenalty"
"""Of the first model runner; it has nothing to do at a penalty of 1."""

MAX_IMAGES = 6
"""A request, as our server takes by default."""


def command(
    checkpoint: Path,
    tokenizer: Path,
    placeholder: Placeholder,
    *,
    model: str,
    port: int,
    flags: Mapping[str, str] | None = None,
    chunked_prefill: bool = False,
) -> list[str]:
    """tokenizer, placeholder: of `rival.tokenizer`. model: what clients call it. flags: further ones.

    chunked_prefill: off on a CPU, as our engine has it there.
    """
    opened = Checkpoint.open(checkpoint)
    max_model_len = min(opened.family.default_max_model_len, opened.max_position_embeddings)
    overrides = {"image_token_index": placeholder.token_id, "huatuo_text_placeholder": False}
    given = {
        "--model": str(checkpoint),
        "--tokenizer": str(tokenizer),
        "--served-model-name": model,
        "--host": "127.0.0.1",
        "--port": str(port),
        "--chat-template": str(TEMPLATE),
        "--chat-template-content-format": "openai",
        "--default-chat-template-kwargs": json.dumps({"image_token": placeholder.name}),
        "--max-model-len": str(max_model_len),
        "--limit-mm-per-prompt": json.dumps({"image": MAX_IMAGES}),
        "--generation-config": "vllm",
        "--scheduling-policy": "priority",
        "--structured-outputs-config": json.dumps({"backend": "guidance", "disable_any_whitespace": True}),
        "--hf-overrides": json.dumps(overrides),
        "--logits-processors": PENALTY,
        **(flags or {}),
    }
    chunks = "--enable-chunked-prefill" if chunked_prefill else "--no-enable-chunked-prefill"
    words = [word for flag, value in given.items() for word in (flag, value)]
    return [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *words, "--enforce-eager", chunks]
