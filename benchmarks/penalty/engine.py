"""vLLM's engine with 256 sequences at once: `python -m benchmarks.penalty.engine VOCABULARY ROUNDS`.

A decoder as small as the demo's with an output head as tall as a released model's, dummy weights, greedy. The three
kinds take turns in the one engine; what they need is asked for request by request. Prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from benchmarks.images.renderer import quieten
from benchmarks.machine import processor_s
from benchmarks.penalty.size import Kind, Size, asked
from huatuo_server.demo.checkpoint import write_demo_checkpoint

PROMPT_TOKENS, ANSWER_TOKENS = 16, 8
"""Short, since vLLM's own penalty takes a second a step here."""

ON_CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",
    "VLLM_CPU_OMP_THREADS_BIND": str(max(os.sched_getaffinity(0))),
}
"""1 GiB of KV cache, which is plenty, and one thread: what several wait for one another counts as processor time."""


@dataclass(frozen=True, slots=True)
class Run:
    """256 answers of one kind. step_ms: from start to end, over the steps. processor_ms: the same of processor time."""

    step_ms: float
    processor_ms: float


def measure(vocabulary: int, rounds: int) -> dict[Kind, list[Run]]:
    """In a process of its own, since vLLM's metrics allow one engine a process. Raises CalledProcessError."""
    command = [sys.executable, "-m", "benchmarks.penalty.engine", str(vocabulary), str(rounds)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1]
    return {kind: [Run(**run) for run in runs] for kind, runs in json.loads(said).items()}


def main() -> None:
    """Measure here."""
    vocabulary, rounds = map(int, sys.argv[1:3])
    quieten()
    os.environ.update(ON_CPU)
    with tempfile.TemporaryDirectory() as folder:
        _write_shapes(Path(folder) / "checkpoint", vocabulary)
        runs = _rounds(_engine(Path(folder) / "checkpoint"), vocabulary, rounds)
    print(json.dumps({kind: [asdict(run) for run in of_kind] for kind, of_kind in runs.items()}))


def _write_shapes(folder: Path, vocabulary: int) -> None:
    write_demo_checkpoint(folder, "34b")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": vocabulary}), encoding="utf-8")


def _engine(checkpoint: Path) -> Any:
    from vllm import LLM

    from huatuo_vllm.penalty import logits_processor

    return LLM(
        model=str(checkpoint),
        load_format="dummy",
        dtype="float32",
        enforce_eager=True,
        max_model_len=1024,
        max_num_seqs=Size(vocabulary=1).num_seqs,
        logits_processors=[logits_processor(use_v2=False)],
    )


def _rounds(engine: Any, vocabulary: int, rounds: int) -> dict[Kind, list[Run]]:
    random = np.random.default_rng(0)
    shape = (Size(vocabulary).num_seqs, PROMPT_TOKENS)
    prompts = [{"prompt_token_ids": ids} for ids in random.integers(10, 1000, size=shape).tolist()]
    kinds: tuple[Kind, ...] = get_args(Kind)
    runs: dict[Kind, list[Run]] = {kind: [] for kind in kinds}
    for number in range(rounds + 1):
        for kind in kinds if number % 2 else kinds[::-1]:
            run = _run(engine, prompts, kind)
            if number:
                runs[kind].append(run)
    return runs


def _run(engine: Any, prompts: Any, kind: Kind) -> Run:
    from vllm import SamplingParams

    params = SamplingParams(temperature=0, max_tokens=ANSWER_TOKENS, ignore_eos=True, detokenize=False, **asked(kind))
    processor_began, began = processor_s(), time.perf_counter()
    engine.generate(prompts, params, use_tqdm=False)
    took, processor_took = time.perf_counter() - began, processor_s() - processor_began
    return Run(round(took / ANSWER_TOKENS * 1e3, 2), round(processor_took / ANSWER_TOKENS * 1e3, 2))


if __name__ == "__main__":
    main()
