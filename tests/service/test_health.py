"""Health, over a real socket: true from the first second to the last."""

from __future__ import annotations

from pathlib import Path

from tests.service.supervised import scripted


def test_http_answers_while_the_weights_load(tmp_path: Path) -> None:
    """Live at once; startup and ready are 503 and name the phase; a chat request is a 503 too."""
    with scripted({"start_delay_s": 3600}, tmp_path) as server:
        server.listening()
        live, startup, ready, health = (
            server.get(path) for path in ("/health/live", "/health/startup", "/health/ready", "/health")
        )

    assert [answer.status_code for answer in (live, startup, ready, health)] == [200, 503, 503, 503]
    assert live.json()["status"] == "starting"
    assert set(startup.json()) == {"status", "phase", "reason"}
    assert startup.json()["phase"] in ("starting", "loading weights")
    assert ready.headers["cache-control"] == "no-store"


def test_all_is_well_once_the_warm_up_went_through(tmp_path: Path) -> None:
    """Every health path is 200 and says ok."""
    with scripted({}, tmp_path) as server:
        server.listening()
        server.until_ready()
        answers = [server.get(path) for path in ("/health/live", "/health/startup", "/health/ready", "/health")]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 200]
    assert all(answer.json() == {"status": "ok", "phase": "ready", "reason": None} for answer in answers)


def test_ready_waits_for_the_warm_up_and_not_only_for_the_weights(tmp_path: Path) -> None:
    """An engine that hangs over its first picture never counts as ready."""
    with scripted({"warm_up": {"text": "ready", "hang_after": 1}}, tmp_path) as server:
        server.listening()
        while (answer := server.get("/health/startup")).json()["phase"] != "warming up":
            assert answer.status_code == 503
        assert server.get("/health/ready").status_code == 503
        assert server.get("/health/live").status_code == 200
