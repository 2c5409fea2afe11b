"""The audit log's disk is full: nothing is done that is not on record, and nothing has to be restarted.

Promised: while the disk is full every new request is a 503 (`audit_failed`), the slowest within 250 ms, and readiness
is 503 with the reason; the streams that run come to their end. Within 3 s of there being room again requests are
answered. The log is then whole, with a beginning and an end for every request that was answered, and none for one that
was refused.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from drills.full_disk import Disk, small_disk
from drills.http import CHAT, exchange, get, post
from drills.question import TWIN, question
from drills.report import Promises, Report, at_most, in_ms, percentile
from huatuo_server.audit.verification import Chain, verified
from huatuo_server.errors import HuatuoError
from tests.service.supervised import SupervisedServer, scripted, until

NUM_CALM = 20
NUM_STREAMS = 8
NUM_REFUSED = 100

MAX_REFUSAL_S = 0.250
MAX_RECOVERY_S = 3.0

SCRIPT = {"completions": [{"text": "All is calm in this picture. " * 20, "delay_s": 0.02}]}
"""A stream of seconds: it outlasts the refusals."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a client saw of one request. code: of the error, else empty."""

    id: str
    status: int
    code: str
    seconds: float


class Client:
    """Asks, each time under an id of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._numbers = count()

    def ask(self) -> Told:
        id_ = f"short-{next(self._numbers)}"
        began = time.monotonic()
        status, body = exchange(self._url, post(CHAT, question(TWIN, max_tokens=1), X_Request_Id=id_))
        code = "" if status == 200 else json.loads(body)["error"]["code"]
        return Told(id_, status, code, time.monotonic() - began)

    def stream(self, number: int) -> bytes:
        request = post(CHAT, question(TWIN, max_tokens=100, stream=True), X_Request_Id=f"stream-{number}")
        return exchange(self._url, request)[1]

    def ready(self) -> tuple[int, str]:
        """Status and reason."""
        status, body = exchange(self._url, get("/health/ready"))
        return status, json.loads(body)["reason"] or ""

    def in_flight(self) -> int:
        """Requests, as the server counts them."""
        page = exchange(self._url, get("/metrics"))[1].decode()
        return next(
            int(float(line.split()[1])) for line in page.splitlines() if line.startswith("hgv_requests_in_flight ")
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """calm: before and after. refused: while the disk was full; ready: what readiness said meanwhile."""

    calm: Sequence[Told]
    refused: Sequence[Told]
    ready: tuple[int, str]
    streams: Sequence[bytes]
    recovery_s: float
    exit_code: int


def drill(short: bool) -> Report:
    """short: the same; it takes seconds."""
    with tempfile.TemporaryDirectory() as name, small_disk(Path(name) / "disk") as disk:
        log = disk.folder / "audit.jsonl"
        with scripted(SCRIPT, Path(name), "--audit-log", str(log)) as server:
            client = Client(server.listening())
            server.until_ready()
            seen = _filled_and_emptied(server, client, disk)
        return _report(disk, seen, _chain(log), _events(log))


def _filled_and_emptied(server: SupervisedServer, client: Client, disk: Disk) -> Seen:
    calm = [client.ask() for _ in range(NUM_CALM)]
    with ThreadPoolExecutor(NUM_STREAMS) as pool:
        running: list[Future[bytes]] = [pool.submit(client.stream, number) for number in range(NUM_STREAMS)]
        until(lambda: client.in_flight() == NUM_STREAMS)
        disk.fill(server.pid)
        while (last := client.ask()).status == 200:
            calm.append(last)
        refused = [last, *(client.ask() for _ in range(NUM_REFUSED))]
        ready = client.ready()
        streams = [stream.result() for stream in running]
    refused.append(client.ask())
    disk.empty(server.pid)
    began = time.monotonic()
    while (last := client.ask()).status != 200 and time.monotonic() - began < 10 * MAX_RECOVERY_S:
        refused.append(last)
    recovery_s = time.monotonic() - began
    calm += [last, *(client.ask() for _ in range(NUM_CALM))]
    server.signal()
    return Seen(calm, refused, ready, streams, recovery_s, server.ended())


def _chain(log: Path) -> Chain | None:
    try:
        return verified([log])
    except HuatuoError:
        return None


def _events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]


def _report(disk: Disk, seen: Seen, chain: Chain | None, events: list[dict[str, Any]]) -> Report:
    answered = {told.id for told in seen.calm} | {f"stream-{number}" for number in range(NUM_STREAMS)}
    ids = {kind: Counter(one["request_id"] for one in events if one["event"] == kind) for kind in ("accepted", "ended")}
    slowest = max(told.seconds for told in seen.refused)
    figures = {
        "disk": disk.kind,
        "answered": len(answered),
        "refused": len(seen.refused),
        "refused_ms_p50": in_ms(percentile([told.seconds for told in seen.refused], 50)),
        "refused_ms_max": in_ms(slowest),
        "ready_said": seen.ready[1],
        "recovery_s": round(seen.recovery_s, 2),
        "lines": len(events),
        "refused_on_record": sum(one["refused"] for one in events if one["event"] == "resumed"),
    }
    promises: Promises = {
        "every request while the disk is full is a 503, audit_failed": {
            (told.status, told.code) for told in seen.refused
        }
        == {(503, "audit_failed")},
        f"a refusal takes at most {in_ms(MAX_REFUSAL_S):.0f} ms": at_most(in_ms(slowest), in_ms(MAX_REFUSAL_S), " ms"),
        "readiness is 503 and says why": seen.ready[0] == 503 and disk.reason in seen.ready[1],
        "the streams that run come to their end": all(b"data: [DONE]" in stream for stream in seen.streams),
        f"requests are answered within {MAX_RECOVERY_S:g} s of there being room": at_most(
            seen.recovery_s, MAX_RECOVERY_S, " s"
        ),
        "the chain is whole": chain is not None and not chain.unfinished,
        "every answered request, and no other, has a beginning on record": set(ids["accepted"]) == answered,
        "and an end": set(ids["ended"]) == answered,
        "the log says how many were refused": figures["refused_on_record"] == len(seen.refused),
        "the server ends in order": seen.exit_code == 0 and events[-1]["event"] == "closed",
    }
    return Report(figures, promises)
