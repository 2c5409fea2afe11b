"""The processes that this one started, and theirs: ended for certain, with the shared memory that they leave behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path

KILL_LIMIT_S = 5.0
"""A process that hangs in a device driver cannot even be killed; do not wait for it."""

POLL_S = 0.01

SHARED_MEMORY = "/dev/shm/"

ENDED = (b"Z", b"X")
"""States of proc(5): nothing of such a process is left but its exit code."""


PF_EXITING = 0x4
"""Of the kernel's flags of a process (include/linux/sched.h)."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process, and no later one of the same number. started: in clock ticks since the machine's start."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """None where there is none, or only its exit code."""
        fields = _stat(pid)
        # `started` is field 22.
        return None if not fields or fields[0] in ENDED else cls(pid, int(fields[19]))

    @property
    def is_ending(self) -> bool:
        """Whether it has ended or is about to: the kernel takes a second to free what a large process had."""
        fields = _stat(self.pid)
        # The flags are field 9.
        return not self.runs or not fields or bool(int(fields[6]) & PF_EXITING)

    @property
    def name(self) -> str:
        """The first 15 bytes of it, as the kernel keeps it; empty where it has ended."""
        try:
            return Path(f"/proc/{self.pid}/comm").read_text(encoding="utf-8", errors="replace").rstrip("\n")
        except OSError:
            return ""

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return Process.of(self.pid) == self


@dataclass(frozen=True, slots=True)
class Descendants:
    """Processes, and the files of shared memory that they have mapped."""

    processes: frozenset[Process] = frozenset()
    shared: frozenset[Path] = frozenset()

    @classmethod
    def now(cls) -> Descendants:
        """Whatever multiprocessing has started here and still runs, with all its descendants."""
        return cls.of(one.pid for one in multiprocessing.active_children() if one.pid is not None)

    @classmethod
    def of(cls, pids: Iterable[int], *, freeze: bool = False) -> Descendants:
        """These and all their descendants.

        Top-down; frozen, each is stopped before its children are listed: a stopped process starts no others.
        """
        found: list[Process] = []
        left = list(pids)
        while left:
            pid = left.pop()
            process = Process.of(pid)
            if process is None:
                continue
            if freeze:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            found.append(process)
            left += _children(pid)
        return cls(frozenset(found), frozenset(file for one in found for file in _shared_memory(one.pid)))

    def __or__(self, others: Descendants) -> Descendants:
        """Both."""
        return Descendants(self.processes | others.processes, self.shared | others.shared)

    def __sub__(self, others: Descendants) -> Descendants:
        """Those that are not among `others`."""
        return Descendants(self.processes - others.processes, self.shared - others.shared)

    def kill(self) -> None:
        """Kill those that still run and all their descendants, and remove what they leave in shared memory.

        Returns when they have ended, or after KILL_LIMIT_S.
        """
        everything = self | Descendants.of((one.pid for one in self.processes if one.runs), freeze=True)
        for one in everything.processes:
            if one.runs:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
        deadline = time.monotonic() + KILL_LIMIT_S
        while any(one.runs for one in everything.processes) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        multiprocessing.active_children()  # which takes the exit codes of those that have ended
        for file in everything.shared - _shared_memory(os.getpid()):
            _remove(file)


def kill_children() -> None:
    """Kill whatever multiprocessing started here and still runs, with all its descendants.

    An engine that was stopped has ended its own processes. This is for one that was cut short while it started: vLLM's
    engine process, killed alone, leaves workers behind that do not watch it yet (seen with 0.32).
    """
    Descendants.now().kill()


def _stat(pid: int) -> list[bytes]:
    """proc(5)'s fields from the third on, the state, which follows the name and its `)`; empty without a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return []


def _children(pid: int) -> list[int]:
    """As the kernel lists them, by thread."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text(encoding="ascii").split())
    return found


def _shared_memory(pid: int) -> set[Path]:
    """The files of it that a process has mapped and that still have a name."""
    try:
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    # proc(5): five fields, and the file's name.
    names = (line.split(maxsplit=5)[5] for line in lines if SHARED_MEMORY in line)
    return {Path(name) for name in names if name.startswith(SHARED_MEMORY) and not name.endswith(" (deleted)")}


def _remove(file: Path) -> None:
    try:
        file.unlink()
    except OSError:
        return
    if file.name.startswith("psm_"):
        # multiprocessing's own: its tracker would look for it at the end of this process, and complain.
        resource_tracker.unregister(f"/{file.name}", "shared_memory")
