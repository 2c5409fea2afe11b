"""The same load once more from vLLM's own generator: what two programs see of one server ought to agree."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.ask import CHAT
from benchmarks.speed.conversation import MODEL, conversations
from benchmarks.speed.measurement import Measurement, SideName
from benchmarks.speed.server import Server
from benchmarks.speed.workload import Workload

LIMIT_S = 300.0
FIGURES = {
    "requests_per_s": "request_throughput",
    "output_tokens_per_s": "output_throughput",
    "ttft_ms_p50": "median_ttft_ms",
}
"""Ours, and what vLLM calls them."""


def check(
    servers: Mapping[SideName, Server],
    workload: Workload,
    measured: Sequence[Measurement],
    tokenizer: Path,
    folder: Path,
) -> dict[str, Any]:
    """Of each side, each figure: what vLLM's generator saw, and the median of what AIPerf saw in `measured`.

    workload: of one turn and one closed loop. tokenizer: a folder that transformers can read.
    Raises subprocess.CalledProcessError or TimeoutExpired.
    """
    found: dict[str, Any] = {}
    for side, server in servers.items():
        seen = _run(server, workload, tokenizer, folder)
        aiperf = [one for one in measured if (one.side, one.workload) == (side, workload.name)]
        found[side] = {
            name: {"vllm": round(seen[theirs], 2), "aiperf": round(_median(aiperf, name), 2)}
            for name, theirs in FIGURES.items()
        }
    return found


def _run(server: Server, workload: Workload, tokenizer: Path, folder: Path) -> dict[str, Any]:
    (step,) = workload.steps
    dataset = folder / f"{workload.name}-{server.side}.jsonl"
    asked = conversations(workload, step.conversations, f"cross-check of {server.side}")
    dataset.write_text("".join(f"{json.dumps(body['messages'][0])}\n" for (body,) in asked), encoding="utf-8")
    flags = {
        "--backend": "openai-chat",
        "--base-url": server.url,
        "--endpoint": CHAT,
        "--model": MODEL,
        "--tokenizer": str(tokenizer),
        "--dataset-name": "custom_image",
        "--dataset-path": str(dataset),
        "--custom-output-len": str(workload.answer_tokens),
        "--num-prompts": str(step.conversations),
        "--max-concurrency": str(step.load.concurrency),
        "--temperature": "0",
        "--repetition-penalty": "1",
        "--result-dir": str(folder),
        "--result-filename": f"{workload.name}-{server.side}.json",
    }
    words = [word for flag, value in flags.items() for word in (flag, value)]
    words += ["--ignore-eos", "--enable-multimodal-chat", "--disable-tqdm", "--save-result"]
    program = [sys.executable, "-m", "benchmarks.speed.vllm_bench"]
    subprocess.run(
        [*program, *words], check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seen: dict[str, Any] = json.loads((folder / f"{workload.name}-{server.side}.json").read_text(encoding="utf-8"))
    return seen


def _median(measured: Sequence[Measurement], name: str) -> float:
    return median(one.ttft_ms(50) if name == "ttft_ms_p50" else getattr(one, name) for one in measured)
