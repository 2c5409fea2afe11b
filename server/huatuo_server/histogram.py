"""prometheus_client's histogram, at a tenth of its cost for one observation."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import prometheus_client


class Histogram(prometheus_client.Histogram):
    """For one thread that observes and any that read: counts lie in plain lists until somebody asks for them.

    The original takes two locks and walks through its buckets each time: 1.3 us, once for every token of every answer.
    """

    def _metric_init(self) -> None:
        super()._metric_init()
        self._bounds = tuple(self._upper_bounds)
        self._counts = [0] * len(self._bounds)
        self._total = 0.0

    def observe(self, amount: float, exemplar: dict[str, str] | None = None) -> None:
        """As the original's, which keeps exemplars; this one has none. Raises ValueError for one."""
        if exemplar is not None:
            raise ValueError("this histogram keeps no exemplars")
        self._total += amount
        self._counts[bisect_left(self._bounds, amount)] += 1

    def observe_each(self, amount: float, count: int) -> None:
        """The same amount, so many times."""
        self._total += amount * count
        self._counts[bisect_left(self._bounds, amount)] += count

    def _child_samples(self) -> Iterable[Any]:
        self._sum.set(self._total)
        for bucket, count in zip(self._buckets, self._counts, strict=True):
            bucket.set(count)
        return super()._child_samples()
