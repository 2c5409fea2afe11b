"""Where a figure was measured: processor, cores, versions."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path


def machine() -> dict[str, str | int]:
    """The processor and the cores that this process may use."""
    return {"processor": _processor(), "cores": len(os.sched_getaffinity(0)), "system": platform.platform()}


def versions(*packages: str) -> dict[str, str]:
    """Of Python and of the packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor_s() -> float:
    """Seconds of processor time that this process and its descendants have used, by the kernel's clock (10 ms)."""
    return sum(map(ticks, tree(os.getpid()))) / os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and its descendants, itself first; of those that end meanwhile, maybe not all."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += [each for child in task.read_text().split() for each in tree(int(child))]
    return found


def ticks(pid: int) -> int:
    """Of the kernel's clock, that a process has used, user and system; 0 where it is gone."""
    # proc(5): utime and stime are fields 14 and 15; the name before them may hold spaces, but ends with `)`.
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
