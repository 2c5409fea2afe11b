"""A server with planted bugs, as a process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.smoke.bug import Switch

ROOT = Path(__file__).parents[3]

ANNOUNCED = "listening on "
POLL_S = 0.25
STOP_LIMIT_S = 60.0


@contextmanager
def serving(switch: Switch, log: Path, *flags: str) -> Iterator[str]:
    """The address of `huatuo-server serve` with these flags, on a free port and ready; stopped when the block ends.

    log: the file that its stderr goes to. Raises RunError where it ends before it is ready.
    """
    command = [sys.executable, "-m", "benchmarks.accuracy.smoke.planted", str(switch.file), "serve", "--port", "0"]
    # A setting of somebody's own server would be one of this one too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HUATUO_")}
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [*command, *flags], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            yield _ready(process, log)
        finally:
            _stop(process)


def _ready(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    url = process.stdout.readline().strip().removeprefix(ANNOUNCED)
    while process.poll() is None:
        if _is_ready(url):
            return url
        time.sleep(POLL_S)
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    raise RunError(f"The server did not start: {said[-1] if said else 'it said nothing'}")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/ready", trust_env=False).status_code == 200
    except httpx.RequestError:
        # Busy with its imports, or about to end.
        return False


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
