"""What processes hold, by the kernel's count: memory, file descriptors, threads."""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

MB = 1_000_000
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Holding:
    """At one moment. at: of `time.monotonic`. rss_bytes: of the process; of its descendants together."""

    at: float
    rss_bytes: int
    descendants_rss_bytes: int
    num_descendants: int
    num_files: int
    num_threads: int


class Watch:
    """`with Watch(pid):` looks every so many seconds until the block ends."""

    def __init__(self, pid: int, every_s: float = 0.5) -> None:
        self._pid = pid
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.holdings: list[Holding] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(self._every_s):
            self.holdings.append(holding(self._pid))


def holding(pid: int) -> Holding:
    """Of a process that lives."""
    others = _descendants(pid)
    return Holding(
        at=time.monotonic(),
        rss_bytes=_rss(pid),
        descendants_rss_bytes=sum(map(_rss, others)),
        num_descendants=len(others),
        num_files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        num_threads=len(list(Path(f"/proc/{pid}/task").iterdir())),
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Theil and Sen's: the median of the slopes between all pairs, which one jump does not move."""
    return statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2))


def _rss(pid: int) -> int:
    """0 where the process has ended meanwhile."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _descendants(pid: int) -> list[int]:
    try:
        found = [
            int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
        ]
    except OSError:
        return []
    return [*found, *(each for child in found for each in _descendants(child))]
