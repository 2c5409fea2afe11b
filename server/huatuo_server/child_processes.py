"""The processes that this one started, and theirs: ended for certain."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from pathlib import Path

KILL_LIMIT_S = 5.0
"""A process that hangs in a device driver cannot even be killed; do not wait for it."""


def kill_children() -> None:
    """Kill whatever multiprocessing started here and still runs, with all its descendants.

    An engine that was stopped has ended its own processes. This is for one that was cut short while it started: vLLM's
    engine process, killed alone, leaves workers behind that do not watch it yet (seen with 0.32).
    """
    for child in multiprocessing.active_children():
        if child.pid is not None:
            _kill_tree(child.pid)
            child.join(KILL_LIMIT_S)


def _kill_tree(pid: int) -> None:
    """Top-down, each stopped before its children are listed: a stopped process starts no others."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        for child in _children(pid):
            _kill_tree(child)
        os.kill(pid, signal.SIGKILL)


def _children(pid: int) -> list[int]:
    """As the kernel lists them, by thread."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text(encoding="ascii").split())
    return found
