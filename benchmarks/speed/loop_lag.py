"""The longest that one callback holds up the server's event loop, under all workloads and scrapes at once.

The server runs on asyncio's own loop, whose callbacks are timed (`watched_loop`). Processor time is what is judged: on
a machine whose cores the engine, the image workers and the load share, the wall clock tells of them. It is told as
well, without the time in which the thread waited for a core.
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.bars import LONGEST_CALLBACK
from benchmarks.speed.conversation import conversations
from benchmarks.speed.finding import Finding
from benchmarks.speed.server import Server, ours
from benchmarks.speed.workload import FOLDER, Workload
from drills.exchange import Exchange
from drills.http import CHAT, get, post
from drills.load import Clients, Load
from tests.service.supervised import until

CLIENTS = {"text": 32, "film": 8, "study": 2, "six-images": 2, "large": 4}
"""Workload -> how many ask for it, again and again."""
DIFFERENT = {"text": 256, "film": 160, "study": 40, "six-images": 20, "large": 24}
"""Its requests; later ones are repeats."""
SETTLE_S = 5.0
ROUNDS, ROUND_S = 3, 15.0
LEAST_SERVED = 0.9
"""Of the requests; others may time out on a machine that does more than this."""
SCRAPE_EVERY_S = 5.0
"""Prometheus' own default is a minute."""


def measure(checkpoint: Path, folder: Path, rounds: int = ROUNDS) -> Finding:
    """Starts a server of its own, and ends it. folder: for its log. Raises RuntimeError where requests fail."""
    file = folder / "callbacks.json"
    with ours(checkpoint, folder, under=("-m", "benchmarks.speed.watched_loop", str(file))) as server:
        server.wait()
        with Load(server.url) as load:
            seen = _rounds(server, load, file, rounds)
    return _finding(seen, rounds)


def _rounds(server: Server, load: Load, file: Path, rounds: int) -> list[dict[str, Any]]:
    load.run(SETTLE_S, *_mixed("before"))
    seen = []
    for number in range(rounds):
        sources = _mixed(f"round {number}")
        os.kill(server.pid, signal.SIGUSR1)
        span = load.run(ROUND_S, *sources)
        exchanges = [one for each in span.exchanges for one in each]
        seen.append({**_written(server, file), "ended_as": _ends(exchanges)})
    return seen


def _written(server: Server, file: Path) -> dict[str, Any]:
    file.unlink(missing_ok=True)
    os.kill(server.pid, signal.SIGUSR2)
    until(file.exists)
    written: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return written


def _mixed(seed: str) -> list[Clients]:
    """All workloads, and somebody who reads the metrics. Another seed makes other requests, which no cache knows."""
    asked = [Clients(_requests(name, seed), number) for name, number in CLIENTS.items()]
    return [*asked, Clients((get("/metrics"),), 1, SCRAPE_EVERY_S)]


def _requests(name: str, seed: str) -> tuple[bytes, ...]:
    asked = conversations(Workload.read(FOLDER / f"{name}.toml"), DIFFERENT[name], f"loop lag {seed}")
    return tuple(post(CHAT, body) for turns in asked for body in turns)


def _ends(exchanges: Sequence[Exchange]) -> dict[str, int]:
    """Raises RuntimeError where the load was not served: a loop that refuses is not held up."""
    ends = Counter(one.code or str(one.status) for one in exchanges)
    if ends["200"] < LEAST_SERVED * len(exchanges):
        raise RuntimeError(f"the mixed load ended as {dict(ends)}")
    return dict(ends)


def _finding(seen: Sequence[dict[str, Any]], rounds: int) -> Finding:
    """The longest of all rounds is judged."""
    longest = [one["by_processor"][0]["processor_ms"] for one in seen]
    return Finding(
        work="longest callback on the event loop under the mixed load, processor time",
        rounds=(max(longest),),
        unit="ms",
        command=f"python -m benchmarks.speed.findings loop-lag --rounds {rounds}",
        bound=LONGEST_CALLBACK,
        facts={
            "each_round_ms": longest,
            "without_waiting_for_a_core_ms": [one["by_held"][0]["held_ms"] for one in seen],
            "wall_ms": [max(each["wall_ms"] for each in one["by_held"]) for one in seen],
            "callbacks": [one["callbacks"] for one in seen],
            "longest": [one["by_processor"][:8] for one in seen],
            "ended_as": [one["ended_as"] for one in seen],
        },
    )
