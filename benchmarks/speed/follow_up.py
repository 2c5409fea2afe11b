"""The second turn of a conversation about the same picture, against the first: time to the first token.

The first turn prepares the picture, reads it with CLIP and fills the prefix cache; the second finds all three done.
One conversation at a time, each about another picture.
"""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Any

from benchmarks.speed.bars import FOLLOW_UP
from benchmarks.speed.conversation import conversations
from benchmarks.speed.finding import Finding
from benchmarks.speed.workload import FOLDER, Workload
from drills.exchange import exchanged
from drills.http import CHAT, post

WORKLOAD = "follow-up"
ROUNDS, CONVERSATIONS = 5, 8


def measure(url: str, rounds: int = ROUNDS) -> Finding:
    """url: of a server that is otherwise idle. Raises RuntimeError where a request fails."""
    _ttfts_ms(url, "warm-up")
    taken = [_ttfts_ms(url, f"round {number}") for number in range(rounds)]
    return Finding(
        work="TTFT of a follow-up turn on the same image, to the first turn's, 1 concurrent",
        rounds=tuple(round(second / first, 3) for first, second in taken),
        unit="times",
        command=f"python -m benchmarks.speed.findings follow-up --rounds {rounds}",
        bound=FOLLOW_UP,
        facts={
            "first_ms": [round(first, 2) for first, _ in taken],
            "second_ms": [round(second, 2) for _, second in taken],
            "conversations_a_round": CONVERSATIONS,
        },
    )


def _ttfts_ms(url: str, name: str) -> tuple[float, float]:
    """Medians over the conversations: of the first turn, and of the second."""
    asked = conversations(Workload.read(FOLDER / f"{WORKLOAD}.toml"), CONVERSATIONS, f"follow-up {name}")
    taken = [[_first_s(url, body) for body in turns[:2]] for turns in asked]
    return 1e3 * median(first for first, _ in taken), 1e3 * median(second for _, second in taken)


def _first_s(url: str, body: dict[str, Any]) -> float:
    answer = asyncio.run(exchanged(url, post(CHAT, body)))
    if not answer.answered or answer.first_s is None:
        raise RuntimeError(f"a turn ended with {answer.status} {answer.code}")
    return answer.first_s
