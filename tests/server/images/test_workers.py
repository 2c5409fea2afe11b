"""Image workers: whatever happens to one of them, only its own image fails, and the error says why."""

from __future__ import annotations

import asyncio
import io
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from huatuo_server.admission.flow import Flow
from huatuo_server.errors import ImageRefused, ImageTimeout, ImageWorkerDied, InvalidImage, RequestError
from huatuo_server.families import PicturePolicy
from huatuo_server.images.bounds import Bounds
from huatuo_server.images.content import Content
from huatuo_server.images.job import Inspect, Job, Prepare, Reply
from huatuo_server.images.prepare import prepare
from huatuo_server.images.workers import OURS, ImageWorkers, WorkerEvents, WorkerLimits
from huatuo_server.protocol.view import WHOLE
from tests import golden
from tests.server.images import worker_processes

MEBIBYTE = 1024 * 1024
PICTURE = Prepare(WHOLE, Bounds(), PicturePolicy())
SMALL = (golden.IMAGES / "tiny_5x7.png").read_bytes()


class Pool:
    """One worker of each kind, and what they reported."""

    def __init__(self, **limits: float) -> None:
        self.busy = 0
        self._begun = asyncio.Event()
        self.replaced: Counter[str] = Counter()
        chosen = {"memory_bytes": 512 * MEBIBYTE, "cpu_s": 5.0, "timeout_s": 30.0, **limits}
        self.workers = ImageWorkers(
            1,
            WorkerLimits(int(chosen["memory_bytes"]), chosen["cpu_s"], chosen["timeout_s"]),
            WorkerEvents(self._count, lambda cause: self.replaced.update([cause])),
        )

    def _count(self, change: int) -> None:
        self.busy += change
        self._begun.set()

    async def do(self, data: bytes = SMALL, job: Job = PICTURE, flow: Flow = OURS) -> Reply:
        with Content([data]) as content:
            return await self.workers.run(content, job, flow)

    async def at_work(self, data: bytes = SMALL) -> asyncio.Task[Reply]:
        """A job that a worker has, which is stopped so that it cannot finish."""
        await self.do()
        worker_processes.signal_all(signal.SIGSTOP)
        self._begun.clear()
        task = asyncio.create_task(self.do(data))
        await self._begun.wait()
        return task


@asynccontextmanager
async def pool(**limits: float) -> AsyncIterator[Pool]:
    running = Pool(**limits)
    try:
        yield running
    finally:
        await running.workers.close()
        assert worker_processes.pids() == []


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def flat_png(width: int, height: int, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "PNG", compress_level=1)
    return file.getvalue()


async def failure(work: Coroutine[Any, Any, Reply] | asyncio.Task[Reply]) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await work
    return caught.value


def test_a_worker_makes_the_same_picture_as_this_process() -> None:
    """The pixels come back whole, with the image's facts and the time of each stage."""

    async def work() -> None:
        async with pool() as workers:
            reply = await workers.do((golden.IMAGES / "retina_land_1000x700.png").read_bytes())

        image = Image.open(golden.IMAGES / "retina_land_1000x700.png").convert("RGB")
        assert reply.payload == prepare(image, PicturePolicy()).tobytes()
        assert (reply.facts["width"], reply.facts["height"], reply.facts["format"]) == (1000, 700, "PNG")
        assert reply.facts["padding"] == {"left": 0, "top": 150, "right": 0, "bottom": 150}
        assert set(reply.seconds) == {"decode", "prepare"}

    run(work())


def test_a_fault_of_the_image_is_told_and_costs_no_worker() -> None:
    """The error is the reader's own; the same process goes on."""

    async def work() -> None:
        async with pool() as workers:
            await workers.do()
            before = worker_processes.pids()

            error = await failure(workers.do(SMALL[:60]))

            assert isinstance(error, InvalidImage)
            await workers.do()
            assert worker_processes.pids() == before

    run(work())


def test_a_worker_that_is_killed_fails_its_own_image_only() -> None:
    """A 500 that says so for the one at work, a new process for the next one, and the cause is counted."""

    async def work() -> None:
        async with pool() as workers:
            task = await workers.at_work()
            worker_processes.signal_all(signal.SIGKILL)

            error = await failure(task)

            assert isinstance(error, ImageWorkerDied)
            assert "ended from outside" in error.message
            await workers.do()
            assert workers.replaced == {"died": 1}
            assert workers.busy == 0

    run(work())


def test_a_decoder_that_crashes_is_the_images_fault() -> None:
    """A segmentation fault is a 422, not a 500: the same bytes would crash it again."""

    async def work() -> None:
        async with pool() as workers:
            task = await workers.at_work()
            worker_processes.signal_all(signal.SIGSEGV)
            worker_processes.signal_all(signal.SIGCONT)

            error = await failure(task)

            assert isinstance(error, ImageRefused)
            assert "crash" in error.message
            await workers.do()
            assert workers.replaced == {"crash": 1}

    run(work())


def test_a_worker_that_hangs_is_replaced() -> None:
    """After the wall time, which the error names with its setting; the next image is served."""

    async def work() -> None:
        async with pool(timeout_s=2.0) as workers:
            task = await workers.at_work()

            error = await failure(task)

            assert isinstance(error, ImageTimeout)
            assert "within 2 s (--image-timeout-s)" in error.message
            await workers.do()
            assert workers.replaced == {"timeout": 1}

    run(work())


def test_processor_time_is_limited_by_the_kernel() -> None:
    """A picture that costs more is a 422 naming the setting, though its decoder never looks at a clock."""

    async def work() -> None:
        async with pool(cpu_s=0.05) as workers:
            error = await failure(workers.do(flat_png(6000, 6000)))

            assert isinstance(error, ImageRefused)
            assert "0.05 s of processor time to decode (--image-cpu-s)" in error.message
            await workers.do()
            assert workers.replaced == {"cpu time": 1}

    run(work())


def test_memory_is_limited_by_the_kernel() -> None:
    """A picture that needs more is a 422 naming the setting."""

    async def work() -> None:
        async with pool(memory_bytes=256 * MEBIBYTE) as workers:
            error = await failure(workers.do(flat_png(6300, 6300, "RGBA")))

            assert isinstance(error, ImageRefused)
            assert "--image-memory-bytes" in error.message
            await workers.do()

    run(work())


LIAR = """#!{python}
import socket, struct, sys, time
said, payload_bytes = {said!r}, {payload_bytes}
parent = socket.socket(fileno=int(sys.argv[4]))
parent.recv(4)
parent.sendall(struct.pack("!IQ", len(said), payload_bytes) + said)
time.sleep(600)
"""

LIES = {
    "nested": (b"[" * 16_000, 0),
    "no object": (b"[]", 0),
    "not a number": (b'{"facts": {"width": NaN}, "seconds": {}}', 0),
    "half a character": (b'{"facts": {"warnings": ["\\ud800"]}, "seconds": {}}', 0),
    "no text": (b"\xff", 0),
    "too much to say": (b"{" * 20_000, 0),
    "too large a picture": (b"{}", 2**40),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_worker_that_lies_is_not_believed(lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a taken-over decoder answers, its one image fails, its process ends, and none is left over."""
    said, payload_bytes = LIES[lie]
    liar = tmp_path / "python"
    liar.write_text(LIAR.format(python=sys.executable, said=said, payload_bytes=payload_bytes))
    liar.chmod(0o700)

    async def work() -> None:
        async with pool() as workers:
            with monkeypatch.context() as patch:
                patch.setattr("huatuo_server.images.workers.sys.executable", str(liar))
                assert isinstance(await failure(workers.do()), ImageWorkerDied)
                # The one that takes its place is started at once, a liar too.
                assert isinstance(await failure(workers.do()), ImageWorkerDied)
            assert workers.replaced == {"lied": 2}

    run(work())


def test_the_largest_picture_that_is_allowed_fits() -> None:
    """40 megapixels of RGBA, within the default limits of memory and processor time."""

    async def work() -> None:
        async with pool(cpu_s=2.0) as workers:
            reply = await workers.do(flat_png(8000, 5000, "RGBA"))

            assert len(reply.payload) == 336 * 336 * 3

    run(work())


def test_a_worker_that_died_idle_is_replaced_unnoticed() -> None:
    """The next image does not fail for it."""

    async def work() -> None:
        async with pool() as workers:
            await workers.do()
            dead = worker_processes.pids()
            worker_processes.signal_all(signal.SIGKILL)
            for pid in dead:
                worker_processes.until_gone(pid)

            await workers.do()

            assert set(worker_processes.pids()).isdisjoint(dead)
            assert workers.replaced == {"died idle": 1}

    run(work())


def test_a_caller_that_goes_away_leaves_the_pool_whole() -> None:
    """Its image is finished for nobody, and the next one is prepared."""

    async def work() -> None:
        async with pool() as workers:
            task = await workers.at_work()
            waiting = asyncio.create_task(workers.do())
            await asyncio.sleep(0)
            task.cancel()
            waiting.cancel()
            await asyncio.gather(task, waiting, return_exceptions=True)
            worker_processes.signal_all(signal.SIGCONT)

            await workers.do()

            assert (workers.busy, workers.replaced) == (0, {})

    run(work())


def test_headers_do_not_wait_behind_pictures() -> None:
    """While every maker is at work, a header is read."""

    async def work() -> None:
        async with pool() as workers:
            task = await workers.at_work()

            reply = await workers.do(job=Inspect(Bounds()))

            assert reply.facts == {"format": "PNG", "width": 5, "height": 7, "frames": 1}
            worker_processes.signal_all(signal.SIGCONT)
            await task

    run(work())


def test_more_pictures_than_workers_wait_their_turn() -> None:
    """One worker makes them all, one after the other."""

    async def work() -> None:
        async with pool() as workers:
            replies = await asyncio.gather(*(workers.do() for _ in range(8)))

            assert len({reply.payload for reply in replies}) == 1
            assert len(worker_processes.pids()) == 1

    run(work())


@pytest.mark.parametrize("job", [PICTURE, Inspect(Bounds())], ids=["pictures", "headers"])
def test_who_waits_for_a_worker_takes_turns(job: Job) -> None:
    """Stat first, then the tenants by turns, however many one of them brought before."""

    async def work() -> None:
        async with pool() as workers:
            await workers.do(job=job)
            worker_processes.signal_all(signal.SIGSTOP)
            flows = [Flow("a", "batch")] * 4 + [Flow("b", "batch"), Flow("a", "stat")]
            ended: list[Flow] = []
            tasks = []

            async def one(flow: Flow) -> None:
                await workers.do(job=job, flow=flow)
                ended.append(flow)

            for flow in flows:
                tasks.append(asyncio.create_task(one(flow)))
                await asyncio.sleep(0)
            worker_processes.signal_all(signal.SIGCONT)
            await asyncio.gather(*tasks)

            assert ended[:2] == [Flow("a", "batch"), Flow("a", "stat")]
            assert ended.index(Flow("b", "batch")) <= 3

    run(work())


def test_a_worker_knows_no_secret_and_can_write_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment lacks ours, and the kernel lets it write no byte to a disk and dump no core."""
    monkeypatch.setenv("HF_TOKEN", "canary-token")
    monkeypatch.setenv("HUATUO_KEYS_FILE", "canary-keys")

    async def work() -> None:
        async with pool() as workers:
            await workers.do()
            (pid,) = worker_processes.pids()

            assert "canary" not in worker_processes.environment(pid)
            limits = worker_processes.limits(pid)
            for name in ("Max file size", "Max core file size"):
                assert limits[name] == "0"
            assert limits["Max data size"] == str(512 * MEBIBYTE)

    run(work())


ORPHAN = """
import asyncio, os, sys
sys.path.insert(0, {root!r})
from tests.server.images.test_workers import Pool
from tests.server.images import worker_processes

async def main():
    pool = Pool()
    await pool.do()
    print(*worker_processes.pids(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


def test_no_worker_outlives_a_server_that_is_killed() -> None:
    """SIGKILL, which no handler sees, ends the workers too."""
    program = ORPHAN.format(root=str(Path(__file__).parents[3]))
    server = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    with server, server.stdout:
        pids = [int(pid) for pid in server.stdout.readline().split()]
        server.kill()

    assert pids
    for pid in pids:
        worker_processes.until_gone(pid)


def test_pictures_of_one_process_do_not_pile_up() -> None:
    """After forty large pictures a worker is hardly bigger than after four."""

    async def work() -> None:
        async with pool() as workers:
            noise = np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), dtype=np.uint8)
            file = io.BytesIO()
            Image.fromarray(noise).save(file, "JPEG")
            sizes = []
            for count in (4, 36):
                for _ in range(count):
                    await workers.do(file.getvalue())
                (pid,) = worker_processes.pids()
                sizes.append(worker_processes.resident_bytes(pid))

            print(f"resident after 4 and 40 pictures: {sizes[0] / 1e6:.0f} and {sizes[1] / 1e6:.0f} MB")
            assert sizes[1] - sizes[0] < 30 * MEBIBYTE

    run(work())
