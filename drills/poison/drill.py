"""More than a thousand hostile requests: no 5xx, the engine lives, and a neighbour's answers stay the same bytes.

Promised: of requests that schemathesis makes from `/openapi.json` (at least 1,000, no two the same, eight at a time)
and of bodies known to have broken servers, none is answered with a 5xx, none ends a connection without an answer, and
every refusal has an error body; at least a fifth of them reach the engine; and a neighbour that asks the same greedy
question all the while gets the same tokens and text each time. The engine is vLLM.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import requests

from drills.aside import Lookout
from drills.http import CHAT, exchange, get, post
from drills.poison import cases, known
from drills.poison.cases import Poison
from drills.question import picture, question
from drills.report import Promises, Report, at_least, percentile
from tests import golden
from tests.service.real import MODEL, serving

AT_A_TIME = 8
MIN_CASES = 1000
MIN_REACHED = 0.2
LIMIT_S = 120.0
NUM_SHOWN = 8

CHANGING = re.compile(rb'"(id|created|prompt_tokens_details)":\s?("[^"]*"|\d+|\{[^}]*\})')
"""Of an answer: its name, its time, and what the prefix cache held."""


ENDING = re.compile(rb'data: (\[DONE\]|\{.*"type":"response\.(completed|incomplete)")')
"""The last line of a stream that came to its end: chat's, or that of Responses."""


@dataclass(frozen=True, slots=True)
class Fate:
    """wrong: what was promised and did not come; empty where all is well. reached: an answer came from the engine."""

    poison: Poison
    status: int
    wrong: str
    reached: bool
    seconds: float


def drill(short: bool) -> Report:
    """short: always the same requests; else others each time, told by `seed`."""
    number = 0 if short else random.SystemRandom().randrange(2**32)
    with tempfile.TemporaryDirectory() as name:
        flags = ("--dtype", "float32", "--max-model-len", "1024", "--files-dir", str(Path(name)))
        with serving(golden.CHECKPOINT, *flags) as server:
            poisons = cases.made(server.url, MODEL, number)
            bodies = _known(server.url)
            with Neighbour(server.url) as neighbour, ThreadPoolExecutor(AT_A_TIME) as pool:
                fates = list(pool.map(_sent, random.Random(number).sample(poisons, len(poisons))))
                known_fates = list(pool.map(_sent, bodies))
            ready, _ = exchange(server.url, get("/health/ready"))
    return _report(number, fates, known_fates, neighbour, ready)


def _known(url: str) -> list[Poison]:
    kind = {"Content-Type": "application/json"}
    sent = [requests.Request("POST", url + CHAT, data=body, headers=kind) for body in known.bodies(MODEL)]
    return [Poison("known", one.prepare()) for one in sent]


class Neighbour(Lookout):
    """`with Neighbour(url) as neighbour:` asks one question again and again.

    answers: as bytes, less what may change.
    """

    every_s = 0

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        fields: dict[str, Any] = {"temperature": 0, "max_tokens": 16, "ignore_eos": True, "return_token_ids": True}
        self._request = post(CHAT, question(MODEL, picture("retina_port_380x640.png"), **fields))
        self.answers: list[bytes] = []

    def __enter__(self) -> Self:
        self.look()
        return super().__enter__()

    def look(self) -> bool:
        """Asks, and keeps the answer."""
        _, body = exchange(self._url, self._request)
        self.answers.append(CHANGING.sub(b"", body))
        return True


def _sent(poison: Poison) -> Fate:
    began = time.monotonic()
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.send(poison.request, timeout=LIMIT_S, allow_redirects=False)
    except requests.RequestException as error:
        return Fate(poison, 0, f"no answer: {type(error).__name__}", False, time.monotonic() - began)
    seconds = time.monotonic() - began
    reached = answer.status_code == 200 and poison.request.path_url in cases.ASKING
    return Fate(poison, answer.status_code, _wrong(answer), reached, seconds)


def _wrong(answer: requests.Response) -> str:
    if answer.status_code >= 500:
        return f"{answer.status_code}: {answer.text}"
    if answer.status_code >= 400 and not _is_error(answer.content):
        return f"{answer.status_code} without an error body: {answer.text}"
    if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        last = answer.content.rstrip().rpartition(b"\n")[2]
        return "" if ENDING.match(last) else f"a stream that ended in {last.decode()}"
    return ""


def _is_error(body: bytes) -> bool:
    try:
        error: Any = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(error, dict) and {"message", "type", "code", "param"} <= error.keys()


def _report(
    number: int, fates: Sequence[Fate], known_fates: Sequence[Fate], neighbour: Neighbour, ready: int
) -> Report:
    wrong = [fate for fate in (*fates, *known_fates) if fate.wrong]
    reached = sum(fate.reached for fate in fates) / len(fates)
    different = sum(answer != neighbour.answers[0] for answer in neighbour.answers)
    figures = {
        "seed": number,
        "cases": len(fates),
        "known_bodies": len(known_fates),
        "reached_the_engine": round(reached, 2),
        "statuses": dict(sorted(Counter(fate.status for fate in fates).items())),
        "statuses_of_the_known": dict(sorted(Counter(fate.status for fate in known_fates).items())),
        "seconds_p99": round(percentile([fate.seconds for fate in fates], 99), 2),
        "neighbours_answers": len(neighbour.answers),
        "that_differ": different,
        "wrong": len(wrong),
        "first_wrong": [_shown(fate) for fate in wrong[:NUM_SHOWN]],
    }
    promises: Promises = {
        f"there are {MIN_CASES} different cases": at_least(len(fates), MIN_CASES),
        f"{MIN_REACHED:.0%} of them reach the engine": at_least(reached, MIN_REACHED),
        "no 5xx, no connection without an answer, no refusal without an error body": not wrong,
        "the neighbour's answers are the same bytes": not different and len(neighbour.answers) > 1,
        "the server is ready afterwards": ready == 200,
    }
    return Report(figures, promises)


def _shown(fate: Fate) -> str:
    """What to send again."""
    request = fate.poison.request
    body = repr(request.body)[:400]
    return f"{fate.wrong[:200]} | {fate.poison.made} | {request.path_url} {dict(request.headers)} {body}"
