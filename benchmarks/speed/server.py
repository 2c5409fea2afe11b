"""A server under measurement: a process of its own on a port of this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Self
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.speed.conversation import MODEL
from benchmarks.speed.measurement import SideName
from benchmarks.speed.rival import command as rival
from benchmarks.speed.rival.tokenizer import write_copy

START_LIMIT_S = 300.0
STOP_LIMIT_S = 60.0
POLL_S = 0.5

ENGINE = {"--dtype": "float32"}
MAX_NUM_SEQS = 128
"""Light engine: a tiny model in the numbers that a CPU is quickest with, as many sequences as the front end is asked
for at once, and no graphs, which take minutes to compile and as long a step."""


class Server:
    """`with Server(...) as server:` starts one and ends it; `server.wait()` until it may be asked."""

    def __init__(
        self,
        side: SideName,
        checkpoint: Path,
        command: Sequence[str],
        environment: Mapping[str, str],
        url: str,
        ready: str,
        log: Path,
    ) -> None:
        """checkpoint: that it serves. ready: the path that answers 200 when it may be asked. log: for what it says."""
        self.side = side
        self.checkpoint = checkpoint
        self.command = list(command)
        self.url = url
        self._environment = dict(environment)
        self._ready = ready
        self._log_path = log
        self._log: IO[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that speaks HTTP. Raises RuntimeError where it has not started."""
        if self._process is None:
            raise RuntimeError("the server has not started")
        return self._process.pid

    def start(self) -> None:
        """Begin; `wait` waits until it is ready."""
        self._log = self._log_path.open("wb")
        self._process = subprocess.Popen(
            self.command, env=self._environment, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )

    def wait(self) -> None:
        """Raises RuntimeError where it ended or took too long; its log says why."""
        limit = time.monotonic() + START_LIMIT_S
        while not self._is_ready():
            if self._process is None or self._process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"{self.side} did not start:\n{self._last_words()}")
            time.sleep(POLL_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        process, log = self._process, self._log
        if process is None or log is None:
            return
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            # The session is the server's own, so that nothing of it stays behind.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()

    def _is_ready(self) -> bool:
        try:
            with urlopen(self.url + self._ready, timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, ConnectionError, TimeoutError):
            return False

    def _last_words(self) -> str:
        return self._log_path.read_text(encoding="utf-8", errors="replace")[-2000:]


def ours(checkpoint: Path, folder: Path, *, under: Sequence[str] = ("-m", "huatuo_server")) -> Server:
    """Our server. folder: for its log. under: what Python is to run in place of the server, with its arguments."""
    port = _free_port()
    words = ["serve", "--model", str(checkpoint), "--served-model-name", MODEL, "--port", str(port), "--enforce-eager"]
    words += [word for pair in ENGINE.items() for word in pair] + ["--engine", f"max_num_seqs={MAX_NUM_SEQS}"]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, *under, *words]
    return Server("ours", checkpoint, command, _clean(), url, "/health/ready", folder / "ours.log")


def stock(checkpoint: Path, folder: Path) -> Server:
    """Stock vLLM's. folder: for its log and its tokenizer."""
    port = _free_port()
    placeholder = write_copy(checkpoint, folder / "tokenizer")
    flags = {**ENGINE, "--max-num-seqs": str(MAX_NUM_SEQS)}
    words = rival.command(checkpoint, folder / "tokenizer", placeholder, model=MODEL, port=port, flags=flags)
    environment = _clean() | rival.ENVIRONMENT
    url = f"http://127.0.0.1:{port}"
    return Server("stock", checkpoint, words, environment, url, "/health", folder / "stock.log")


def _clean() -> dict[str, str]:
    """This environment without what would set our server's knobs."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUATUO_")}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
