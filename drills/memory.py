"""What processes hold, by the kernel's count: memory, file descriptors, threads."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from drills.aside import Lookout
from huatuo_server.child_processes import Descendants

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


class Watch(Lookout):
    """`with Watch(pid):` looks every so many seconds until the block ends."""

    def __init__(self, pid: int, every_s: float = 0.5) -> None:
        super().__init__()
        self.every_s = every_s
        self._pid = pid
        self.holdings: list[Holding] = []

    def look(self) -> bool:
        """Keeps what they hold."""
        self.holdings.append(holding(self._pid))
        return True


def holding(pid: int) -> Holding:
    """Of a process that lives."""
    others = [one.pid for one in Descendants.of([pid]).processes if one.pid != pid]
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
