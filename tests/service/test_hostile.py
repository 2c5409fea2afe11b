"""Hostile files over HTTP: each gets a quick and clear answer, the server lives on, and its memory stays bounded.

The server is a process of its own with its own workers; the memory of all of them is watched from outside.
"""

from __future__ import annotations

import base64
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.hostile import CORPUS, png
from tests.hostile.item import PICTURE, Item
from tests.hostile.parts import PARTS, Part, PartItem
from tests.service.supervised import SupervisedServer, scripted

MAX_GROWTH_BYTES = 600 * 1000 * 1000
"""For one picture at a time."""

MAX_GROWTH_TOGETHER_BYTES = 500 * 1000 * 1000
"""One of the largest takes 320 MB, two of them 640; a worker that took another's place has 80 of its own."""

LARGEST = frozenset(
    {
        "png: 40 megapixels of 16-bit RGBA",
        "webp: an animation on 40 megapixels",
        "tiff: a deflated strip of 40 megapixels of float",
    }
)

SLOW_S = 30.0
"""Two seconds of processor time for the header and two for the picture, on a machine with much else to do."""

SAMPLE_S = 0.02

SCRIPT = {"completions": [{"text": "It is a picture."}]}

WORKERS = 2

ARGUMENTS = ("--image-timeout-s", "60", "--image-workers", str(WORKERS))
"""The wall time is longer than a server's: other tests may run beside this one."""


class Watched:
    """A server, and the most memory that it and its workers have held since `begin`."""

    def __init__(self, server: SupervisedServer) -> None:
        self.server = server
        self.before_bytes = resident_bytes(server.pid)
        self.most_bytes = self.before_bytes
        self.most_during = ""
        self._now = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory")
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(SAMPLE_S):
            held = resident_bytes(self.server.pid)
            if held > self.most_bytes:
                self.most_bytes, self.most_during = held, self._now

    def end(self) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth_bytes(self) -> int:
        return self.most_bytes - self.before_bytes

    def ask(self, name: str, part: Part) -> httpx.Response:
        """One question about a picture. name: what is watched meanwhile."""
        self._now = name
        question = {"type": "text", "text": "What is this?"}
        body = {"model": "checkpoint", "messages": [{"role": "user", "content": [part, question]}], "max_tokens": 8}
        return self.server.post("/v1/chat/completions", body)


def resident_bytes(pid: int) -> int:
    """RSS of a process and all below it, in bytes. Pages that two of them share count twice."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        children = Path(f"/proc/{pid}/task").glob("*/children")
        below = {int(child) for listed in children for child in listed.read_text().split()}
    except (OSError, IndexError):
        return 0  # it has just ended
    return pages * 4096 + sum(resident_bytes(child) for child in below)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server that has answered about a picture, so that its workers are there."""
    with scripted(SCRIPT, tmp_path_factory.mktemp("hostile"), *ARGUMENTS) as server:
        server.listening()
        server.until_ready()
        watched = Watched(server)
        try:
            for number in range(4):
                assert watched.ask("normal", normal_picture(number)).status_code == 200
            watched.before_bytes = watched.most_bytes = resident_bytes(server.pid)
            yield watched
        finally:
            watched.end()


def image(content: bytes) -> Part:
    """Whatever it is, it says that it is a PNG."""
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def normal_picture(number: int) -> Part:
    """Another one for each number, so that no cache has it."""
    return image(png.beside(png.chunk(b"prVt", number.to_bytes(8, "big"))))


def assert_answered(response: httpx.Response, statuses: frozenset[int]) -> None:
    """A completion, or an error in OpenAI's shape that names the picture."""
    assert response.status_code in statuses, response.text[:300]
    if response.status_code == PICTURE:
        assert response.json()["choices"][0]["finish_reason"] == "stop"
        return
    error: dict[str, Any] = response.json()["error"]
    assert error.keys() == {"message", "type", "code", "param"}
    assert error["type"] == "invalid_request_error"
    assert error["param"].startswith("messages.0.content.0")
    assert error["message"].endswith((".", "..."))
    assert "Traceback" not in error["message"]


@pytest.mark.parametrize("item", [*CORPUS, *PARTS], ids=lambda item: item.name)
def test_a_hostile_file_costs_one_request(watched: Watched, item: Item | PartItem) -> None:
    """It is answered in time with an error that is the client's, or its pixels; and then a normal picture is seen."""
    part = image(item.make()) if isinstance(item, Item) else item.make()

    began = time.monotonic()
    response = watched.ask(item.name, part)
    took_s = time.monotonic() - began

    print(f"{item.name}: {response.status_code} after {took_s:.2f} s; most memory {watched.growth_bytes / 1e6:.0f} MB")
    assert_answered(response, item.statuses)
    assert took_s < SLOW_S
    assert watched.ask("normal", normal_picture(zlib.crc32(item.name.encode()))).status_code == 200


def test_memory_stayed_bounded(watched: Watched) -> None:
    """Over all that has been asked so far, one after the other: server and workers together."""
    print(
        f"server and workers held {watched.before_bytes / 1e6:.0f} MB before, "
        f"at most {watched.growth_bytes / 1e6:.0f} MB more, during {watched.most_during!r}"
    )
    assert watched.growth_bytes < MAX_GROWTH_BYTES


def test_several_at_once_keep_within_the_memory_of_the_server(watched: Watched) -> None:
    """Bombs beside one another, more than there are workers: the largest pictures are not decoded side by side."""
    bombs = [item for item in CORPUS if item.name in LARGEST] * 3
    watched.before_bytes = watched.most_bytes = resident_bytes(watched.server.pid)
    answers: list[tuple[Item, httpx.Response]] = []

    def ask(bomb: Item) -> None:
        answers.append((bomb, watched.ask("several at once", image(bomb.make()))))

    threads = [threading.Thread(target=ask, args=(bomb,)) for bomb in bombs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(answers) == len(bombs) == 3 * len(LARGEST)
    for bomb, response in answers:
        assert response.status_code in bomb.statuses | {429}, bomb.name
    assert watched.server.get("/health/ready").status_code == 200
    print(f"server and workers held at most {watched.growth_bytes / 1e6:.0f} MB more")
    assert watched.growth_bytes < MAX_GROWTH_TOGETHER_BYTES
