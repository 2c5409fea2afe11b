"""An image worker that is killed or stopped costs its own request and no other.

Promised: of a hundred requests with an image each, eight at a time, exactly those fail whose worker was killed while it
had their image (`image_worker_died`) or was stopped so that it hung (`image_timeout`, within the limit of time); every
other one is answered. A worker that dies idle costs nothing.
"""

from __future__ import annotations

import base64
import json
import os
import random
import re
import signal
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from drills.http import CHAT, exchange, get, post
from drills.report import Promises, Report, at_most, in_ms, percentile
from tests.server.images import worker_processes
from tests.service.supervised import SupervisedServer, scripted, until

NUM_REQUESTS = 100
AT_A_TIME = 8
HARM = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP)
"""In this order, each at a random moment of its fifth of the requests."""

TIMEOUT_S = 2.0
SLACK_S = 2.0
"""Beyond the limit of time: the wait for a worker before it, and the end of the process after it."""

SERVER = ("--image-cache-bytes", "0", "--image-workers", "2", "--image-timeout-s", f"{TIMEOUT_S:g}")


@dataclass(frozen=True, slots=True)
class Answered:
    """code: of the error; empty for an answer. ended: of `time.monotonic`."""

    code: str
    seconds: float
    ended: float


def drill(short: bool) -> Report:
    """short: the same; it takes seconds."""
    with tempfile.TemporaryDirectory() as name:
        script = {"completions": [{"text": "Seen."}]}
        with scripted(script, Path(name), *SERVER) as server:
            server.listening()
            server.until_ready()
            answers, harmed = _under_fire(server)
            return _report(answers, harmed, _replaced(server.url))


def _under_fire(server: SupervisedServer) -> tuple[list[Answered], list[float]]:
    """All answers, and when each harm was done."""
    chance = random.Random(0)
    requests = [_request(number) for number in range(NUM_REQUESTS)]
    harmed = []
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        tasks = [pool.submit(_ask, server.url, request) for request in requests]
        for number, harm in enumerate(HARM):
            share = NUM_REQUESTS // len(HARM)
            moment = number * share + chance.randrange(share // 4, share // 2)
            until(partial(_has_come, tasks, moment))
            harmed.append(_harm(server.pid, harm, chance))
        return [task.result() for task in tasks], harmed


def _has_come(tasks: list[Future[Answered]], num_done: int) -> bool:
    return sum(task.done() for task in tasks) >= num_done


def _harm(server: int, harm: signal.Signals, chance: random.Random) -> float:
    """To one of the workers that are computing at this moment; when."""
    found: list[int] = []

    def computing() -> bool:
        found[:] = [pid for pid in worker_processes.pids(server) if _is_computing(pid)]
        return bool(found)

    until(computing)
    os.kill(chance.choice(found), harm)
    return time.monotonic()


def _is_computing(pid: int) -> bool:
    # proc(5): the state follows the name, which ends with `)`.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return fields[0] == "R"


def _request(number: int) -> bytes:
    """An image of its own, of about 50 ms of work."""
    values = np.random.default_rng(number).integers(0, 256, (1200, 1600), np.uint8)
    file = BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=1)
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "What is this?"}]
    return post(CHAT, {"model": "checkpoint", "messages": [{"role": "user", "content": content}], "max_tokens": 1})


def _ask(url: str, request: bytes) -> Answered:
    began = time.monotonic()
    status, body = exchange(url, request)
    ended = time.monotonic()
    return Answered("" if status == 200 else json.loads(body)["error"]["code"], ended - began, ended)


def _replaced(url: str) -> Counter[str]:
    """By cause, as the server counts them."""
    _, page = exchange(url, get("/metrics"))
    samples = re.findall(r'^hgv_image_workers_replaced_total\{cause="([^"]+)"\} (\S+)$', page.decode(), re.MULTILINE)
    return Counter({cause: int(float(count)) for cause, count in samples})


def _report(answers: list[Answered], harmed: list[float], replaced: Counter[str]) -> Report:
    codes = Counter(answer.code for answer in answers)
    told = [min((one.ended for one in answers if one.code and one.ended > at), default=at) - at for at in harmed]
    served = [min((one.ended for one in answers if not one.code and one.ended > at), default=at) - at for at in harmed]
    figures = {
        "requests": len(answers),
        "answered": codes[""],
        "failed": {code: count for code, count in codes.items() if code},
        "replaced": dict(replaced),
        "seconds_p50": round(percentile([answer.seconds for answer in answers if not answer.code], 50), 2),
        "harm_to_error_ms": [in_ms(seconds) for seconds in told],
        "harm_to_next_answer_ms": [in_ms(seconds) for seconds in served],
    }
    promises: Promises = {
        "exactly the killed workers' requests fail as image_worker_died": codes["image_worker_died"]
        == replaced["died"],
        "exactly the stopped worker's request fails as image_timeout": codes["image_timeout"] == replaced["timeout"],
        "every other request is answered": codes[""] == len(answers) - replaced["died"] - replaced["timeout"],
        "each harmed worker is replaced": replaced.total() == len(HARM),
        f"each failure is told within {TIMEOUT_S + SLACK_S:g} s": at_most(max(told), TIMEOUT_S + SLACK_S, " s"),
    }
    return Report(figures, promises)
