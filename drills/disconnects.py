"""Five hundred clients that leave at a random moment cost the server nothing afterwards.

Promised: of five hundred requests, with and without images, streamed and whole, twenty-four at a time, each whose
client leaves before the end (within its upload, while its image is prepared, while it waits for the engine, while
tokens come) is given up: 250 ms after the last one has left, no request is in flight or waiting; the engine holds
nothing of them, and answers the next one. In the short form the engine is the twin, else vLLM.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.http import CHAT, exchange, post, sent
from drills.page import Page
from drills.question import TWIN, picture, question
from drills.report import Promises, Report, at_most, in_ms
from tests import golden
from tests.service.real import MODEL, serving
from tests.service.supervised import SupervisedServer, scripted

NUM_CLIENTS = 500
AT_A_TIME = 24
NUM_SEQS = 4
ANSWER_TOKENS = 64
PATIENCE_S = 1.5
"""A client leaves after a random time up to this; a request alone is answered in a fraction of it."""

NOTICE_S = 0.250
"""The time that the page of metrics takes to tell it is in it."""

SCRIPT = {"max_num_seqs": NUM_SEQS, "completions": [{"text": "All is calm in this picture. " * 20, "delay_s": 0.01}]}
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER, so that closing sends a reset and not an end: what a client that is killed behind a proxy looks like."""


@dataclass(frozen=True, slots=True)
class Leaver:
    """One client. share: how much of the request is sent. after_s: when it leaves, counted from the sending."""

    request: bytes
    share: float
    after_s: float
    resets: bool


def drill(short: bool) -> Report:
    """short: on the twin."""
    with _server(short) as server:
        model = TWIN if short else MODEL
        alone_s = _answer_s(server.url, model)
        leavers = _leavers(model)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            stayed = list(pool.map(lambda leaver: _visit(server.url, leaver), leavers))
        notice_s = _until_idle(server.url)
        afterwards_s = _answer_s(server.url, model)
        page = Page.read(server.url)
        return _report(stayed, notice_s, (alone_s, afterwards_s), page)


@contextmanager
def _server(short: bool) -> Iterator[SupervisedServer]:
    if not short:
        with serving(golden.CHECKPOINT, "--dtype", "float32", "--engine", f"max_num_seqs={NUM_SEQS}") as server:
            yield server
        return
    with tempfile.TemporaryDirectory() as name, scripted(SCRIPT, Path(name)) as server:
        server.listening()
        server.until_ready()
        yield server


def _leavers(model: str) -> list[Leaver]:
    chance = random.Random(0)
    requests = [
        post(CHAT, _body(model, images, stream)) for images in (0, 1) for stream in (False, True) for _ in range(2)
    ]
    return [
        Leaver(
            request=chance.choice(requests),
            share=1.0 if chance.random() < 0.9 else chance.random(),
            after_s=chance.uniform(0, PATIENCE_S),
            resets=chance.random() < 0.5,
        )
        for _ in range(NUM_CLIENTS)
    ]


def _body(model: str, num_images: int, stream: bool) -> dict[str, Any]:
    images = [picture("retina_land_1000x700.png")] * num_images
    return question(model, *images, max_tokens=ANSWER_TOKENS, ignore_eos=True, stream=stream)


def _visit(url: str, leaver: Leaver) -> bool:
    """Whether the server ended the exchange before the client did."""
    part = leaver.request[: int(len(leaver.request) * leaver.share)]
    deadline = time.monotonic() + leaver.after_s
    with sent(url, part) as connection:
        ended = _read_until(connection, deadline)
        if leaver.resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return ended


def _read_until(connection: socket.socket, deadline: float) -> bool:
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([connection], [], [], left)
        if ready and not connection.recv(65536):
            return True
    return False


def _until_idle(url: str) -> float:
    """Seconds until nothing is in flight but the question for the metrics itself, which may be counted."""
    began = time.monotonic()
    while time.monotonic() - began < 30:
        page = Page.read(url)
        if not page.total("hgv_requests_in_flight") and not page.total("hgv_requests_waiting"):
            break
    return time.monotonic() - began


def _answer_s(url: str, model: str) -> float:
    began = time.monotonic()
    status, _ = exchange(url, post(CHAT, _body(model, 1, False)))
    assert status == 200, f"a client that stayed was told {status}"
    return time.monotonic() - began


def _report(stayed: Sequence[bool], notice_s: float, alone: tuple[float, float], page: Page) -> Report:
    outcomes = page.by("hgv_requests_total", "outcome")
    engine = {name: page.total(f"vllm:{name}") for name in ("num_requests_running", "num_requests_waiting")}
    figures = {
        "clients": len(stayed),
        "ended_as": dict(Counter({True: "answered before", False: "left"}[one] for one in stayed)),
        "counted_as": dict(outcomes),
        "idle_after_ms": in_ms(notice_s),
        "answer_s_before": round(alone[0], 2),
        "answer_s_after": round(alone[1], 2),
        "engine_afterwards": engine if page.has("vllm:num_requests_running") else "twin",
    }
    promises: Promises = {
        f"nothing is in flight {in_ms(NOTICE_S):.0f} ms after the last one left": at_most(
            in_ms(notice_s), in_ms(NOTICE_S), " ms"
        ),
        "nothing is in flight at the end": not page.total("hgv_requests_in_flight"),
        "the engine holds nothing of them": not any(engine.values()),
        "most left before the end": outcomes["client_closed"] >= NUM_CLIENTS // 2,
        "nothing failed": not outcomes.keys() - {"ok", "length", "client_closed"},
    }
    return Report(figures, promises)
