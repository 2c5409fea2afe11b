"""What HTTP, admission, prompts and text add to vLLM's engine: time to the first token, over the bare AsyncLLM's.

One request at a time, text, a round of them to the server and then to an AsyncLLM of the same engine arguments in a
process of its own (`bare_process`), with the same token ids. Both clocks are the asker's: from the sending to the first
text, and from the rendering of the ids to the first output. The bare engine's processor time a token under the text
workload's load is told as well: what vLLM's own way costs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.speed.bars import ADDED_LATENCY, TEXT
from benchmarks.speed.conversation import conversations
from benchmarks.speed.finding import Finding
from benchmarks.speed.server import MAX_NUM_SEQS
from benchmarks.speed.workload import FOLDER, Workload
from drills.exchange import exchanged
from drills.http import CHAT, exchange, post

RENDER = "/v1/chat/render"
ROUNDS, REQUESTS = 5, 40
SETTLE_S = 2.0
"""After its last step a worker of vLLM's keeps a core busy for a second (0.26 and 0.32): `SpinCondition` of its
shm_broadcast. On two cores the other engine's would be measured with this one.
"""

ANSWER_TOKENS = 4
"""Enough for a first one; the load has the workload's own length."""


class BareEngine:
    """`with BareEngine(checkpoint) as bare:` starts the process and ends it."""

    def __init__(self, checkpoint: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.bare_process", str(checkpoint), str(MAX_NUM_SEQS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> BareEngine:
        self._heard()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ttft_s(self, token_ids: Sequence[int], max_tokens: int) -> float:
        """Of one request, alone."""
        ttft: float = self._asked(prompts=[list(token_ids)], max_tokens=max_tokens, concurrency=1)["ttfts_s"][0]
        return ttft

    def us_per_token(self, prompts: Sequence[Sequence[int]], max_tokens: int, concurrency: int) -> float:
        """Of the processor time of the process that holds AsyncLLM, its engine's apart."""
        told = self._asked(prompts=[list(each) for each in prompts], max_tokens=max_tokens, concurrency=concurrency)
        return 1e6 * float(told["processor_s"]) / (len(prompts) * max_tokens)

    def _asked(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the bare engine ended with {self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard


def measure(url: str, checkpoint: Path, rounds: int = ROUNDS) -> Finding:
    """url: of a server on that checkpoint, which is otherwise idle. Raises RuntimeError where one fails."""
    with BareEngine(checkpoint) as bare:
        _compared(url, bare, "warm-up", REQUESTS)
        taken = [_compared(url, bare, f"round {number}", REQUESTS) for number in range(rounds)]
        us_per_token = [_us_per_token(url, bare, number) for number in range(rounds)]
    ours, theirs = ([1e3 * each[side] for each in taken] for side in (0, 1))
    return Finding(
        work="TTFT p50 over the bare AsyncLLM's, text, 1 concurrent",
        rounds=tuple(round(mine - their, 3) for mine, their in zip(ours, theirs, strict=True)),
        unit="ms",
        command=f"python -m benchmarks.speed.findings bare-engine --rounds {rounds}",
        bound=ADDED_LATENCY,
        facts={
            "ours_ms": [round(each, 3) for each in ours],
            "bare_ms": [round(each, 3) for each in theirs],
            "requests_a_round": REQUESTS,
            "bare_us_per_token": [round(each, 2) for each in us_per_token],
        },
    )


def _compared(url: str, bare: BareEngine, name: str, requests: int) -> tuple[float, float]:
    """Medians of ours and the bare engine's seconds; every request has another text."""
    bodies = [{**body, "max_tokens": ANSWER_TOKENS} for body in _bodies(name, requests)]
    prompts = [_rendered(url, body) for body in bodies]
    time.sleep(SETTLE_S)
    ours = [_first_s(url, body) for body in bodies]
    time.sleep(SETTLE_S)
    theirs = [bare.ttft_s(token_ids, ANSWER_TOKENS) for token_ids in prompts]
    return median(ours), median(theirs)


def _us_per_token(url: str, bare: BareEngine, number: int) -> float:
    workload = Workload.read(FOLDER / f"{TEXT}.toml")
    step = workload.steps[0]
    bodies = _bodies(f"load {number}", step.conversations)
    return bare.us_per_token([_rendered(url, body) for body in bodies], workload.answer_tokens, step.load.concurrency)


def _bodies(name: str, count: int) -> list[dict[str, Any]]:
    asked = conversations(Workload.read(FOLDER / f"{TEXT}.toml"), count, f"bare engine {name}")
    return [body for turns in asked for body in turns]


def _rendered(url: str, body: dict[str, Any]) -> list[int]:
    status, answer = exchange(url, post(RENDER, body))
    if status != 200:
        raise RuntimeError(f"{RENDER} said {status}")
    token_ids: list[int] = json.loads(answer)["prompt_token_ids"]
    return token_ids


def _first_s(url: str, body: dict[str, Any]) -> float:
    answer = asyncio.run(exchanged(url, post(CHAT, body)))
    if not answer.answered or answer.first_s is None:
        raise RuntimeError(f"a request ended with {answer.status} {answer.code}")
    return answer.first_s
