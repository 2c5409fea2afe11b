"""The page of metrics at one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from drills.http import exchange, get


@dataclass(frozen=True, slots=True)
class Page:
    """`/metrics`, read."""

    samples: tuple[Sample, ...]

    @classmethod
    def read(cls, url: str, **headers: str) -> Page:
        """Ask for it. headers: as of `drills.http.get`."""
        status, body = exchange(url, get("/metrics", **headers))
        assert status == 200, f"/metrics said {status}"
        families = text_string_to_metric_families(body.decode())
        return cls(tuple(sample for family in families for sample in family.samples))

    def total(self, name: str, **labels: str) -> float:
        """The sum over all samples of that name that have these labels; 0 where there is none."""
        return sum(sample.value for sample in self._named(name) if labels.items() <= sample.labels.items())

    def by(self, name: str, label: str) -> Counter[str]:
        """The sums by the values of a label; zeros are left out."""
        found: Counter[str] = Counter()
        for sample in self._named(name):
            found[sample.labels[label]] += int(sample.value)
        return +found

    def has(self, name: str) -> bool:
        """Whether there is such a sample."""
        return any(self._named(name))

    def _named(self, name: str) -> list[Sample]:
        return [sample for sample in self.samples if sample.name == name]
