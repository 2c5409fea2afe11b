"""What a server's processes use, read from /proc while others load it: processor time by group, and resident memory.

Groups: the process that speaks HTTP (with small helpers of Python's, which do nothing), our image workers, the
engine's processes, and the load generator's. Samples are taken several times a second beside the wall clock, so that
the time between a generator's start and its first request is left out.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.machine import ticks, tree
from benchmarks.speed.measurement import Memory, Processor

Group = Literal["server", "image_workers", "engine", "generator"]
GROUPS: tuple[Group, ...] = ("server", "image_workers", "engine", "generator")

SAMPLE_EVERY_S = 0.2

IMAGE_WORKER = "huatuo_server.images.worker"
ENGINE = "VLLM::"
"""How processes are called: ours by their command, vLLM's by the title that they give themselves."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Ticks since each process began, by group. at_ns: the wall clock, as `time.time_ns`."""

    at_ns: int
    ticks: Mapping[Group, int]


class Meter:
    """`with Meter(server's pid, generator's pid) as meter:` around a run; then `processor` and `memory`."""

    def __init__(self, server: int, generator: int) -> None:
        self._roots = (server, generator)
        self._samples: list[Sample] = []
        self._most: dict[int, tuple[Group, int]] = {}
        self._memory = dict.fromkeys(GROUPS, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def processor(self, begin_ns: int, end_ns: int) -> Processor:
        """Between two moments of the wall clock that lie within the metered time."""
        return Processor(**{f"{group}_s": self._seconds(group, begin_ns, end_ns) for group in GROUPS})

    def memory(self) -> Memory:
        """The most that was seen in a sample."""
        return Memory(**{f"{group}_bytes": self._memory[group] for group in GROUPS if group != "generator"})

    def _run(self) -> None:
        self._sample()
        while not self._ended.wait(SAMPLE_EVERY_S):
            self._sample()
        self._sample()

    def _sample(self) -> None:
        server, generator = self._roots
        at_ns = time.time_ns()
        members = groups(server) | dict.fromkeys(tree(generator), "generator")
        for pid, group in members.items():
            # A process that has ended keeps what it had used.
            self._most[pid] = (group, max(ticks(pid), self._most.get(pid, (group, 0))[1]))
        used = dict.fromkeys(GROUPS, 0)
        for group, taken in self._most.values():
            used[group] += taken
        self._samples.append(Sample(at_ns, used))
        held = dict.fromkeys(GROUPS, 0)
        for pid, group in members.items():
            held[group] += _resident(pid)
        self._memory = {group: max(held[group], self._memory[group]) for group in GROUPS}

    def _seconds(self, group: Group, begin_ns: int, end_ns: int) -> float:
        at = [sample.at_ns for sample in self._samples]
        used = [sample.ticks[group] for sample in self._samples]
        begin, end = np.interp([begin_ns, end_ns], at, used)
        return float(end - begin) / os.sysconf("SC_CLK_TCK")


def groups(server: int) -> dict[int, Group]:
    """A server's processes: pid to group. What an engine's process has started is the engine's."""
    found: dict[int, Group] = {server: "server"}
    for pid in tree(server)[1:]:
        name = _name(pid)
        group: Group = "image_workers" if IMAGE_WORKER in name else "engine" if name.startswith(ENGINE) else "server"
        found[pid] = group
        if group == "engine":
            found |= dict.fromkeys(tree(pid), group)
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def _resident(pid: int) -> int:
    # proc(5): the second field of statm is the resident set, in pages.
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
