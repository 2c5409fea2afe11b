"""Many inputs in forked children under a worker's limits; a child that dies is replaced, and the culprit is known."""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gc
import json
import os
import random
import resource
import selectors
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.mutator import Mutator
from tests.fuzz.trial import MEMORY, Outcome, attempt
from tests.fuzz.valid import KINDS, valid_files

MEMORY_BYTES = 512 * 1024 * 1024
CPU_S = 2.0
WALL_S = 30.0
"""A child that is silent for so long hangs: it uses no processor time, or the limit on that would have ended it."""

INPUTS_PER_CHILD = 2000
NICENESS = 10

CPU_TIME = "cpu time"


@dataclass(slots=True)
class Tally:
    """What became of the inputs. findings: what happened -> the numbers of the inputs."""

    inputs: Counter[str] = field(default_factory=Counter)
    past_header: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: dict[str, list[int]] = field(default_factory=dict)
    contained: dict[str, list[int]] = field(default_factory=dict)

    def add(self, number: int, kind: str, outcome: Outcome) -> None:
        self.inputs[kind] += 1
        self.past_header[kind] += outcome.past_header
        self.outcomes["finding" if outcome.finding else outcome.name] += 1
        if outcome.finding:
            self.findings.setdefault(outcome.name, []).append(number)
        elif outcome.name in (MEMORY, CPU_TIME):
            self.contained.setdefault(outcome.name, []).append(number)

    @property
    def share_past_header(self) -> float:
        return self.past_header.total() / max(1, self.inputs.total())


class Fuzzer:
    """Inputs of one seed, by their numbers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._mutator = Mutator(valid_files())

    def generator(self, number: int) -> random.Random:
        """What input and view of that number are made with, in this order."""
        return random.Random(f"{self._seed}/{number}")

    def input(self, number: int) -> tuple[str, bytes]:
        """The kind that it was, and the bytes."""
        return self._mutator.input(self.generator(number))

    def attempt(self, number: int) -> tuple[str, Outcome]:
        rng = self.generator(number)
        kind, content = self._mutator.input(rng)
        return kind, attempt(content, rng)

    def run(self, num_inputs: int, num_processes: int) -> Tally:
        """All of them. Every child takes each `num_processes`th."""
        tally = Tally()
        # What is there already is not to be copied into every child by the collector.
        gc.collect()
        gc.freeze()
        with selectors.DefaultSelector() as selector:
            for first in range(num_processes):
                _Shard(self, range(first, num_inputs, num_processes), tally).begin(selector)
            while selector.get_map():
                for key, _ in selector.select(timeout=1.0):
                    key.data.read(selector)
                for key in list(selector.get_map().values()):
                    key.data.watch()
        return tally


class _Shard:
    """Some of the numbers, one child after the other."""

    def __init__(self, fuzzer: Fuzzer, numbers: range, tally: Tally) -> None:
        self._fuzzer = fuzzer
        self._numbers = numbers
        self._tally = tally
        self._pid = 0
        self._pipe = -1
        self._stderr = -1
        self._unread = b""
        self._heard = 0.0

    def begin(self, selector: selectors.BaseSelector) -> None:
        """Fork a child for the numbers that are left, if any are."""
        if not self._numbers:
            return
        self._pipe, theirs = os.pipe()
        self._stderr = os.memfd_create("stderr")
        self._pid = os.fork()
        if self._pid == 0:
            os.dup2(self._stderr, 2)
            _child(self._fuzzer, self._numbers[:INPUTS_PER_CHILD], theirs)
        os.close(theirs)
        self._unread, self._heard = b"", time.monotonic()
        selector.register(self._pipe, selectors.EVENT_READ, self)

    def read(self, selector: selectors.BaseSelector) -> None:
        """What the child says, or its end."""
        received = os.read(self._pipe, 65_536)
        self._heard = time.monotonic()
        *lines, self._unread = (self._unread + received).split(b"\n")
        for line in lines:
            number, kind, outcome = json.loads(line)
            self._done(number, kind, Outcome(**outcome))
        if not received:
            selector.unregister(self._pipe)
            os.close(self._pipe)
            self._ended(os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1]))
            os.close(self._stderr)
            self.begin(selector)

    def watch(self) -> None:
        """End a child that hangs; the rest comes with its end."""
        if time.monotonic() - self._heard > WALL_S:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _done(self, number: int, kind: str, outcome: Outcome) -> None:
        self._tally.add(number, kind, outcome)
        self._numbers = self._numbers[self._numbers.index(number) + 1 :]

    def _ended(self, code: int) -> None:
        """A child that was ended in the middle of an input left it unsaid."""
        if code == 0:
            return
        number = self._numbers[0]
        kind, _ = self._fuzzer.input(number)
        self._done(number, kind, _death(code, _last_line(self._stderr)))


def _last_line(fd: int) -> str:
    """Of what was written into a file in memory; where the heap is damaged, the allocator says so there."""
    written = os.pread(fd, 200, max(0, os.fstat(fd).st_size - 200))
    return written.decode(errors="replace").strip().rpartition("\n")[2]


def _death(code: int, last_words: str) -> Outcome:
    """How a child ended; only the limit on processor time may do that."""
    if code == -signal.SIGPROF:
        return Outcome(CPU_TIME, past_header=False)
    name = f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    return Outcome(f"{name}: {last_words}", past_header=False, finding=True)


def _child(fuzzer: Fuzzer, numbers: range, pipe: int) -> None:
    """Never returns. After a lack of memory a fresh child goes on: what is left of this one proves nothing."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    libc = ctypes.CDLL(None)
    for number in numbers:
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        kind, outcome = fuzzer.attempt(number)
        signal.setitimer(signal.ITIMER_PROF, 0)
        libc.malloc_trim(0)
        os.write(pipe, json.dumps([number, kind, dataclasses.asdict(outcome)]).encode() + b"\n")
        if outcome.name == MEMORY:
            break
    os._exit(0)


def kept(fuzzer: Fuzzer, tally: Tally, folder: Path) -> Iterator[Path]:
    """Write the first input of each finding into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for numbers in tally.findings.values():
        path = folder / f"{numbers[0]}.bin"
        path.write_bytes(fuzzer.input(numbers[0])[1])
        yield path


def shares(tally: Tally) -> dict[str, float]:
    """How many inputs of each kind got past the header."""
    return {kind: round(tally.past_header[kind] / max(1, tally.inputs[kind]), 3) for kind in KINDS}
