"""What vLLM's processes do otherwise when a server has started vLLM inside itself, and says so in the environment.

- They end with the process that started them. By themselves they outlive a server that was killed, as the kernel kills
  when memory is short, and hold a GPU for ever.
- They leave the terminal's process group, so that Ctrl-C is the server's to handle: vLLM's workers end at once.
- They log no crash dump. When a step fails, vLLM logs what it was computing: stop strings and, as torch prints a
  tensor, the corners of every picture. What failed, and where, is logged as ever.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal

VARIABLE = "HUATUO_VLLM_EMBEDDED"
"""The environment variable that says so; of any value but the empty one."""

CRASH_DUMP_LOGGER = "vllm.logging_utils.dump_input"

PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""


def is_asked_for() -> bool:
    """Whether a server has started vLLM inside itself."""
    return bool(os.environ.get(VARIABLE))


def behave() -> None:
    """In this process, where the environment asks for it. The server's own is left as it is, but for its log."""
    if not is_asked_for():
        return
    logging.getLogger(CRASH_DUMP_LOGGER).setLevel(logging.CRITICAL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        _end_with(parent.pid)
        os.setpgid(0, 0)


def _end_with(parent: int | None) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It has ended in the meantime.
        os.kill(os.getpid(), signal.SIGKILL)
