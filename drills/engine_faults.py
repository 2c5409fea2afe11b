"""The real engine dies, hangs or loses a worker in the middle of sixteen streams.

Promised: every stream ends in an error event, and none in `[DONE]`: at once when a process was killed, and a second
after `--hang-s` when the engine was stopped by a signal, which no flag of vLLM's shows; readiness falls as soon; the
process exits with code 1 within ten seconds of that; and no process, no temporary file and no shared memory is left.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from drills.aside import Lookout
from drills.exchange import Exchange, exchanged
from drills.http import CHAT, exchange, get, post
from drills.page import Page
from drills.question import question
from drills.report import Measured, Promises, Report, at_most
from huatuo_server.child_processes import Descendants
from tests import golden
from tests.service.real import MODEL, START_LIMIT_S
from tests.service.supervised import SupervisedServer, until

NUM_STREAMS = 16
HANG_S = 5.0
TOLD_LIMIT_S = 1.0
EXIT_LIMIT_S = 10.0
ENGINE, WORKER = "VLLM::EngineCor", "VLLM::Worker"
"""Names of vLLM's processes, as far as the kernel keeps them."""

KEPT = "torchinductor_"
"""torch's cache, which it shares between its runs."""

FLAGS = ("--port", "0", "--dtype", "float32", "--enforce-eager", "--served-model-name", MODEL, "--hang-s", str(HANG_S))


@dataclass(frozen=True, slots=True)
class Fault:
    """signal to the process of that name; the streams end in `code` after `told_s` at most."""

    process: str
    signal: signal.Signals
    code: str
    told_s: float = TOLD_LIMIT_S
    num_workers: int = 1


def killed(short: bool) -> Report:
    """short: the same; it takes as long as the engine's start."""
    return _drill(Fault(ENGINE, signal.SIGKILL, "engine_dead"))


def stopped(short: bool) -> Report:
    """short: the same."""
    return _drill(Fault(ENGINE, signal.SIGSTOP, "engine_hung", HANG_S + TOLD_LIMIT_S))


def worker_killed(short: bool) -> Report:
    """One of two tensor-parallel workers. short: the same."""
    return _drill(Fault(WORKER, signal.SIGKILL, "engine_dead", num_workers=2))


def _drill(fault: Fault) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        flags = (*FLAGS, "--tensor-parallel-size", str(fault.num_workers))
        arguments = ["serve", "--model", str(golden.CHECKPOINT), *flags]
        with SupervisedServer(arguments, environ={"TMPDIR": folder}) as server:
            server.listening()
            server.until_ready(START_LIMIT_S)
            descendants = Descendants.of([server.pid])
            with Readiness(server.url) as readiness, ThreadPoolExecutor(1) as pool:
                streams = pool.submit(lambda: asyncio.run(_ask(server.url)))
                until(lambda: Page.read(server.url).total("vllm:num_requests_running") == NUM_STREAMS)
                at = time.monotonic()
                os.kill(_named(descendants, fault.process), fault.signal)
                code = server.ended()
                exited = time.monotonic()
                exchanges = streams.result()
            left = left_by(descendants, Path(folder))
        return _report(fault, at, exchanges, readiness.fell, code, exited, left)


async def _ask(url: str) -> list[Exchange]:
    body = question(MODEL, stream=True, max_tokens=3000, ignore_eos=True)
    return list(await asyncio.gather(*(exchanged(url, post(CHAT, body)) for _ in range(NUM_STREAMS))))


def _named(descendants: Descendants, name: str) -> int:
    return next(one.pid for one in descendants.processes if one.name.startswith(name))


def left_by(descendants: Descendants, folder: Path) -> list[str]:
    """Processes of a server that has ended, by name, a second later at most, and files of theirs; `folder`: temporary.

    The kernel takes a while to free what a killed process had.
    """
    deadline = time.monotonic() + 1
    while any(one.runs for one in descendants.processes) and time.monotonic() < deadline:
        time.sleep(0.01)
    processes = [one.name for one in descendants.processes if one.runs]
    temporary = [str(file) for file in folder.iterdir() if not file.name.startswith(KEPT)]
    return [*processes, *temporary, *map(str, filter(Path.exists, descendants.shared))]


class Readiness(Lookout):
    """`with Readiness(url) as readiness:` asks every 20 ms. fell: when it was 503 first; None where it never was."""

    every_s = 0.02

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.fell: float | None = None

    def look(self) -> bool:
        """Until nobody answers any more."""
        try:
            status, _ = exchange(self._url, get("/health/ready"))
        except (OSError, IndexError):
            return False
        if status == 503 and self.fell is None:
            self.fell = time.monotonic()
        return True


def _report(
    fault: Fault,
    at: float,
    exchanges: list[Exchange],
    fell: float | None,
    code: int,
    exited: float,
    left: list[str],
) -> Report:
    told = [one.ended - at for one in exchanges]
    after_told_s = exited - at - max(told)
    figures = {
        "streams": len(exchanges),
        "ended_as": dict(Counter(one.code or str(one.status) for one in exchanges)),
        "last_told_s": round(max(told), 2),
        "unready_s": None if fell is None else round(fell - at, 2),
        "exit_code": code,
        "exit_s": round(exited - at, 2),
        "left": left,
    }
    promises: Promises = {
        f"every stream ends in an error event, {fault.code}": all(one.code == fault.code for one in exchanges),
        "no stream looks finished": not any(one.finish_reason for one in exchanges),
        f"every stream is told within {fault.told_s:g} s": at_most(max(told), fault.told_s, " s"),
        f"readiness falls within {fault.told_s:g} s": fell is not None and fell - at <= fault.told_s,
        f"the process exits with 1 within {EXIT_LIMIT_S:g} s of that": Measured(
            f"{after_told_s:.1f} s", code == 1 and after_told_s <= EXIT_LIMIT_S
        ),
        "nothing is left behind": not left,
    }
    return Report(figures, promises)
