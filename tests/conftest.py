"""What slow tests share: one real engine, behind one real server, on the golden checkpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests import golden

if TYPE_CHECKING:
    from tests.dealing import ByFile
    from tests.service.real import RealServer


# Before torch is imported. Threads that wait for one another cost tiny models more than they give, and many times as
# much beside another process with threads. vLLM's workers set their own number.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """How `make test` deals the tests out to its processes."""
    from tests.dealing import ByFile

    return ByFile(config, log)


@pytest.fixture(scope="session")
def real_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """The golden checkpoint in float32 on vLLM's CPU engine, over a real socket; it takes uploads."""
    pytest.importorskip("vllm", reason="vLLM is not installed")
    from tests.service.clip_passes import EXTENSION
    from tests.service.real import RealServer

    counting = {"worker_extension_cls": EXTENSION}
    with RealServer(golden.CHECKPOINT, files_dir=tmp_path_factory.mktemp("files"), engine=counting) as server:
        yield server


@pytest.fixture
def vllm_engine(real_server: RealServer) -> RealServer:
    """The real engine without HTTP: `.engine`, and `.run` for its coroutines."""
    return real_server
