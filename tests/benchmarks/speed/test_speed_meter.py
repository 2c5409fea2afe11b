"""The meter tells a server's processes apart and counts their time between two moments."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.speed.meter import Meter, groups

SERVER = """
import subprocess, sys
worker = [sys.executable, "-c", "import time; time.sleep(60)", "huatuo_server.images.worker"]
engine = ["bash", "-c", "exec -a VLLM::EngineCore bash -c 'sleep 60; :'"]
started = [subprocess.Popen(words) for words in (worker, engine)]
print(*[one.pid for one in started], flush=True)
sys.stdin.read()
[one.kill() for one in started]
"""
BUSY_S = 0.6
BUSY = f"import time; end = time.process_time() + {BUSY_S}\nwhile time.process_time() < end: pass"


@pytest.fixture
def server() -> Iterator[tuple[int, int, int]]:
    """Pids: of a server, of its image worker, of its engine, none of which does anything."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    worker, engine = map(int, process.stdout.readline().split())
    yield process.pid, worker, engine
    process.stdin.close()
    process.wait(30)


def test_image_workers_and_the_engine_are_told_from_the_server(server: tuple[int, int, int]) -> None:
    """By their names, and whatever the engine has started is the engine's."""
    pid, worker, engine = server

    # The engine takes its name when it is executed, which a fork precedes.
    limit = time.monotonic() + 30
    while groups(pid).get(engine) != "engine" and time.monotonic() < limit:
        pass

    found = groups(pid)
    assert (found[pid], found[worker], found[engine]) == ("server", "image_workers", "engine")
    assert set(found.values()) == {"server", "image_workers", "engine"}


def test_what_a_generator_uses_between_two_moments_is_counted(server: tuple[int, int, int]) -> None:
    """All of it between its begin and its end, none of it before, and nothing for who was idle."""
    before_ns = time.time_ns()
    generator = subprocess.Popen([sys.executable, "-c", BUSY])
    with Meter(server[0], generator.pid) as meter:
        begin_ns = time.time_ns()
        generator.wait(60)
        end_ns = time.time_ns()

    used = meter.processor(begin_ns, end_ns)
    assert used.generator_s == pytest.approx(BUSY_S, abs=0.4)
    assert (used.server_s, used.image_workers_s, used.engine_s) == pytest.approx((0, 0, 0), abs=0.02)
    assert meter.processor(before_ns, before_ns).generator_s == 0


def test_resident_memory_is_told_by_group(server: tuple[int, int, int]) -> None:
    """An idle Python has some megabytes."""
    generator = subprocess.Popen(["sleep", "60"])
    with Meter(server[0], generator.pid) as meter:
        generator.kill()
        generator.wait()

    memory = meter.memory()
    assert memory.image_workers_bytes > 2**20
    assert memory.engine_bytes > 2**19
