"""Whether the engine answers as the reference does, on this device: `huatuo-server verify` on tiny checkpoints.

Float32, where the thresholds are fixed. Each model runner that this vLLM has is tried: V1 alone before 0.32 and on a
processor, where V2 does not run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.device.shapes import Layout
from huatuo_server.demo.checkpoint import write_demo_checkpoint

CHECKPOINTS = ("golden", "7b", "34b")
"""The tests' own, whose model is the most sensitive, and the demo's in each released layout."""

LIMIT_S = 600.0
GOLDEN = Path(__file__).parents[3] / "tests/data/golden/checkpoint"
"""Read from the clone; the reference implementation's own answers on it are checked by `make test-gpu`."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Of one checkpoint on one runner. verdict: what `verify` said last, and what it ran on."""

    checkpoint: str
    runner: str
    passed: bool
    verdict: str
    seconds: float


def runners(kind: str, version: tuple[int, int]) -> list[str]:
    """kind: "cuda" or "cpu". version: of vLLM."""
    return ["V1", "V2"] if kind == "cuda" and version >= (0, 32) else ["V1"]


def check(checkpoint: str, folder: Path, runner: str) -> Parity:
    """checkpoint: one of CHECKPOINTS. folder: where the demo's may be written. Raises TimeoutExpired."""
    path = GOLDEN if checkpoint == "golden" else _written(folder / f"demo-{checkpoint}", checkpoint)
    began = time.perf_counter()
    code, said, errors = _verify(path, runner)
    lines = said.splitlines() or errors.splitlines()[-5:]
    failures = [line for line in lines if line.startswith("FAILED")] or lines[-1:]
    verdict = "; ".join([*lines[:1], *failures])
    return Parity(checkpoint, runner, code == 0, verdict, time.perf_counter() - began)


def _verify(path: Path, runner: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "huatuo_server", "verify", "--model", str(path), "--dtype", "float32"],
        env={**os.environ, "VLLM_USE_V2_MODEL_RUNNER": str(int(runner == "V2"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said, errors = process.communicate(timeout=LIMIT_S)
    finally:
        # The session is its own, so that nothing of it stays behind, the engine's processes included.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode, said, errors


def _written(folder: Path, layout: str) -> Path:
    if not folder.exists():
        known: dict[str, Layout] = {"7b": "7b", "34b": "34b"}
        write_demo_checkpoint(folder, known[layout])
    return folder
