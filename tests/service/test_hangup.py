"""A client that hangs up ends its generation within 250 ms, whatever is being done for it."""

from __future__ import annotations

import json
import queue
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from huatuo_server.engine.scripted import Completion
from tests.server.images import worker_processes
from tests.service.served import Served, ask, image_part, scripted_engine, served

LIMIT_S = 0.25
PATIENCE_S = 10.0

SLOW = Completion(text="word " * 50, delay_s=0.02)
HANGING = Completion(text="word " * 50, hang_after=3)
SILENT = Completion(text="word", hang_after=0)


def begin(server: Served, body: dict[str, Any]) -> socket.socket:
    """A connection on which a request was sent and nothing read."""
    content = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: leaving\r\nContent-Length: %d\r\n\r\n"
    )
    connection.sendall((head % len(content)).encode() + content)
    return connection


def wait_for(condition: Callable[[], Any]) -> None:
    """Returns once it holds; for states that have no event."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def assert_hanging_up_aborts(server: Served, body: dict[str, Any], reached: Callable[[socket.socket], None]) -> None:
    """Hang up where `reached` returns, and see the generation aborted in time and counted as the client's doing.

    The best of three: a busy machine may be late once, a server that does not watch is late always.
    """
    took = []
    for round_ in range(1, 4):
        connection = begin(server, body)
        reached(connection)
        left = time.monotonic()
        connection.close()
        assert server.engine.aborts.get(timeout=PATIENCE_S).startswith("leaving-")
        took.append(time.monotonic() - left)
        wait_for(lambda expected=round_: server.outcomes() == {"client_closed": expected})  # type: ignore[misc]
    assert min(took) < LIMIT_S


def a_chunk_came(connection: socket.socket) -> None:
    received = b""
    while b'"content":"w' not in received:
        received += connection.recv(65536)


def generating(server: Served) -> Callable[[socket.socket], None]:
    """Returns once another generation has begun than at the time of the call before."""
    seen = {one.request_id for one in server.engine.generations}

    def reached(_: socket.socket) -> None:
        wait_for(lambda: server.engine.generations[-1].request_id not in seen)
        seen.update(one.request_id for one in server.engine.generations)

    return reached


@pytest.mark.parametrize("completion", [SLOW, HANGING], ids=["slow", "hanging"])
def test_hanging_up_in_a_stream_aborts(completion: Completion) -> None:
    """After some chunks were read, while tokens come, and while none come."""
    with served(scripted_engine(completion)) as server:
        assert_hanging_up_aborts(server, ask(stream=True), a_chunk_came)


@pytest.mark.parametrize("stream", [True, False])
def test_hanging_up_before_the_first_token_aborts(stream: bool) -> None:
    """Nothing was sent yet, so that nothing but the hang-up itself can tell."""
    with served(scripted_engine(SILENT)) as server:
        assert_hanging_up_aborts(server, ask(stream=stream), generating(server))


def test_hanging_up_on_a_whole_answer_aborts() -> None:
    """Without a stream there is no write that could fail: the connection itself is watched."""
    with served(scripted_engine(SLOW)) as server:
        assert_hanging_up_aborts(server, ask(), generating(server))


def test_hanging_up_while_images_are_prepared_asks_the_engine_nothing() -> None:
    """The worker finishes by itself; its picture goes nowhere, and the next one is prepared."""
    with served() as server:
        worker_processes.signal_all(signal.SIGSTOP)
        connection = begin(server, ask([image_part("tiny_5x7.png")]))
        wait_for(lambda: server.metric("hgv_image_workers_busy") == 1)
        connection.close()
        # The worker is still at it: nobody waits for it.
        wait_for(lambda: server.outcomes() == {"client_closed": 1})
        worker_processes.signal_all(signal.SIGCONT)

        assert [one.request_id for one in server.engine.generations] == ["warm-up"]
        assert server.create([image_part("tiny_5x7.png")]).choices


def test_hanging_up_within_the_body_is_nobodys_failure() -> None:
    """The upload was cut off: no answer, no error in the books."""
    with served() as server:
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        wait_for(lambda: server.metric("hgv_requests_in_flight") == 1)
        connection.close()

        wait_for(lambda: server.metric("hgv_requests_in_flight") == 0)
        assert server.outcomes() == {"client_closed": 1}
        assert [one.request_id for one in server.engine.generations] == ["warm-up"]


def test_a_neighbour_is_not_disturbed() -> None:
    """One leaves, the other's stream goes on to its end."""
    with served(scripted_engine(SLOW, SLOW)) as server:
        leaving = begin(server, ask(stream=True))
        wait_for(lambda: len(server.engine.generations) == 2)
        stream = server.create(stream=True)
        first = next(stream)
        assert server.engine.aborts.empty()
        leaving.close()
        chunks = [first, *stream]
        assert server.engine.aborts.get(timeout=PATIENCE_S).startswith("leaving-")

        assert chunks[-1].choices[0].finish_reason == "stop"
        with pytest.raises(queue.Empty):
            server.engine.aborts.get_nowait()


def test_a_finished_answer_is_no_abort() -> None:
    """A client that closes after the last byte has not left early."""
    with served() as server:
        server.post(ask(stream=True))
        server.post(ask())

        assert server.engine.aborts.empty()
        assert server.outcomes() == {"ok": 2}
