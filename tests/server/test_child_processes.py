"""Child processes: none is left, however deep and however stubborn."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from huatuo_server.child_processes import kill_children

SLEEP = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"


def stubborn_parent(says: Connection) -> None:
    """Ignores SIGTERM, starts a process that ignores it too, and tells its id."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    says.send(subprocess.Popen([sys.executable, "-c", SLEEP]).pid)
    time.sleep(3600)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_a_child_and_its_own_child_are_killed() -> None:
    """A worker whose engine process is cut short does not go on holding a GPU."""
    hears, says = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=stubborn_parent, args=(says,), daemon=True)
    child.start()
    grandchild: int = hears.recv()
    assert child.pid is not None
    assert runs(child.pid)
    assert runs(grandchild)

    kill_children()

    assert not runs(child.pid)
    deadline = time.monotonic() + 10
    while runs(grandchild):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_children_nothing_happens() -> None:
    """An engine that ended its own processes leaves nothing to do, and we stay alive."""
    kill_children()

    assert os.getpid()
