"""The command `run` in a process of its own, which can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]

COMMAND = """
import argparse, pathlib, sys
from benchmarks.accuracy import command_run
parser = argparse.ArgumentParser()
command_run.add_arguments(parser)
code = command_run.run(parser.parse_args())
status = dict(line.split(":") for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(int(status["VmHWM"].split()[0]) / 1024)
sys.exit(code)
"""
"""As `python -m benchmarks.accuracy run`; prints the most memory that it has had, in MiB (proc(5))."""


@contextmanager
def run_process(bundle: Path, folder: Path, base_url: str, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """It is killed with the block, where it has not ended by itself."""
    given = ["--data", f"bundle={bundle}", "--out", str(folder), "--base-url", base_url, *flags]
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *given],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'server'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()
