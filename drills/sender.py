"""A process that sends requests all at once: it holds their bytes ready, and does nothing else.

It runs at a lower priority than the server: on one machine the client's work would otherwise be taken from the server's
own cores. What it used is told.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from drills.aside import Elsewhere
from drills.http import Answer, exchange

NICENESS = 10
"""As the image workers'."""


@dataclass(frozen=True, slots=True)
class Volley:
    """answers: in the order of the requests. began, ended: of `time.monotonic`. processor_s: of the sending process."""

    answers: tuple[Answer, ...]
    began: float
    ended: float
    processor_s: float


class Sender(Elsewhere):
    """`with Sender(url, files) as sender:` has read the files, each the bytes of one request."""

    def __init__(self, url: str, files: Sequence[Path]) -> None:
        super().__init__(_serve, url, files)

    def fire(self) -> Volley:
        """All of them at once; waits for the last answer."""
        volley: Volley = self.ordered()
        return volley


def _serve(orders: Connection, url: str, files: Sequence[Path]) -> None:
    os.nice(NICENESS)
    requests = [file.read_bytes() for file in files]
    with ThreadPoolExecutor(len(requests)) as pool:
        orders.send(None)
        while True:
            orders.recv()
            began, used = time.monotonic(), time.process_time()
            answers = tuple(pool.map(lambda request: exchange(url, request), requests))
            orders.send(Volley(answers, began, time.monotonic(), time.process_time() - used))
