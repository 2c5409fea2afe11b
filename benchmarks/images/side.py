"""One side of the comparison: a process that prepares a set of images when it is told to, and says how long it took.

The conversation is lines of JSON on stdin and stdout. The first line that a side says tells what it is.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import processor_s


@dataclass(frozen=True, slots=True)
class Round:
    """prefixes: of the films' names. in_flight: images at a time. workers: processes of ours; stock vLLM has none."""

    prefixes: tuple[str, ...]
    in_flight: int
    workers: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """seconds: wall time of all images together. processor_s: of the side's processes together."""

    num_images: int
    seconds: float
    processor_s: float

    @property
    def images_per_s(self) -> float:
        """What the benchmark is about."""
        return self.num_images / self.seconds


class Side:
    """`with Side(python, "stock", folder) as side:` starts one and ends it."""

    def __init__(self, python: str, name: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.images.{name}", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.facts: dict[str, Any] = {}

    def __enter__(self) -> Side:
        self.facts = self._heard()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def take(self, asked: Round) -> Taken:
        """Do a round. Raises RuntimeError where the side has failed; its stderr is ours."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(asked)) + "\n")
        self._process.stdin.flush()
        return Taken(**self._heard())

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a side of the benchmark ended with {self._process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said


async def serve(facts: dict[str, Any], begin: Callable[[Round], Awaitable[Callable[[str], Awaitable[Any]]]]) -> None:
    """A side's whole life. begin: what has to be done before a round; gives what prepares one image's URL."""
    folder = Path(sys.argv[1])
    _say(facts)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = Round(**json.loads(line))
        prepare = await begin(asked)
        _say(asdict(await _timed(_urls(folder, asked.prefixes), asked.in_flight, prepare)))


def _urls(folder: Path, prefixes: Sequence[str]) -> list[str]:
    return [path.read_text(encoding="ascii") for prefix in prefixes for path in sorted(folder.glob(f"{prefix}*"))]


async def _timed(urls: Sequence[str], in_flight: int, prepare: Callable[[str], Awaitable[Any]]) -> Taken:
    places = asyncio.Semaphore(in_flight)

    async def one(url: str) -> None:
        async with places:
            await prepare(url)

    began, used = time.perf_counter(), processor_s()
    async with asyncio.TaskGroup() as group:
        for url in urls:
            group.create_task(one(url))
    return Taken(len(urls), time.perf_counter() - began, processor_s() - used)


def _say(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)
