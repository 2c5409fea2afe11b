"""The image workers as the server sees them: processes that may die, hang or lie, and cost one request at most."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import pickle
import signal
import socket
import subprocess
import sys
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from huatuo_server.admission.flow import Flow
from huatuo_server.admission.gate import Gate
from huatuo_server.errors import (
    ImageRefused,
    ImageTimeout,
    ImageWorkerDied,
    InternalError,
    InvalidImage,
    InvalidRequest,
    RequestError,
    UnsupportedImageFormat,
)
from huatuo_server.images.content import Content
from huatuo_server.images.job import Inspect, Job, Prepare, Render, Reply
from huatuo_server.images.worker import JOB_HEAD, REPLY_HEAD

log = logging.getLogger(__name__)

MAX_JSON_BYTES = 16 * 1024
MAX_RENDERING_BYTES = 4096 * 4096 * 4
"""A worker that a file has taken over could announce anything; a PNG is hardly longer than its pixels."""

MAX_MESSAGE_CHARS = 500

ERRORS: dict[str, type[RequestError]] = {
    error.__name__: error for error in (InvalidRequest, InvalidImage, UnsupportedImageFormat, ImageRefused)
}
"""What a worker may say of an image."""

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ")
"""Of the environment; keys and tokens in it are none of a decoder's business."""

ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # Every picture's memory is fresh: in huge pages it costs 7 ms of page faults, not 25.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    # Temporaries of a band are kept for the next one: mapped anew each time they cost a 16-bit film half as much again.
    # What is left when a job is done, `malloc_trim` gives back.
    "MALLOC_MMAP_THRESHOLD_": "8388608",
    "MALLOC_TRIM_THRESHOLD_": "33554432",
}

DECODER_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP)

EXIT_LIMIT_S = 5.0

OURS = Flow("", "stat")
"""The server's own jobs."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """memory_bytes: of one process, its libraries included. cpu_s, timeout_s: of one image; processor and wall time."""

    memory_bytes: int
    cpu_s: float
    timeout_s: float


@dataclass(frozen=True, slots=True)
class WorkerEvents:
    """Whom to tell: of one more (1) or one fewer (-1) at work, and of one that had to be replaced, with the cause."""

    busy: Callable[[int], None] = lambda change: None
    replaced: Callable[[str], None] = lambda cause: None


class ImageWorkers:
    """A pool of worker processes, each started when it is first needed, and half as many more for headers only.

    Headers have workers of their own, so that they are judged at once however many pictures are waiting.
    """

    def __init__(self, count: int, limits: WorkerLimits, events: WorkerEvents | None = None) -> None:
        events = events or WorkerEvents()
        self._inspectors = _Lane((count + 1) // 2, limits, events)
        self._makers = _Lane(count, limits, events)

    def start(self) -> None:
        """Start one of each kind now, so that the first request waits for none."""
        self._inspectors.warm()
        self._makers.warm()

    async def run(self, content: Content, job: Job, flow: Flow = OURS) -> Reply:
        """Do a job. Raises RequestError: the image's own faults, ImageTimeout, ImageWorkerDied, InternalError."""
        # A caller that goes away leaves the worker to finish: that costs less than a new process.
        return await asyncio.shield(await self.begin(content, job, flow))

    async def begin(self, content: Content, job: Job, flow: Flow) -> asyncio.Task[Reply]:
        """Wait in turn for a worker and hand it the job.

        The task goes on whoever waits for it; it raises as `run` does.
        """
        lane = self._inspectors if isinstance(job, Inspect) else self._makers
        return await lane.begin(content, job, flow)

    async def close(self) -> None:
        """End all of them at once; jobs at work fail."""
        await asyncio.gather(self._inspectors.close(), self._makers.close())


class _Lane:
    """Workers of one kind. Whose jobs wait take turns."""

    def __init__(self, size: int, limits: WorkerLimits, events: WorkerEvents) -> None:
        self._places = Gate(size)
        self._limits = limits
        self._events = events
        self._idle: list[_Worker] = []
        self._at_work: dict[asyncio.Task[Reply], _Worker] = {}

    def warm(self) -> None:
        self._idle.append(_Worker(self._limits))

    async def begin(self, content: Content, job: Job, flow: Flow) -> asyncio.Task[Reply]:
        """See ImageWorkers."""
        await self._places.enter(flow)
        try:
            worker = self._hand_over(content, job)
        except BaseException:
            self._places.leave()
            raise
        self._events.busy(1)
        task = asyncio.create_task(self._finish(worker, _max_payload_bytes(job)), name="image worker")
        self._at_work[task] = worker
        task.add_done_callback(self._forget)
        return task

    def _hand_over(self, content: Content, job: Job) -> _Worker:
        """A worker that has the job; an idle one may have died unseen."""
        while self._idle:
            worker = self._idle.pop()
            with contextlib.suppress(OSError):
                worker.send(content, job)
                return worker
            worker.reaped()
            self._events.replaced("died idle")
        return self._first_job(content, job)

    def _first_job(self, content: Content, job: Job) -> _Worker:
        try:
            worker = _Worker(self._limits)
        except OSError as error:
            log.error("no image worker could be started", exc_info=error)
            raise ImageWorkerDied("No process could be started to prepare the image. Send the request again.") from None
        try:
            worker.send(content, job)
        except BaseException:
            worker.reaped()
            raise
        return worker

    async def _finish(self, worker: _Worker, max_payload_bytes: int) -> Reply:
        try:
            said, payload = await worker.reply(max_payload_bytes)
            self._idle.append(worker)
        except _Lost as lost:
            self._events.replaced(lost.cause)
            with contextlib.suppress(OSError):
                self.warm()
            raise lost.error from None
        finally:
            self._events.busy(-1)
            self._places.leave()
        return _understood(said, payload)

    def _forget(self, task: asyncio.Task[Reply]) -> None:
        self._at_work.pop(task, None)
        # Where the caller has gone nobody else asks for the exception, and asyncio would log it.
        if not task.cancelled():
            task.exception()

    async def close(self) -> None:
        tasks, workers = list(self._at_work), [*self._idle, *self._at_work.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in workers))


class _Lost(Exception):
    """A worker is no more. cause: for the metrics."""

    def __init__(self, cause: str, error: RequestError) -> None:
        super().__init__(cause)
        self.cause = cause
        self.error = error


class _Worker:
    """One process and our end of its socket."""

    def __init__(self, limits: WorkerLimits) -> None:
        self._limits = limits
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-m", "huatuo_server.images.worker"),
                    *(str(theirs.fileno()), str(limits.memory_bytes), str(limits.cpu_s)),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=ENVIRONMENT | {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
                # Ctrl-C in a terminal is the server's to hear.
                start_new_session=True,
            )

    def send(self, content: Content, job: Job) -> None:
        """Hand over a job, at once: it is small, and the file goes as a descriptor. Raises OSError."""
        pickled = pickle.dumps(job)
        descriptor = array("i", [content.fd])
        self._socket.sendmsg(
            [JOB_HEAD.pack(len(pickled)), pickled], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)]
        )

    async def reply(self, max_payload_bytes: int) -> tuple[dict[str, Any], bytes]:
        """Raises _Lost, which says why there is none."""
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                return await self._read(max_payload_bytes)
        except TimeoutError:
            await self.end()
            raise _Lost("timeout", self._too_slow()) from None
        except (ValueError, RecursionError):
            await self.end()
            log.error("an image worker said what none of ours would say, and was ended")
            raise _Lost("lied", _died()) from None
        except (OSError, EOFError):
            raise await self._gone() from None

    async def _read(self, max_payload_bytes: int) -> tuple[dict[str, Any], bytes]:
        """Raises ValueError, RecursionError or EOFError for what no worker of ours would say."""
        num_json_bytes, num_payload_bytes = REPLY_HEAD.unpack(await self._read_exactly(REPLY_HEAD.size))
        if num_json_bytes > MAX_JSON_BYTES or num_payload_bytes > max_payload_bytes:
            raise ValueError("a worker announced more than it may say")
        said = json.loads(await self._read_exactly(num_json_bytes), parse_constant=_no_number)
        # Half a character would break the answer that it is told in.
        json.dumps(said, ensure_ascii=False).encode()
        if not isinstance(said, dict):
            raise ValueError("a worker said something that is no object")
        return said, await self._read_exactly(num_payload_bytes)

    async def _read_exactly(self, count: int) -> bytes:
        loop, received = asyncio.get_running_loop(), bytearray(count)
        rest = memoryview(received)
        while rest:
            num_bytes = await loop.sock_recv_into(self._socket, rest)
            if num_bytes == 0:
                raise EOFError
            rest = rest[num_bytes:]
        return bytes(received)

    async def _gone(self) -> _Lost:
        """Why the process ended, which its exit code tells."""
        await asyncio.to_thread(self._wait)
        code = await self.end()
        if code == -signal.SIGPROF:
            return _Lost("cpu time", self._too_costly())
        if -code in DECODER_CRASHES:
            return _Lost("crash", ImageRefused("The image makes its decoder crash. Save it anew and send that."))
        log.error("an image worker ended", extra={"details": {"exit_code": code}})
        return _Lost("died", _died())

    def _too_costly(self) -> ImageRefused:
        return ImageRefused(
            f"The image takes more than {self._limits.cpu_s:g} s of processor time to decode (--image-cpu-s). "
            "Scale it down, or save it in a simpler form."
        )

    def _too_slow(self) -> ImageTimeout:
        seconds = math.ceil(self._limits.timeout_s)
        return ImageTimeout(f"The image was not prepared within {seconds} s (--image-timeout-s). Try again.")

    async def end(self) -> int:
        """Kill it, whatever it does; its exit code. In a thread, since half a gigabyte takes a while to go."""
        self._socket.close()
        self._process.kill()
        return await asyncio.to_thread(self._wait)

    def _wait(self) -> int:
        """A process that hangs in the kernel cannot even be killed; do not wait for it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_LIMIT_S)
        return self._process.returncode or 0

    def reaped(self) -> None:
        """It has died already."""
        self._socket.close()
        self._process.kill()
        self._process.poll()


def _died() -> ImageWorkerDied:
    return ImageWorkerDied("The process that prepared the image was ended from outside. Send the request again.")


def _max_payload_bytes(job: Job) -> int:
    match job:
        case Inspect():
            return 0
        case Prepare():
            return job.policy.size_pixels**2 * 3
        case Render():
            return MAX_RENDERING_BYTES


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _understood(said: dict[str, Any], payload: bytes) -> Reply:
    """Raises what the worker said of the image."""
    if "facts" in said:
        return Reply(said["facts"], payload, said["seconds"])
    if said.get("error") in ERRORS:
        raise ERRORS[said["error"]](str(said["message"])[:MAX_MESSAGE_CHARS], param=said["param"])
    log.error("an image worker met a defect of ours", extra={"details": {"places": str(said.get("defect"))}})
    raise InternalError("The server failed to prepare the image; its log says more.")
