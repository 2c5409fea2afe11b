"""Python's garbage collector while the server answers."""

from __future__ import annotations

import re
from pathlib import Path

from tests.service.supervised import SupervisedServer, scripted

QUESTION = {"model": "checkpoint", "messages": [{"role": "user", "content": "What is this?"}]}

RUNS = re.compile(r'python_gc_collections_total\{generation="0"\} (\S+)')


def runs(server: SupervisedServer) -> float:
    """Collections of the youngest objects, the most frequent ones, so far."""
    found = RUNS.search(server.get("/metrics").text)
    assert found is not None
    return float(found[1])


def test_forty_requests_leave_the_collector_alone(tmp_path: Path) -> None:
    """It was a third of what a request takes; as Python has it, it runs several times in as many."""
    with scripted({}, tmp_path) as server:
        server.listening()
        server.until_ready()
        before = runs(server)

        for _ in range(40):
            assert server.post("/v1/chat/completions", QUESTION).status_code == 200

        assert runs(server) - before <= 1
