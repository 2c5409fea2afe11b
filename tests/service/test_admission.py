"""What waits in front of the engine, over the wire: only what it can run goes in; what is too much is told at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import openai
import pytest

from huatuo_server.engine.scripted import Completion
from tests.service.served import Served, ask, scripted_engine, served
from tests.service.supervised import until

SLOW = Completion(text="word " * 40, delay_s=0.01)
SILENT = Completion(text="word", hang_after=0)


@contextmanager
def asking(server: Served, count: int, **fields: object) -> Iterator[list[int]]:
    """So many requests at once, each in a thread; their statuses, once the block has ended."""
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(server.post(ask(**fields)).status_code)) for _ in range(count)
    ]
    for thread in threads:
        thread.start()
    yield statuses
    for thread in threads:
        thread.join()


def waiting(server: Served) -> float:
    return sum(server.metric("hgv_requests_waiting", **{"class": lane}) for lane in ("stat", "routine", "batch"))


def test_only_as_many_as_the_engine_runs_are_inside() -> None:
    """Twenty at once on an engine of three: all are answered, three at a time; the others show as waiting."""
    with served(scripted_engine(SLOW, max_num_seqs=3)) as server:
        with asking(server, 20) as statuses:
            until(lambda: waiting(server) >= 10)
        left = waiting(server)
        most_inside = server.engine.most_running

    assert statuses == [200] * 20
    assert most_inside == 3
    assert left == 0


def test_no_more_tokens_are_inside_than_the_cache_holds() -> None:
    """Each request may come to hold its prompt and max_tokens: a cache of 4,096 takes three of 1,200 at a time."""
    with served(scripted_engine(SLOW, kv_tokens=4096)) as server:
        with asking(server, 12, max_tokens=1200, ignore_eos=False) as statuses:
            pass
        most_inside = server.engine.most_running

    assert statuses == [200] * 12
    assert most_inside == 3


def test_a_full_queue_says_so_at_once_and_when_to_come_back() -> None:
    """429 with Retry-After and OpenAI's headers; the figure is printed."""
    engine = scripted_engine(SILENT, max_num_seqs=1)
    with served(engine, max_waiting=2, request_timeout_s=5) as server, asking(server, 2) as statuses:
        until(lambda: waiting(server) == 1)
        began = time.monotonic()
        with pytest.raises(openai.RateLimitError) as refused:
            server.create()
        took_ms = (time.monotonic() - began) * 1000
        rejections = server.metric("hgv_rejections_total", reason="queue_full")

    headers = refused.value.response.headers
    print(f"a full queue was told after {took_ms:.0f} ms")
    assert refused.value.code == "server_busy"
    assert 1 <= int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-reset-requests"] == f"{headers['retry-after']}s"
    assert rejections == 1
    assert statuses == [504, 504]


def test_a_client_that_leaves_the_queue_leaves_its_place() -> None:
    """Hanging up while waiting frees the place, and the engine never hears of it."""
    with served(scripted_engine(SILENT, max_num_seqs=1), request_timeout_s=5) as server:
        with asking(server, 1):
            until(lambda: len(server.engine.generations) == 2)
            impatient = openai.OpenAI(base_url=f"{server.base_url}/v1", api_key="none", max_retries=0, timeout=0.3)
            with pytest.raises(openai.APITimeoutError):
                impatient.chat.completions.create(**ask())
            until(lambda: waiting(server) == 0)
            seen = len(server.engine.generations)
        outcomes = server.outcomes()

    assert seen == 2
    assert outcomes == {"client_closed": 1, "deadline_exceeded": 1}


def test_a_failed_request_leaves_room_for_the_next() -> None:
    """Whatever ends a request, its part of the engine is free again: fifty failures on an engine of one."""
    engine = scripted_engine(Completion(text="word " * 9, fail_after=1), Completion(text="word"), max_num_seqs=1)
    with served(engine) as server, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: server.post(ask()).status_code, range(50)))

    assert sorted(set(statuses)) == [200, 500]
    assert statuses.count(200) == 25
