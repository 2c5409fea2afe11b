"""What a drill does beside what it drills: a thread that looks now and then, a process that acts on its word."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any, Self


class Lookout(ABC):
    """`with Lookout():` looks every so many seconds, in a thread, until the block ends."""

    every_s: float = 0.5

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self.every_s) and self.look():
            pass

    @abstractmethod
    def look(self) -> bool:
        """Whether to look again."""


class Elsewhere:
    """`with Elsewhere(run, ...):` begins when a process of its own, which runs `run(orders, ...)`, has sent a word.

    The process is killed when the block ends.
    """

    def __init__(self, run: Callable[..., None], *arguments: Any) -> None:
        context = get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=run, args=(there, *arguments), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._here.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def ordered(self) -> Any:
        """Tell it to act; what it answers."""
        self._here.send(None)
        return self._here.recv()
