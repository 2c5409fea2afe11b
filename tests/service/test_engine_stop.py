"""The real engine's end: prompt, complete, and without traces, whatever state it is in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.long

LIMIT_S = 300
SLACK_S = 5.0
"""For two busy cores; on idle ones it takes half a second."""


def stopped(how: str, num_workers: int, tmp_path: Path) -> dict[str, Any]:
    """Of `tests.service.engine_process`, with a folder of its own for temporary files."""
    pytest.importorskip("vllm", reason="vLLM is not installed")
    command = [sys.executable, "-m", "tests.service.engine_process", how, str(num_workers)]
    environ = {**os.environ, "TMPDIR": str(tmp_path), "VLLM_LOGGING_STREAM": "ext://sys.stderr"}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(found)
    return found


@pytest.mark.parametrize(("how", "num_workers", "limit_s"), [("busy", 1, 3.0), ("hung", 1, 0.0), ("hung", 2, 0.0)])
def test_a_stop_ends_everything_in_time_and_leaves_nothing(
    how: str, num_workers: int, limit_s: float, tmp_path: Path
) -> None:
    """No process, no socket, no file, no shared memory; and whoever waits for a token hears that it will not come."""
    found = stopped(how, num_workers, tmp_path)

    assert found["num_processes"] >= 1 + num_workers
    assert found["took_s"] <= limit_s + SLACK_S
    assert found["reader"] == "EngineDeadError"
    assert found["num_shared"] > 0
    assert found["left"] == []
