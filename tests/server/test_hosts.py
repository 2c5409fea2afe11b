"""Which names and origins are trusted; tests/service/test_transport.py asks a running server."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Message, Send

from huatuo_server.metrics import Metrics
from huatuo_server.routes.hosts import LOOPBACK, Hosts, trusted_hosts


@pytest.mark.parametrize(
    ("listed", "host", "public", "trusted"),
    [
        ((), "127.0.0.1", False, LOOPBACK),
        ((), "127.0.0.2", False, {*LOOPBACK, "127.0.0.2"}),
        ((), "::1", False, LOOPBACK),
        ((), "0.0.0.0", True, None),
        (("GPU.example.org",), "0.0.0.0", True, {*LOOPBACK, "0.0.0.0", "gpu.example.org"}),
        (("gpu.example.org",), "127.0.0.1", False, {*LOOPBACK, "gpu.example.org"}),
    ],
)
def test_the_names_of_a_server(listed: tuple[str, ...], host: str, public: bool, trusted: set[str] | None) -> None:
    """On the loopback its own names; elsewhere any, until some are listed."""
    assert trusted_hosts(listed, host, public=public) == trusted


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.:1",
        "127.0.0.1:8000",
        "[::1]:8000",
        "a.clinic.example",
        "b.a.clinic.example",
    ],
)
def test_a_name_of_ours_is_taken_with_any_port(host: str) -> None:
    """A tunnel has another port than the server."""
    assert _asked(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example#localhost",
        "localhost:8000:1",
        "localhost, evil.example",
        "localhost/x",
        "[::1",
        "clinic.example",
        "evilclinic.example",
        "127.0.0.1:",
        "0x7f.1",
        "2130706433",
    ],
)
def test_another_name_is_not(host: str) -> None:
    """A page whose name was pointed at the loopback sends its own name, and tricks of writing do not help it."""
    assert _asked(host) == 400


def test_one_name_and_no_more() -> None:
    """Two Host headers, or none, are no name."""
    assert _asked("localhost", "evil.example") == 400
    assert _asked() == 400


def test_probes_may_ask_by_any_name_and_nothing_like_a_probe_may() -> None:
    """They tell nothing of anybody."""
    for path in ("/health", "/health/live", "/health/ready"):
        assert _asked("pod.example:8000", path=path) == 200
    for path in ("/healthy", "/health%2f", "//health", "/v1/health/", "/metrics"):
        assert _asked("pod.example:8000", path=path) == 400


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "10.0.0.7", "[fd00::7]:8000"])
def test_an_address_is_no_name_that_could_be_rebound(host: str) -> None:
    """The kubelet and Prometheus ask a pod by its address, on every path."""
    assert _asked(host, path="/metrics") == 200


@pytest.mark.parametrize("origin", ["http://localhost:8000", "https://localhost:8000", "https://viewer.example"])
def test_own_and_listed_origins_may_ask(origin: str) -> None:
    """The page that the server gave out, through a TLS proxy or not, and the operator's own."""
    assert _asked("localhost:8000", origin=origin) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "http://localhost",
        "null",
        "",
        "https://viewer.example.evil.example",
        "http://viewer.example",
        "*",
        "chrome-extension://abcdef",
        "http://localhost:8000@evil.example",
    ],
)
def test_another_origin_may_not(origin: str) -> None:
    """Another port of the same machine is another origin as well."""
    assert _asked("localhost:8000", origin=origin) == 403


def _asked(*hosts: str, path: str = "/v1/models", origin: str | None = None) -> int:
    """The status: 200 where it was passed on."""
    headers = [(b"host", host.encode()) for host in hosts]
    headers += [(b"origin", origin.encode())] if origin is not None else []
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers}
    sent = []

    async def app(_scope: object, _receive: object, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def receive() -> Message:
        raise AssertionError("nobody reads the body")

    async def keep(message: Message) -> None:
        sent.append(message)

    trusted, metrics = LOOPBACK | {"*.clinic.example"}, Metrics(CollectorRegistry())
    guard = Hosts(app, trusted=trusted, cors_origins=["https://viewer.example"], metrics=metrics)
    asyncio.run(guard(scope, receive, keep))
    status: int = sent[0]["status"]
    return status
