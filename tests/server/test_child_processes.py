"""Child processes: none is left, however deep and however stubborn."""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

from huatuo_server.child_processes import Descendants, Process, kill_children

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


def shares(says: Connection) -> None:
    """Has two pieces of shared memory, one by Python's own means and one as C++ code has it; tells their files."""
    ours = SharedMemory(create=True, size=4096)
    theirs = Path(f"/dev/shm/huatuo-test-{os.getpid()}")
    with theirs.open("w+b") as file:
        file.truncate(4096)
        mapped = mmap.mmap(file.fileno(), 4096)
    says.send((f"/dev/shm{ours._name}", str(theirs)))  # type: ignore[attr-defined]
    time.sleep(3600)
    mapped.close()


@contextmanager
def sharing() -> Iterator[tuple[BaseProcess, list[Path]]]:
    """A child with shared memory, and the files of it."""
    hears, says = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=shares, args=(says,), daemon=True)
    child.start()
    files = [Path(name) for name in hears.recv()]
    assert all(file.exists() for file in files)
    yield child, files
    child.join()


def test_shared_memory_of_a_killed_child_is_removed() -> None:
    """/dev/shm is memory: an engine that is killed every hour would fill it."""
    with sharing() as (_, files):
        kill_children()

        assert not any(file.exists() for file in files)


def test_what_was_seen_while_it_ran_is_removed_after_it_was_killed_by_others() -> None:
    """vLLM kills its own processes after a while, and the kernel kills any."""
    with sharing() as (child, files):
        seen = Descendants.now()
        child.kill()
        child.join()

        seen.kill()

        assert not any(file.exists() for file in files)


def test_what_others_share_stays() -> None:
    """Another engine on the machine goes on."""
    with sharing() as (_, files):
        others = Descendants.now()

        (Descendants.now() - others).kill()

        assert all(file.exists() for file in files)
        kill_children()


def test_an_orphan_is_killed_too() -> None:
    """A worker whose engine process was killed belongs to nobody."""
    hears, says = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("spawn").Process(target=stubborn_parent, args=(says,), daemon=True)
    child.start()
    grandchild: int = hears.recv()
    seen = Descendants.now()
    child.kill()
    child.join()
    assert runs(grandchild)

    seen.kill()

    assert not runs(grandchild)


def test_a_later_process_of_the_same_number_is_another_one() -> None:
    """Numbers come round; whoever has one of ours now is not killed."""
    mine = Process.of(os.getpid())
    assert mine is not None

    Descendants(frozenset({Process(mine.pid, mine.started - 1)})).kill()

    assert mine.runs
    assert not mine.is_ending
    assert Process.of(2**22 + 1) is None


def test_without_children_nothing_happens() -> None:
    """An engine that ended its own processes leaves nothing to do, and we stay alive."""
    kill_children()

    assert os.getpid()
