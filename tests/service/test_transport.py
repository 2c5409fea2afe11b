"""The edge of a whole server: names, origins, and clients that are slow on purpose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.server.http_probe import Client
from tests.service.served import Served, served
from tests.service.supervised import SupervisedServer, scripted

VIEWER = "https://viewer.clinic.example"


@pytest.fixture(scope="module")
def local() -> Iterator[Served]:
    """As it is by default."""
    with served() as running:
        yield running


@pytest.fixture(scope="module")
def listed() -> Iterator[Served]:
    """With a name and an origin of the operator's."""
    with served(trusted_hosts=("gpu.clinic.example",), cors_origins=(VIEWER,)) as running:
        yield running


def get(server: Served, path: str, **headers: str) -> httpx.Response:
    """headers: with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(server.base_url + path, headers=named)


def test_a_rebound_name_reads_nothing(local: Served) -> None:
    """A web page whose name points at 127.0.0.1 gets an error, and the orchestrator's probe does not."""
    refused = get(local, "/v1/models", Host="evil.example:8000")

    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "host_not_trusted")
    assert refused.headers["x-request-id"]
    assert "evil" not in refused.text
    assert get(local, "/health/live", Host="10.0.0.7:8000").status_code == 200
    assert get(local, "/v1/models", Host="localhost:1234").status_code == 200


def test_a_page_of_another_origin_drives_nothing(local: Served) -> None:
    """Also with a request that a browser sends unasked: a form's content type, no key."""
    asked = local.post(content=b"{}", headers={"Origin": "https://evil.example", "Content-Type": "text/plain"})

    assert (asked.status_code, asked.json()["error"]["code"]) == (403, "origin_not_allowed")
    assert not local.engine.generations or local.engine.generations[-1].request_id == "warm-up"
    assert "access-control-allow-origin" not in asked.headers


def test_a_listed_name_is_answered(listed: Served) -> None:
    """And no other; the loopback's own names always are."""
    assert get(listed, "/v1/models", Host="gpu.clinic.example").status_code == 200
    assert get(listed, "/v1/models").status_code == 200
    assert get(listed, "/v1/models", Host="other.clinic.example").status_code == 400


def test_a_listed_origin_may_ask_and_read(listed: Served) -> None:
    """The browser's preflight, then the request with a key and our headers, then what the page may read of it."""
    preflight = httpx.options(
        f"{listed.base_url}/v1/chat/completions",
        headers={
            "Origin": VIEWER,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-request-timeout",
        },
    )
    answer = get(listed, "/v1/models", Origin=VIEWER)

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == VIEWER
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type,x-request-timeout"
    assert "access-control-allow-credentials" not in preflight.headers
    assert answer.headers["access-control-allow-origin"] == VIEWER
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]


def test_an_error_can_be_read_by_a_listed_origin_too(listed: Served) -> None:
    """A page could otherwise not tell its user what went wrong."""
    answer = get(listed, "/v1/nothing", Origin=VIEWER)

    assert answer.status_code == 404
    assert answer.headers["access-control-allow-origin"] == VIEWER


def test_another_origin_is_refused_where_some_are_listed(listed: Served) -> None:
    """Its preflight already."""
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}

    assert httpx.options(f"{listed.base_url}/v1/chat/completions", headers=headers).status_code == 403


def test_the_limits_are_settings_and_their_breach_is_counted(tmp_path: Path) -> None:
    """What is answered before any route is in the metrics all the same."""
    limits = ("--header-timeout-s", "0.3", "--idle-timeout-s", "0.3", "--max-connections", "50")
    with scripted({}, tmp_path, *limits) as server:
        server.listening()
        server.until_ready()
        with _client(server) as slow:
            slow.send(b"GET / HTTP/1.1\r\n")
            assert slow.error() == (408, "header_timeout")
        with _client(server) as idle:
            idle.send(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            idle.answer()
            assert idle.rest() == b""
        with _client(server) as garbage:
            garbage.send(b"nonsense\r\n\r\n")
            assert garbage.error() == (400, "invalid_http")

        counted = dict(re.findall(r'^hgv_rejections_total\{reason="(\w+)"\} (\S+)$', server.get("/metrics").text, re.M))
        assert counted == {"header_timeout": "1.0", "invalid_http": "1.0"}
        server.signal()
        assert server.ended() == 0
        assert not [record for record in server.log() if record["logger"].startswith("uvicorn")]


def test_the_process_may_open_many_files_and_dump_no_core(tmp_path: Path) -> None:
    """A dump would hold patients' images."""
    with scripted({}, tmp_path) as server:
        server.listening()
        limits = Path(f"/proc/{server.pid}/limits").read_text()

        core = re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.M)
        files = re.search(r"^Max open files +(\S+) +(\S+)", limits, re.M)
        assert core is not None
        assert core.groups() == ("0", "0")
        assert files is not None
        assert files[1] == files[2]


def test_fewer_files_than_connections_is_said_and_not_found_out(tmp_path: Path) -> None:
    """Where the process may open few files, the limit of connections is lower, and the log says why."""
    few_files = ("sh", "-c", 'ulimit -n 515; exec "$@"', "sh")
    with scripted({}, tmp_path, under=few_files) as server, ExitStack() as stack:
        server.listening()
        server.until_said("3 connections at most")

        idle, *_ = [stack.enter_context(_client(server)) for _ in range(4)]

        assert idle.rest() == b""


def _client(server: SupervisedServer) -> Client:
    return Client(int(server.url.rsplit(":", 1)[1]))
