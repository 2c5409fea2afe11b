"""vLLM's processes inside a server: they end with it, leave Ctrl-C to it, and dump nothing when they crash."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from huatuo_vllm import embedded


def engine(says: Connection) -> None:
    """As vLLM's engine process: behaves, and then its own child."""
    embedded.behave()
    child = multiprocessing.get_context("spawn").Process(target=worker, args=(says,))
    child.start()
    child.join()


def worker(says: Connection) -> None:
    """Tells who it is; ignores what can be ignored."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    embedded.behave()
    level = logging.getLogger(embedded.CRASH_DUMP_LOGGER).level
    says.send((os.getpid(), os.getpgid(0), level))
    time.sleep(3600)


def server(says: Connection) -> None:
    """Starts an engine and waits to be killed."""
    child = multiprocessing.get_context("spawn").Process(target=engine, args=(says,))
    child.start()
    child.join()


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


def test_a_killed_server_takes_its_engine_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """When memory is short the kernel kills the server alone; what is left would hold the GPU."""
    monkeypatch.setenv(embedded.VARIABLE, "1")
    hears, says = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=server, args=(says,))
    child.start()
    pid, group, level = hears.recv()
    assert group not in (os.getpgid(0), 0)
    assert level == logging.CRITICAL

    child.kill()
    child.join()

    deadline = time.monotonic() + 10
    while runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_elsewhere_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stock vLLM with our plugin beside it keeps its dump and its ways."""
    monkeypatch.delenv(embedded.VARIABLE, raising=False)
    log = logging.getLogger(embedded.CRASH_DUMP_LOGGER)
    monkeypatch.setattr(log, "level", logging.NOTSET)

    embedded.behave()

    assert log.level == logging.NOTSET


def test_the_server_s_own_process_stays_in_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is registered there as well, and Ctrl-C must go on reaching it."""
    monkeypatch.setenv(embedded.VARIABLE, "1")
    group = os.getpgid(0)

    embedded.behave()

    assert os.getpgid(0) == group
