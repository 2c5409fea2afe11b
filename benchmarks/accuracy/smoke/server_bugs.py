"""The bugs of the server's own process, and the image workers' way to theirs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from benchmarks.accuracy.smoke.bug import Switch, plant
from huatuo_server import prompted
from huatuo_server.engine.base import Prompt, Sampling
from huatuo_server.engine.vllm_engine import VllmEngine
from huatuo_server.images import preparation, worker, workers
from huatuo_server.images.identity import identity
from huatuo_server.prompt import Message, render
from huatuo_server.tokenizer import Tokenizer

PLANTED_WORKER = "benchmarks.accuracy.smoke.planted_worker"

CHATML = {
    "<|user|>\n": "<|im_start|>user\n",
    "\n<|assistant|>\n": "<|im_end|>\n<|im_start|>assistant\n",
}
"""What the last round becomes."""

Render = Callable[[Sequence[Message], Tokenizer], Prompt]
Identity = Callable[[str, str, str, bytes, str], str]
SamplingParams = Callable[[VllmEngine, Sampling], Any]


def plant_all(switch: Switch) -> None:
    """In this process and in the image workers that it will start."""
    plant(prompted, "render", rendering(render, switch))
    plant(preparation, "identity", telling_bugs_apart(identity, switch))
    plant(VllmEngine, "_sampling_params", penalising(VllmEngine._sampling_params, switch))
    plant(workers, "subprocess", SimpleNamespace(**{**vars(subprocess), "Popen": starting(subprocess.Popen, switch)}))


def rendering(render: Render, switch: Switch) -> Render:
    """ChatML, or the pictures in the wrong order."""

    def planted(messages: Sequence[Message], tokenizer: Tokenizer) -> Prompt:
        bug = switch.bug
        prompt = render(messages, cast(Tokenizer, _ChatMl(tokenizer)) if bug == "wrong template" else tokenizer)
        return replace(prompt, images=prompt.images[::-1]) if bug == "pictures swapped" else prompt

    return planted


def penalising(sampling_params: SamplingParams, switch: Switch) -> SamplingParams:
    """vLLM's own penalty, which counts the prompt's tokens as well, in place of ours."""

    def planted(engine: VllmEngine, sampling: Sampling) -> Any:
        if switch.bug != "penalty on the prompt":
            return sampling_params(engine, sampling)
        params = sampling_params(engine, replace(sampling, repetition_penalty=1.0))
        params.repetition_penalty = sampling.repetition_penalty
        return params

    return planted


def telling_bugs_apart(identity: Identity, switch: Switch) -> Identity:
    """No cache may hold what was made of a picture without the bug: it would hide the bug."""

    def planted(sha256: str, seen: str, family: str, secret: bytes, tenant: str) -> str:
        return identity(sha256, f"{switch.bug} {seen}", family, secret, tenant)

    return planted


def starting(popen: Callable[..., Any], switch: Switch) -> Callable[..., Any]:
    """Image workers in which bugs are planted, in the place of ordinary ones.

    The started call raises ValueError where the server starts another program than its worker.
    """

    def planted(command: Sequence[str], **options: Any) -> Any:
        arguments = command[command.index(worker.__name__) + 1 :]
        return popen([sys.executable, "-m", PLANTED_WORKER, str(switch.file), *arguments], **options)

    return planted


class _ChatMl:
    """A tokenizer for which our template's words are ChatML's."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        for ours, theirs in CHATML.items():
            text = text.replace(ours, theirs)
        return self._tokenizer.encode(text)
