"""SIGTERM under load on the real engine: who has a place is answered, who comes later is sent elsewhere.

Promised: readiness is 503 at once and new requests are 503 `draining` with Retry-After, while every stream ends with
`[DONE]`, those too that still waited for one of the engine's eight sequences; the process exits with 0 within the drain
and five seconds, and no process, no temporary file and no shared memory is left.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drills.engine_faults import Readiness, left_by
from drills.exchange import Exchange, exchanged
from drills.http import CHAT, post
from drills.page import Page
from drills.question import question
from drills.report import Measured, Promises, Report, at_most
from huatuo_server.child_processes import Descendants
from tests import golden
from tests.service.real import MODEL, START_LIMIT_S
from tests.service.supervised import SupervisedServer, until

NUM_STREAMS = 24
NUM_SEQS = 8
ANSWER_TOKENS = 100
NUM_LATE = 10
DRAIN_S = 30.0
SLACK_S = 5.0
AT_ONCE_S = 0.5

FLAGS = (
    *("--port", "0", "--dtype", "float32", "--enforce-eager", "--served-model-name", MODEL),
    *("--engine", f"max_num_seqs={NUM_SEQS}", "--drain-s", f"{DRAIN_S:g}"),
)


def drill(short: bool) -> Report:
    """short: the same; it takes as long as the engine's start."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["serve", "--model", str(golden.CHECKPOINT), *FLAGS]
        with SupervisedServer(arguments, environ={"TMPDIR": folder}) as server:
            server.listening()
            server.until_ready(START_LIMIT_S)
            descendants = Descendants.of([server.pid])
            with Readiness(server.url) as readiness, ThreadPoolExecutor(2) as pool:
                streams = pool.submit(lambda: asyncio.run(_ask(server.url, NUM_STREAMS)))
                until(lambda: Page.read(server.url).total("hgv_requests_waiting") == NUM_STREAMS - NUM_SEQS)
                began = time.monotonic()
                server.signal()
                until(lambda: readiness.fell is not None)
                late = pool.submit(lambda: asyncio.run(_ask(server.url, NUM_LATE))).result()
                code = server.ended()
                exited = time.monotonic() - began
                exchanges = streams.result()
            left = left_by(descendants, Path(folder))
    return _report(exchanges, late, (readiness.fell or exited) - began, code, exited, left)


async def _ask(url: str, number: int) -> list[Exchange]:
    body = question(MODEL, stream=True, max_tokens=ANSWER_TOKENS, ignore_eos=True)
    return list(await asyncio.gather(*(exchanged(url, post(CHAT, body)) for _ in range(number))))


def _report(
    exchanges: list[Exchange], late: list[Exchange], unready_s: float, code: int, exit_s: float, left: list[str]
) -> Report:
    figures = {
        "streams": len(exchanges),
        "ended_as": dict(Counter(one.finish_reason or one.code or str(one.status) for one in exchanges)),
        "late": dict(Counter(one.code or str(one.status) for one in late)),
        "unready_s": round(unready_s, 2),
        "last_answer_s": round(max(one.seconds for one in exchanges), 1),
        "exit_code": code,
        "exit_s": round(exit_s, 1),
        "left": left,
    }
    promises: Promises = {
        "every stream ends as an answer": all(one.answered for one in exchanges),
        "every later request is refused as draining, with Retry-After": all(
            (one.status, one.code) == (503, "draining") and one.retry_after for one in late
        ),
        f"readiness falls within {AT_ONCE_S:g} s": at_most(unready_s, AT_ONCE_S, " s"),
        f"the process exits with 0 within the drain and {SLACK_S:g} s": Measured(
            f"{exit_s:.1f} s", code == 0 and exit_s <= DRAIN_S + SLACK_S
        ),
        "nothing is left behind": not left,
    }
    return Report(figures, promises)
