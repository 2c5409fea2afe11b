"""What slow tests share: one real engine, behind one real server, on the golden checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import golden

if TYPE_CHECKING:
    from tests.service.real import RealServer


@pytest.fixture(scope="session")
def real_server() -> Iterator[RealServer]:
    """The golden checkpoint in float32 on vLLM's CPU engine, over a real socket."""
    pytest.importorskip("vllm", reason="vLLM is not installed")
    from tests.service.real import RealServer

    with RealServer(golden.CHECKPOINT) as server:
        yield server


@pytest.fixture
def vllm_engine(real_server: RealServer) -> RealServer:
    """The real engine without HTTP: `.engine`, and `.run` for its coroutines."""
    return real_server
