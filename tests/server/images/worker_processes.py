"""The image workers among this process's children, for tests that do them harm."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

LIMIT_S = 20.0


def pids(parent: int | None = None) -> list[int]:
    """Of the workers that `parent` (default: this process) has started and not reaped, in the order of their start."""
    tasks = Path(f"/proc/{parent or os.getpid()}/task").glob("*/children")
    children = {int(pid) for task in tasks for pid in task.read_text().split()}
    return sorted((pid for pid in children if "huatuo_server.images.worker" in _command(pid)), key=_age)


def signal_all(number: signal.Signals) -> None:
    """Send a signal to every worker of this process."""
    for pid in pids():
        os.kill(pid, number)


def until_gone(pid: int) -> None:
    """Wait for a process that is not a child of ours, or is being reaped; fails after a while."""
    deadline = time.monotonic() + LIMIT_S
    while not _over(pid):
        assert time.monotonic() < deadline, "the process is still there"
        time.sleep(0.01)


def environment(pid: int) -> str:
    """Its variables, as the kernel keeps them."""
    return Path(f"/proc/{pid}/environ").read_text()


def limits(pid: int) -> dict[str, str]:
    """Its resource limits, the hard ones, by the kernel's names."""
    rows = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {row[:26].strip(): row[47:68].strip() for row in rows}


def resident_bytes(pid: int) -> int:
    """Of memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _age(pid: int) -> tuple[int, int]:
    """When it was started, in clock ticks since the boot; numbers of processes begin anew at 32,768."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]), pid


def _over(pid: int) -> bool:
    """Whether it is gone, or a zombie, which holds no file any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _command(pid: int) -> str:
    """Empty for a process that is gone, or is a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:
        return ""
