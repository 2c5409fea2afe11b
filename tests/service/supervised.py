"""`huatuo-server` as a real process, for tests of what a supervisor sees: stdout, stderr, signals and exit codes."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import httpx

from tests.server.scripted_model import GOLDEN

LIMIT_S = 60.0


class SupervisedServer:
    """One `python -m huatuo_server ...`; killed at the end of the block, if it still runs."""

    def __init__(
        self, arguments: Sequence[str], environ: Mapping[str, str] | None = None, under: Sequence[str] = ()
    ) -> None:
        """under: a command that runs the server as its own process, such as a tracer."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("HUATUO_")}
        self._process = subprocess.Popen(
            [*under, sys.executable, "-m", "huatuo_server", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean, **(environ or {})},
        )
        self._stdout: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stderr: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._seen: list[str] = []
        self._readers = [
            _reader(self._process.stdout, self._stdout),
            _reader(self._process.stderr, self._stderr),
        ]
        self.url = ""

    def __enter__(self) -> SupervisedServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    @property
    def pid(self) -> int:
        return self._process.pid

    def listening(self) -> str:
        """Wait for the line on stdout; returns the base URL."""
        line = self._stdout.get(timeout=LIMIT_S)
        assert line is not None, f"the server ended: {self.errors()}"
        assert line.startswith("listening on http://")
        self.url = line.removeprefix("listening on ")
        return self.url

    def get(self, path: str, **given: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=LIMIT_S, trust_env=False, **given)

    def post(self, path: str, body: Any, **given: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=LIMIT_S, trust_env=False, **given)

    def until_ready(self, limit_s: float = LIMIT_S) -> None:
        """Wait until `/health/ready` is 200; fails at once where the process ends instead."""

        def ready() -> bool:
            assert self._process.poll() is None, f"the server ended: {self.errors()}"
            return self.get("/health/ready").status_code == 200

        until(ready, limit_s)

    def until_said(self, text: str) -> None:
        """Wait for a line on stderr that holds `text`."""
        deadline = time.monotonic() + LIMIT_S
        while not any(text in line for line in self._seen):
            line = self._stderr.get(timeout=max(0.0, deadline - time.monotonic()))
            assert line is not None, f"the server ended without saying {text!r}: {self._seen}"
            self._seen.append(line)

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        self._process.send_signal(number)

    def ended(self, limit_s: float = LIMIT_S) -> int:
        """Wait for the end; returns the exit code, negative for a death by signal."""
        return self._process.wait(limit_s)

    def rest_of_stdout(self) -> list[str]:
        """What stdout held beyond what was read; the process has ended."""
        return _drain(self._stdout)

    def said(self) -> list[str]:
        """All of stderr; the process has ended."""
        self._seen += _drain(self._stderr)
        return list(self._seen)

    def errors(self) -> list[str]:
        """All of stderr that is no JSON of the log; the process has ended."""
        return [line for line in self.said() if not line.startswith("{")]

    def log(self) -> list[dict[str, Any]]:
        """The log's records; the process has ended."""
        return [json.loads(line) for line in self.said() if line.startswith("{")]


def scripted(
    script: Mapping[str, Any],
    folder: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    under: Sequence[str] = (),
) -> SupervisedServer:
    """`serve` with the twin over the golden checkpoint's tokenizer, on a free port; under: as there."""
    file = folder / "script.json"
    file.write_text(json.dumps(script))
    return SupervisedServer(
        ["serve", "--scripted", str(file), "--model", str(GOLDEN), "--port", "0", *arguments], environ, under
    )


def until(condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Poll a condition; fails where it does not come within the limit."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


def _reader(stream: IO[str] | None, lines: queue.SimpleQueue[str | None]) -> threading.Thread:
    assert stream is not None

    def read() -> None:
        with stream:
            for line in stream:
                lines.put(line.rstrip("\n"))
        lines.put(None)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _drain(lines: queue.SimpleQueue[str | None]) -> list[str]:
    found = []
    while (line := lines.get(timeout=LIMIT_S)) is not None:
        found.append(line)
    lines.put(None)
    return found
