"""The image workers of a server that runs as a process: part of being ready, and gone when it is."""

from __future__ import annotations

from pathlib import Path

from tests.server.images import worker_processes
from tests.service.served import MODEL, ask, image_part
from tests.service.supervised import scripted


def test_a_start_whose_workers_cannot_prepare_a_picture_fails_and_says_why(tmp_path: Path) -> None:
    """Exit 1 with one line that names the limit, and no word of being ready."""
    with scripted({}, tmp_path, "--image-timeout-s", "0.000001") as server:
        server.listening()

        assert server.ended() == 1
        (line,) = server.errors()
        assert line.startswith("huatuo-server: the image workers failed a picture of one pixel")
        assert "--image-timeout-s" in line
        assert not any(record["message"] == "ready" for record in server.log())


def test_a_server_that_is_told_to_stop_takes_its_workers_along(tmp_path: Path) -> None:
    """SIGTERM: exit 0, and none of them is left."""
    with scripted({}, tmp_path, "--served-model-name", MODEL) as server:
        server.listening()
        server.until_ready()
        pids = worker_processes.pids(server.pid)
        assert server.post("/v1/chat/completions", ask([image_part("tiny_5x7.png")])).status_code == 200

        server.signal()

        assert server.ended() == 0
        assert pids
        for pid in pids:
            worker_processes.until_gone(pid)
