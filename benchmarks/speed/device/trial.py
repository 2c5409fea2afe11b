"""What is asked of a server on a model's sizes, and the figures that come of it."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from urllib.parse import urlsplit

from benchmarks.machine import ticks
from benchmarks.speed.device import account
from benchmarks.speed.device.asking import Answer, ask
from benchmarks.speed.device.busy import Busy, GpuWatch
from benchmarks.speed.device.figure import Figure, Promise
from benchmarks.speed.device.questions import question
from benchmarks.speed.device.subject import MAX_NUM_SEQS
from benchmarks.speed.meter import GROUPS, Group, groups
from benchmarks.speed.roofline import PATCHES, Roofline
from benchmarks.speed.server import Server


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked. batches: answers under way at a time. saturated_s: how long the full server is watched."""

    batches: Sequence[int] = (1, 32, 256)
    decode_tokens: int = 256
    decode_rounds: int = 3
    ttft_rounds: int = 12
    in_flight: int = 288
    answer_tokens: int = 200
    saturated_s: float = 40.0


SMALL = Size(
    (1, 4, 8), decode_tokens=48, decode_rounds=1, ttft_rounds=3, in_flight=8, answer_tokens=24, saturated_s=10.0
)
"""For a processor and a tiny model: the same calls, less of each."""

ITL = "vllm:inter_token_latency_seconds"


@dataclass(frozen=True, slots=True)
class Promises:
    """What is held against figures; nothing where none was promised."""

    decode_alone: Promise | None = None
    saturated: Promise | None = None
    busy: Promise | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Of one server that is ready, on a model and a device whose roofline is known."""

    server: Server
    roofline: Roofline
    size: Size
    promises: Promises = field(default_factory=Promises)

    async def all(self) -> list[Figure]:
        """Every figure."""
        await self._together([question(8, images=1) for _ in range(4)])
        capacity = await asyncio.to_thread(account.kv_tokens, self.server.url)
        found = [Figure("KV capacity", capacity, "tokens", self.roofline.kv_tokens())]
        for batch in self.size.batches:
            found += await self.decode(batch)
        for images in (1, 6):
            found.append(await self.ttft(images))
        return found + await self.saturated()

    async def some(self) -> list[Figure]:
        """What a front end shows in: the first token of one request, and the full server."""
        await self._together([question(8, images=1) for _ in range(4)])
        return [await self.ttft(1), *await self.saturated()]

    async def decode(self, batch: int) -> list[Figure]:
        """Milliseconds a token while exactly `batch` answers are under way: none still waits, none has ended."""
        rounds = [await self._decode_round(batch) for _ in range(self.size.decode_rounds)]
        bound = 1e3 * self.roofline.decode_step_s(batch, fmean(one.context_tokens for one in rounds))
        promise = self.promises.decode_alone if batch == 1 else None
        step_ms = 1e3 * median(one.step_s for one in rounds)
        engine_ms = 1e3 * median(one.engine_s for one in rounds)
        note = f"{fmean(one.chunks_per_token for one in rounds):.2f} chunks a token"
        return [
            Figure(f"decode, batch {batch}", step_ms, "ms/token", bound, promise, note),
            Figure(f"decode, batch {batch}, by the engine's clock", engine_ms, "ms/token", bound),
        ]

    async def _decode_round(self, batch: int) -> _Decoded:
        stretch = _Stretch(self.server.url, batch)
        answers = await self._together([question(self.size.decode_tokens) for _ in range(batch)], stretch.begins)
        begun = max(answer.arrivals[0] for answer in answers)
        ended = min(answer.arrivals[-1] for answer in answers)
        tokens = sum(_tokens_between(answer, begun, ended) for answer in answers)
        if not tokens:
            raise RuntimeError(f"{batch} answers were never under way at the same time")
        chunks = sum(len(answer.arrivals) for answer in answers)
        return _Decoded(
            step_s=(ended - begun) * batch / tokens,
            engine_s=await stretch.engine_itl_s(),
            context_tokens=fmean(answer.prompt_tokens + answer.output_tokens / 2 for answer in answers),
            chunks_per_token=chunks / sum(answer.output_tokens for answer in answers),
        )

    async def ttft(self, images: int) -> Figure:
        """One request at a time, with pictures that are new to the server."""
        answers = [await self.ask(question(2, images=images)) for _ in range(self.size.ttft_rounds)]
        prompt_tokens = answers[0].prompt_tokens
        bound = 1e3 * self.roofline.prefill_s(prompt_tokens, images)
        note = f"{prompt_tokens} prompt tokens, {images * PATCHES} of them pictures"
        name = f"TTFT, {images} image{'s' * (images > 1)}"
        return Figure(name, 1e3 * median(answer.ttft_s for answer in answers), "ms", bound, note=note)

    async def saturated(self) -> list[Figure]:
        """Requests with one picture, more at a time than the engine runs; counted once the crowd is in."""
        ramp = self.size.saturated_s / 4
        crowd = _Crowd(self, until=time.perf_counter() + ramp + self.size.saturated_s)
        async with asyncio.TaskGroup() as callers:
            for rank in range(self.size.in_flight):
                # One after the other, so that the crowd does not march in step.
                callers.create_task(crowd.call(ramp * rank / self.size.in_flight))
            watched = callers.create_task(_watched(self.server.pid, ramp, self.size.saturated_s))
        return list(self._of_crowd(crowd.answers, watched.result()))

    def _of_crowd(self, answers: Sequence[Answer], watched: _Watched) -> Iterator[Figure]:
        seconds, out = watched.ended - watched.begun, self.size.answer_tokens
        done = [answer for answer in answers if watched.begun < answer.arrivals[-1] <= watched.ended]
        if not done:
            raise RuntimeError("no answer ended while the full server was watched")
        prompt_tokens = round(fmean(answer.prompt_tokens for answer in done))
        rate, batch = len(done) / seconds, min(self.size.in_flight, MAX_NUM_SEQS)
        ceiling = self.roofline.requests_per_s(prompt_tokens, 1, out, batch)
        what = f"{prompt_tokens} tokens in, {out} out, {self.size.in_flight} in flight"
        yield Figure("requests/s, saturated", rate, "/s", ceiling, self.promises.saturated, what)
        yield Figure("tokens/s out, saturated", rate * out, "/s", ceiling * out)
        yield Figure("TTFT p50, saturated", 1e3 * median(answer.ttft_s for answer in done), "ms")
        if watched.busy is not None:
            power = f"{watched.busy.power_w:.0f} W, {watched.busy.clock_mhz:.0f} MHz"
            yield Figure("GPU busy, saturated", watched.busy.percent, "%", promise=self.promises.busy, note=power)
        for group, used_s in watched.used_s.items():
            each = f"{1e3 * used_s / len(done):.1f} ms a request"
            yield Figure(f"processor, {group.replace('_', ' ')}, saturated", used_s / seconds, "cores", note=each)

    async def _together(self, bodies: Sequence[bytes], began: Callable[[], None] = lambda: None) -> list[Answer]:
        return list(await asyncio.gather(*(self.ask(body, began) for body in bodies)))

    async def ask(self, body: bytes, began: Callable[[], None] = lambda: None) -> Answer:
        """One question."""
        place = urlsplit(self.server.url)
        assert place.hostname is not None
        assert place.port is not None
        return await ask(place.hostname, place.port, body, began)


@dataclass(frozen=True, slots=True)
class _Decoded:
    """Seconds a token: by the client's clock, by the engine's. context_tokens: of a sequence, on average."""

    step_s: float
    engine_s: float
    context_tokens: float
    chunks_per_token: float


def _tokens_between(answer: Answer, begun: float, ended: float) -> float:
    """Where a chunk held several, they are spread over the answer's chunks evenly."""
    chunks = sum(begun < arrival <= ended for arrival in answer.arrivals)
    return chunks * answer.output_tokens / len(answer.arrivals)


class _Stretch:
    """The engine's own inter-token latency, from the moment when all answers have begun to the end of the last."""

    def __init__(self, url: str, batch: int) -> None:
        self._url = url
        self._missing = batch
        self._before: asyncio.Task[dict[str, float]] | None = None

    def begins(self) -> None:
        """One more answer has begun."""
        self._missing -= 1
        if self._missing == 0:
            self._before = asyncio.create_task(asyncio.to_thread(account.samples, self._url))

    async def engine_itl_s(self) -> float:
        """Mean, by vLLM's histogram; not a number where it has none."""
        assert self._before is not None
        before, after = await self._before, await asyncio.to_thread(account.samples, self._url)
        seconds, count = (
            after.get(f"{ITL}_{part}", 0.0) - before.get(f"{ITL}_{part}", 0.0) for part in ("sum", "count")
        )
        return seconds / count if count else math.nan


@dataclass(slots=True)
class _Crowd:
    """Callers who ask again as soon as they are answered, until `until`."""

    trial: Trial
    until: float
    answers: list[Answer] = field(default_factory=list)

    async def call(self, delay_s: float) -> None:
        """One caller."""
        await asyncio.sleep(delay_s)
        while time.perf_counter() < self.until:
            self.answers.append(await self.trial.ask(question(self.trial.size.answer_tokens, images=1)))


@dataclass(frozen=True, slots=True)
class _Watched:
    begun: float
    ended: float
    busy: Busy | None
    used_s: Mapping[Group, float]


async def _watched(server: int, after_s: float, for_s: float) -> _Watched:
    await asyncio.sleep(after_s)
    begun, before = time.perf_counter(), _processor_s(server)
    with GpuWatch() as watch:
        await asyncio.sleep(for_s)
    ended, after = time.perf_counter(), _processor_s(server)
    return _Watched(begun, ended, watch.busy, {group: after[group] - before[group] for group in GROUPS})


def _processor_s(server: int) -> dict[Group, float]:
    """Of the server's processes, and of this one, which asks."""
    used: dict[Group, float] = dict.fromkeys(GROUPS, 0.0)
    for pid, group in groups(server).items():
        # Several API servers of vLLM's carry its processes' title, and are none of the engine's.
        used["server" if _is_api_server(pid) else group] += ticks(pid) / os.sysconf("SC_CLK_TCK")
    return used | {"generator": time.process_time()}


def _is_api_server(pid: int) -> bool:
    try:
        return b"APIServer" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
