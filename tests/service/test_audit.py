"""The record over the wire: what stands in it of a request, and what happens where it cannot be kept."""

from __future__ import annotations

import json
import os
import resource
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from huatuo_server.command.parse import run
from huatuo_server.engine.scripted import Completion
from tests.server.tenants.keys import SECRET, key
from tests.service.served import DIGEST, Served, ask, image_part, scripted_engine, served
from tests.service.supervised import until

PICTURE = image_part("ct_128_gray.png")
CANARY = "canary-7c1f"


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="ascii").splitlines()]


def of(log: Path, event: str) -> list[dict[str, Any]]:
    """Once the log has as many ends as beginnings."""
    until(lambda: [line["event"] for line in lines(log)].count("ended") == _count(log, "accepted"))
    return [line for line in lines(log) if line["event"] == event]


def _count(log: Path, event: str) -> int:
    return [line["event"] for line in lines(log)].count(event)


def test_a_question_is_on_record_with_who_what_and_how_it_ended(tmp_path: Path) -> None:
    """Key, tenant, model, image as an HMAC, parameters, outcome, tokens; and none of its words."""
    log, keys = tmp_path / "audit.jsonl", tmp_path / "keys.jsonl"
    keys.write_text(_line_of_a_key())
    keys.chmod(0o600)

    with served(audit_log=log, keys_file=keys) as server:
        body = ask([PICTURE, {"type": "text", "text": CANARY}], stop=[CANARY], user=CANARY, max_tokens=3, seed=7)
        headers = {"Authorization": f"Bearer {SECRET}", "X-Request-Id": "request-1"}
        answer = server.post(body, headers=headers)
        (accepted,), (ended,) = of(log, "accepted"), of(log, "ended")

    assert answer.status_code == 200
    assert (accepted["request_id"], accepted["key"], accepted["tenant"]) == ("request-1", "key-00000001", "radiology")
    assert accepted["route"] == "/v1/chat/completions"
    assert accepted["model"] == DIGEST
    assert len(accepted["images"]) == 1
    assert accepted["parameters"]["max_tokens"] == 3
    assert accepted["parameters"]["seed"] == 7
    assert (ended["engine_id"], ended["outcome"], ended["completion_tokens"]) == (accepted["engine_id"], "length", 3)
    assert CANARY not in log.read_text()
    assert run(["audit", "verify", str(log)]) == 0


def test_the_same_file_has_one_name_in_questions_and_renderings(tmp_path: Path) -> None:
    """Whatever was seen of it; so that who holds the image and the secret finds all that was asked about it."""
    log = tmp_path / "audit.jsonl"
    viewed = {**PICTURE, "image_url": {**PICTURE["image_url"], "view": {"region": [0, 0, 9, 9]}}}

    with served(audit_log=log) as server:
        server.post(ask([PICTURE, {"type": "text", "text": "?"}]))
        server.post(ask([viewed, {"type": "text", "text": "?"}]))
        httpx.post(f"{server.base_url}/v1/images/render", json={"image": PICTURE}).raise_for_status()
        recorded = of(log, "accepted")

    assert len({tuple(one["images"]) for one in recorded}) == 1
    assert [one["route"] for one in recorded][-1] == "/v1/images/render"


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        (Completion(text="word", fail_after=0), "engine_error"),
        (Completion(text="word", hang_after=0), "deadline_exceeded"),
    ],
)
def test_a_failure_is_on_record_as_one(completion: Completion, outcome: str, tmp_path: Path) -> None:
    """With the code that the client got."""
    log = tmp_path / "audit.jsonl"

    with served(scripted_engine(completion), audit_log=log, request_timeout_s=0.5) as server:
        server.post(ask())
        (ended,) = of(log, "ended")

    assert ended["outcome"] == outcome


def test_what_is_refused_before_any_work_is_not_on_record(tmp_path: Path) -> None:
    """A stranger, or a request that makes no sense, cannot fill the disk."""
    log, keys = tmp_path / "audit.jsonl", tmp_path / "keys.jsonl"
    keys.write_text(_line_of_a_key())
    keys.chmod(0o600)

    with served(audit_log=log, keys_file=keys) as server:
        statuses = [
            server.post(ask()).status_code,
            server.post(ask(max_tokens=0), headers={"Authorization": f"Bearer {SECRET}"}).status_code,
        ]
    events = [line["event"] for line in lines(log)]

    assert statuses == [401, 400]
    assert events == ["opened", "closed"]


def test_where_the_record_cannot_be_kept_nothing_is_done(tmp_path: Path) -> None:
    """503 before any image is decoded, readiness says why, live stays good; with room again all goes on by itself."""
    log = tmp_path / "audit.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    with served(audit_log=log) as server:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
            until(lambda: server.post(ask()).status_code == 503)
            refused = server.post(ask([PICTURE, {"type": "text", "text": "?"}]))
            ready, live = (httpx.get(f"{server.base_url}/health/{one}") for one in ("ready", "live"))
            num_read = server.metric("hgv_image_stage_seconds_count", stage="read")
            failing = server.metric("hgv_audit_log_failing")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        until(lambda: server.post(ask()).status_code == 200)

    assert refused.json()["error"]["code"] == "audit_failed"
    assert refused.headers["retry-after"] == "1"
    assert (ready.status_code, live.status_code) == (503, 200)
    assert "audit log" in ready.json()["reason"]
    assert num_read == 0
    assert failing == 1
    assert "resumed" in [line["event"] for line in lines(log)]


def test_a_request_refused_by_a_disk_that_hung_has_an_end_if_it_has_a_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line is there once the disk answers after all; only a server that was killed leaves one without an end."""
    log = tmp_path / "audit.jsonl"
    may_sync = threading.Event()
    fsync = os.fsync

    def hanging_fsync(fd: int) -> None:
        may_sync.wait(30)
        fsync(fd)

    with served(audit_log=log) as server:
        monkeypatch.setattr("huatuo_server.audit.log.HANG_S", 0.2)
        monkeypatch.setattr(os, "fsync", hanging_fsync)
        refused = server.post(ask())
        may_sync.set()
        until(lambda: _count(log, "ended") == 1)
    (accepted,), (ended,) = of(log, "accepted"), of(log, "ended")

    assert refused.json()["error"]["code"] == "audit_failed"
    assert (ended["engine_id"], ended["outcome"]) == (accepted["engine_id"], "audit_failed")


def test_a_server_that_cannot_open_its_record_does_not_start(tmp_path: Path) -> None:
    """Told by health before minutes go into a model."""
    with served(audit_log=tmp_path / "missing" / "audit.jsonl", ready=False) as server:
        until(lambda: _health(server)["status"] == "failed")

        assert "audit log" in _health(server)["reason"]


def _health(server: Served) -> dict[str, Any]:
    health: dict[str, Any] = httpx.get(f"{server.base_url}/health/live").json()
    return health


def _line_of_a_key() -> str:
    one = key(1)
    fields = {"id": one.id, "tenant": one.tenant, "sha256": one.sha256, "created_at": one.created_at}
    return json.dumps(fields) + "\n"


def test_requests_of_many_clients_at_once_are_each_on_record_once(tmp_path: Path) -> None:
    """Group commits lose nothing and repeat nothing."""
    log = tmp_path / "audit.jsonl"

    with served(audit_log=log) as server:
        threads = [
            threading.Thread(target=lambda: [server.post(ask(max_tokens=1)) for _ in range(25)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        accepted, ended = of(log, "accepted"), of(log, "ended")

    ids = [one["engine_id"] for one in accepted]
    assert len(ids) == len(set(ids)) == 200
    assert {one["engine_id"] for one in ended} == set(ids)
