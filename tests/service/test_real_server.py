"""The real server of the slow tests ends with them, whatever becomes of its engine's start."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from huatuo_server.errors import EngineStartError
from huatuo_server.metrics import Metrics
from huatuo_server.served_model import ServedModel
from huatuo_server.settings import Settings
from huatuo_server.startup import Report
from tests import golden
from tests.service import real
from tests.service.real import RealServer


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's one is the shared server's."""
    monkeypatch.setattr(real, "Metrics", lambda: Metrics(CollectorRegistry()))


def test_a_start_that_takes_too_long_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails by the limit, and its thread would otherwise keep the process of the tests alive."""

    async def never(_settings: Settings, _report: Report) -> ServedModel:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    monkeypatch.setattr(real, "open_model", never)
    monkeypatch.setattr(real, "START_LIMIT_S", 0.1)
    server = RealServer(golden.CHECKPOINT)
    with pytest.raises(AssertionError, match="did not come"), server:
        pass

    assert not server.is_running


def test_a_start_that_fails_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own error is what the tests see."""

    async def fails(_settings: Settings, _report: Report) -> ServedModel:
        raise EngineStartError("the weights are gone")

    monkeypatch.setattr(real, "open_model", fails)
    server = RealServer(golden.CHECKPOINT)
    with pytest.raises(EngineStartError, match="the weights are gone"), server:
        pass

    assert not server.is_running
