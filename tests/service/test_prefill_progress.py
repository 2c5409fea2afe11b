"""A long prompt on a slow machine is no hang: each step of its prefill is seen."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.long

LIMIT_S = 300


def test_a_prefill_in_chunks_is_progress_before_its_first_token() -> None:
    """Two steps of a real engine, and the idle sign before them."""
    pytest.importorskip("vllm", reason="vLLM is not installed")
    command = [sys.executable, "-m", "tests.service.prefill_process"]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    assert ended.returncode == 0, ended.stderr[-3000:]
    assert int(ended.stdout.splitlines()[-1]) >= 3
