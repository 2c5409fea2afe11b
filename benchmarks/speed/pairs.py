"""Both servers up, every workload's runs in pairs: ours and stock's next to each other in time, first one, then the
other, then turned round (ABBA), so that what drifts on a machine falls on both.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.speed import aiperf, server
from benchmarks.speed.answers import completions
from benchmarks.speed.ask import ask
from benchmarks.speed.conversation import conversations
from benchmarks.speed.measurement import Measurement, SideName
from benchmarks.speed.server import Server
from benchmarks.speed.workload import Step, Workload

SIDES: tuple[SideName, SideName] = ("ours", "stock")

WARM_UP = 8
"""Conversations of each workload before its first pair, all at once: what a server does once is done then."""

Say = Callable[[str], None]


@contextmanager
def both(checkpoint: Path, folder: Path) -> Iterator[dict[SideName, Server]]:
    """The two servers, ready. folder: for their logs. Raises RuntimeError where one does not start."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(one) for one in (server.ours(checkpoint, folder), server.stock(checkpoint, folder))
        ]
        for one in started:
            one.wait()
        yield {one.side: one for one in started}


def measure(
    servers: Mapping[SideName, Server], workloads: Sequence[Workload], pairs: int, folder: Path, say: Say
) -> Iterator[Measurement]:
    """Pair by pair through all workloads, each as often as it says at most. folder: for requests.

    say: takes a line on each run. Raises `aiperf.LoadFailedError`.
    """
    for workload in workloads:
        _warm_up(servers, workload)
    for pair in range(pairs):
        for workload in workloads:
            if pair < workload.pairs:
                for number, step in enumerate(workload.steps):
                    yield from _pair(servers, workload, step, pair, folder / f"{workload.name}-{pair}-{number}", say)


def _pair(
    servers: Mapping[SideName, Server], workload: Workload, step: Step, pair: int, folder: Path, say: Say
) -> Iterator[Measurement]:
    asked = list(conversations(workload, step.conversations, folder.name))
    aiperf.write_requests(folder / "requests", asked, step, folder.name)
    for side in SIDES if pair % 2 == 0 else reversed(SIDES):
        measurement = _measured(servers[side], workload, step, pair, folder)
        say(line(measurement))
        yield measurement
    shutil.rmtree(folder)


def _measured(server: Server, workload: Workload, step: Step, pair: int, folder: Path) -> Measurement:
    answers, failed, meter, command = aiperf.run(server, folder / "requests", step, folder / server.side)
    begin_ns, end_ns = min(one.sent_ns for one in answers), max(one.ended_ns for one in answers)
    return Measurement(
        workload=workload.name,
        side=server.side,
        pair=pair,
        load=step.load,
        generator=aiperf.version(),
        command=command,
        wall_s=(end_ns - begin_ns) / 1e9,
        completions=completions(answers, step.load.concurrency),
        failed=failed,
        processor=meter.processor(begin_ns, end_ns),
        memory=meter.memory(),
    )


def line(one: Measurement) -> str:
    """For who waits."""
    load = f"{one.load.rate_per_s:g}/s" if one.load.is_open else f"{one.load.concurrency} at once"
    return (
        f"{one.workload:13} {one.pair} {one.side:5} {load:10} {one.requests_per_s:6.1f} requests/s "
        f"{one.output_tokens_per_s:6.0f} tokens/s  TTFT {one.ttft_ms(50):6.0f} ms  front end "
        f"{one.server_ms_per_request:5.1f} + {one.image_workers_ms_per_request:5.1f} ms a request, "
        f"{one.front_end_us_per_token:5.1f} us a token, {one.front_end_share:3.0%}; "
        f"{one.chunks_per_completion:.1f} chunks; lag {one.lag_ms(99):.0f} ms; failed {one.failed}"
    )


def _warm_up(servers: Mapping[SideName, Server], workload: Workload) -> None:
    asked = list(conversations(workload, WARM_UP, f"warm-up of {workload.name}"))
    for one in servers.values():
        with ThreadPoolExecutor(WARM_UP) as pool:
            list(pool.map(lambda bodies, url=one.url: [ask(url, body) for body in bodies], asked))
