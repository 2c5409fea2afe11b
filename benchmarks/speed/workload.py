"""What is asked, and how requests come: a file of `workloads/` each."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.measurement import Load

FOLDER = Path(__file__).parent / "workloads"


@dataclass(frozen=True, slots=True)
class Step:
    """One run: how requests come, and how many conversations there are."""

    load: Load
    conversations: int


@dataclass(frozen=True, slots=True)
class Workload:
    """images: a question's, each one different, JPEGs of width x height. turns: questions of a conversation, all about
    the first one's images. answer_tokens: of every answer, whatever the model would say.

    pairs: how often both sides are measured, in a whole run. short: `make bench` measures it too.
    """

    name: str
    title: str
    images: int
    width: int
    height: int
    turns: int
    answer_tokens: int
    steps: tuple[Step, ...]
    pairs: int
    short: bool

    @classmethod
    def read(cls, path: Path) -> Workload:
        """A file; its name is the workload's. Raises KeyError for what it lacks, TypeError for what no workload has."""
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
        width, height = plain.pop("size", (0, 0))
        steps = tuple(
            Step(Load(one.get("concurrency", 0), one.get("rate_per_s", 0.0)), one["conversations"])
            for one in plain.pop("loads")
        )
        return cls(name=path.stem, width=width, height=height, steps=steps, **{"short": False, **plain})


def workloads(*, short: bool = False) -> list[Workload]:
    """All of them, or those of `make bench`."""
    every = [Workload.read(path) for path in sorted(FOLDER.glob("*.toml"))]
    return [one for one in every if one.short or not short]
