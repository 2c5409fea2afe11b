"""The servers that are asked: ours, and stock vLLM in the forms that it can be started in."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.conversation import MODEL
from benchmarks.speed.rival import command as rival
from benchmarks.speed.rival.tokenizer import write_copy
from benchmarks.speed.roofline import Precision
from benchmarks.speed.server import Server

MAX_NUM_SEQS = 256
"""Of the engine: as many as the largest batch that is asked for."""

MAX_WAITING = 1024
"""Of our server: the crowd is larger than the engine's batch, and nobody is to be turned away."""

RIVALS: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]] = {
    "stock vLLM": ({}, {}),
    "stock vLLM, 4 API servers": ({"--api-server-count": "4"}, {}),
    "stock vLLM, its Rust front end": ({}, {"VLLM_USE_RUST_FRONTEND": "1"}),
}
"""Further flags and environment of each."""

SERVE = ["-m", "vllm.entrypoints.cli.main", "serve"]
"""`vllm serve`, which alone starts several API servers or the Rust one; the server's own module ignores both."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs behind every one of them. eager: neither compiled nor captured in CUDA graphs."""

    checkpoint: Path
    precision: Precision
    eager: bool

    def flags(self) -> dict[str, str]:
        """By vLLM's names; bfloat16 is the dtype of what is not quantised."""
        fields = {"--load-format": "dummy", "--max-num-seqs": str(MAX_NUM_SEQS)}
        return fields | ({"--quantization": "fp8"} if self.precision == "fp8" else {})


def ours(engine: Engine, log: Path) -> Server:
    """log: a file for what it says."""
    words = ["serve", "--model", str(engine.checkpoint), "--served-model-name", MODEL, "--dtype", "bfloat16"]
    for flag, value in engine.flags().items():
        words += ["--engine", f"{flag.removeprefix('--').replace('-', '_')}={value}"]
    words += ["--max-waiting", str(MAX_WAITING), *(["--enforce-eager"] if engine.eager else [])]
    port = _free_port()
    command = [sys.executable, "-m", "huatuo_server", *words, "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    return Server("ours", engine.checkpoint, command, os.environ, url, "/health/ready", log)


def stock(engine: Engine, name: str, tokenizer: Path, log: Path) -> Server:
    """name: one of RIVALS. tokenizer: a folder that is not there yet, for its copy."""
    flags, environ = RIVALS[name]
    port = _free_port()
    placeholder = write_copy(engine.checkpoint, tokenizer)
    given = {**engine.flags(), "--dtype": "bfloat16", **flags}
    command = rival.command(
        engine.checkpoint, tokenizer, placeholder, model=MODEL, port=port, flags=given, chunked_prefill=not engine.eager
    )
    if not engine.eager:
        command.remove("--enforce-eager")
    if flags or environ:
        at = command.index("--model")
        # There the model is no flag.
        command = [sys.executable, *SERVE, *command[at + 1 :]]
    url = f"http://127.0.0.1:{port}"
    # As with ours, what the operator has set stays.
    environment = {**rival.ENVIRONMENT, **os.environ, **environ}
    return Server("stock", engine.checkpoint, command, environment, url, "/health", log)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
