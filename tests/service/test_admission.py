"""What waits in front of the engine, over the wire: only what it can run goes in; what is too much is told at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from huatuo_server.engine.scripted import Completion
from huatuo_server.images import preparation
from huatuo_server.lane import Lane
from huatuo_server.tenants.key import new_secret
from huatuo_server.tenants.key_file import KeyFile
from tests.server.images import worker_processes
from tests.server.tenants.keys import key
from tests.service.served import Served, ask, image_part, scripted_engine, served
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


class Tenants:
    """Keys in a file, and who has them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.jsonl"
        self._number = 0

    def add(self, tenant: str, lane: Lane = "routine", **limits: int) -> dict[str, str]:
        """The header that a new key is sent in."""
        self._number += 1
        secret = new_secret()
        fields: dict[str, Any] = {"tenant": tenant, "lane": lane, **limits}
        KeyFile(self.path).add(key(self._number, secret=secret, **fields))
        return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def tenants(tmp_path: Path) -> Tenants:
    return Tenants(tmp_path)


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


def test_more_answers_than_the_engine_runs_are_all_given() -> None:
    """Four on an engine of two: all go in, nobody beside them, and the engine sees to its own two places."""
    with served(scripted_engine(SLOW, max_num_seqs=2)) as server:
        completion = server.create("What?", n=4)
        with asking(server, 2, n=4) as statuses:
            until(lambda: waiting(server) == 1)
        most_inside = server.engine.most_running

    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    assert (statuses, most_inside) == ([200, 200], 4)


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


def test_whatever_asks_the_engine_is_told_of_a_full_queue_before_its_body_comes() -> None:
    """The head of a request is enough for the 429, on each of the three paths."""
    engine = scripted_engine(SILENT, max_num_seqs=1)
    with served(engine, max_waiting=1, request_timeout_s=5) as server, asking(server, 1):
        until(lambda: len(engine.generations) == 2 and waiting(server) == 0)
        with asking(server, 1):
            until(lambda: waiting(server) == 1)
            answers = [answer_to_the_head(server, path) for path in ("chat/completions", "chat/choices", "responses")]

    assert [answer.split()[1] for answer in answers] == [b"429"] * 3


def answer_to_the_head(server: Served, path: str) -> bytes:
    """What comes for the head of a request whose body does not."""
    head = f"POST /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        return connection.recv(4096)


def test_a_full_queue_leaves_a_keys_own_limits_to_its_headers(tenants: Tenants) -> None:
    """429 with what the key has left; of limits that it has not, the queue's are told. Retry-After is the queue's."""
    limited, free = tenants.add("a", requests_per_min=100), tenants.add("a")
    engine = scripted_engine(SILENT, max_num_seqs=1)
    settings: dict[str, Any] = {"max_waiting": 2, "request_timeout_s": 5, "keys_file": tenants.path}
    with served(engine, **settings) as server, ThreadPoolExecutor(2) as pool:
        statuses = [pool.submit(server.post, ask(), headers=free) for _ in range(2)]
        until(lambda: waiting(server) == 1)
        refused = {name: server.post(ask(), headers=who) for name, who in (("limited", limited), ("free", free))}

    told = {name: answer.headers["x-ratelimit-limit-requests"] for name, answer in refused.items()}
    assert [answer.status_code for answer in refused.values()] == [429, 429]
    assert told == {"limited": "100", "free": "2"}
    assert refused["limited"].headers["x-ratelimit-remaining-requests"] == "99"
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused.values())
    assert [status.result().status_code for status in statuses] == [504, 504]


def test_one_tenants_bodies_leave_room_for_anothers(tenants: Tenants) -> None:
    """However many it sends, half of the bytes in flight stay free; its own later ones are told so."""
    noisy, newcomer = tenants.add("noisy", "batch"), tenants.add("newcomer")
    limits: dict[str, Any] = {"max_body_bytes": 10_000, "max_bytes_in_flight": 40_000, "max_image_bytes": 1000}
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: {noisy['Authorization']}\r\n"
    with served(keys_file=tenants.path, **limits) as server, ExitStack() as clients:
        for number in range(1, 4):
            slow = clients.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(f"{head}Content-Length: 7000\r\n\r\n".encode() + b" " * 6900)
            until(lambda number=number: server.metric("hgv_requests_in_flight") == number)  # type: ignore[misc]

        refused = server.post(ask("word " * 100), headers=noisy)
        answered = server.post(ask("word " * 1900), headers=newcomer)

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "server_busy")
    assert "of one tenant" in refused.json()["error"]["message"]
    assert answered.status_code == 200


@pytest.mark.parametrize(("image_workers", "pixels_at_once"), [(1, 20_000_000), (2, 1)], ids=["workers", "pixels"])
def test_a_stat_picture_goes_before_all_that_wait(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch, image_workers: int, pixels_at_once: int
) -> None:
    """Behind the one that is in work, and before the five of a batch, whether workers or pixels are short."""
    monkeypatch.setattr(preparation, "PIXELS_AT_ONCE", pixels_at_once)
    batch, stat = tenants.add("crowd", "batch"), tenants.add("ward", "stat")
    answered: list[str] = []

    def picture(name: str, who: dict[str, str]) -> None:
        status = server.post(ask([image_part("ct_128_gray.png")]), headers=who).status_code
        answered.append(f"{name} {status}")

    with served(image_workers=image_workers, keys_file=tenants.path) as server, ThreadPoolExecutor(8) as pool:
        # The later one makes pictures, the first one reads headers.
        maker = worker_processes.pids()[-1]
        os.kill(maker, signal.SIGSTOP)
        for number, (name, who) in enumerate([("batch", batch)] * 6 + [("stat", stat)], 1):
            pool.submit(picture, name, who)
            until(lambda number=number: misses(server) == number and at_work(server) == 1)  # type: ignore[misc]
        os.kill(maker, signal.SIGCONT)

    assert answered.index("stat 200") <= 2
    assert answered.count("batch 200") == 6


def misses(server: Served) -> float:
    return server.metric("hgv_image_cache_total", result="miss")


def at_work(server: Served) -> float:
    return server.metric("hgv_image_workers_busy")


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
