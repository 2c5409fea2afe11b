"""`huatuo-server verify` end to end: the reference and vLLM on the golden checkpoint."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.golden import CHECKPOINT


@pytest.mark.slow
def test_verify_passes_vllm_in_float32() -> None:
    """vLLM answers as the reference does; the command says so on stdout, question by question, and exits 0."""
    command = [sys.executable, "-m", "huatuo_server", "verify", "--model", str(CHECKPOINT), "--dtype", "float32"]

    done = subprocess.run([*command, "--enforce-eager"], capture_output=True, text=True, timeout=500, check=False)

    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("HuatuoGPT-Vision-34B in float32: vLLM")
    assert sum("first divergence: none; own answer: the same" in line for line in lines) == 7
    assert lines[-1] == "passed: the engine answers as the reference does"


def test_verify_refuses_a_wrong_engine_argument_before_it_loads_anything() -> None:
    """A misspelt engine argument ends the command at once, with the nearest name."""
    command = [sys.executable, "-m", "huatuo_server", "verify", "--model", str(CHECKPOINT)]

    done = subprocess.run(
        [*command, "--engine", "max_num_seq=4"], capture_output=True, text=True, timeout=300, check=False
    )

    assert done.returncode == 2
    assert "max_num_seqs" in done.stderr
    assert "the reference answers" not in done.stderr
