"""Images by URL through the whole server: fetched from a listed origin, and from nowhere else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai
import pytest

from tests import golden
from tests.service.served import served

IMAGE = (golden.IMAGES / "ct_128_gray.png").read_bytes()


class Archive(BaseHTTPRequestHandler):
    """Gives the same image to everybody, and notes that it was asked."""

    asked: list[str] = []  # noqa: RUF012 - one list a subclass

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(IMAGE)))
        self.end_headers()
        self.wfile.write(IMAGE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing is written."""


@contextmanager
def archive() -> Iterator[tuple[str, list[str]]]:
    """A listening origin, and the paths that it was asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Archive,), {"asked": asked}))
    thread = threading.Thread(target=server.serve_forever, name="archive")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_only_a_listed_origin_is_asked() -> None:
    """Its image is seen, timed as `fetch` and described; another origin on the same machine hears nothing."""
    with archive() as (listed, asked), archive() as (canary, heard), served(remote_images=(listed,)) as server:
        completion = server.create([{"type": "image_url", "image_url": {"url": f"{listed}/a.png"}}])
        with pytest.raises(openai.BadRequestError) as caught:
            server.create([{"type": "image_url", "image_url": {"url": f"{canary}/a.png"}}])

        assert (completion.images[0]["width"], asked) == (128, ["/a.png"])
        assert server.metric("hgv_image_stage_seconds_count", stage="fetch") == 2
        assert (caught.value.code, caught.value.param) == ("remote_image_refused", "messages.0.content.0.image_url")
        assert heard == []


def test_a_fetched_image_has_the_limits_of_a_sent_one() -> None:
    """A 413 that names the setting, with the path of the part."""
    with archive() as (listed, _), served(remote_images=(listed,), max_image_bytes=100) as server:
        with pytest.raises(openai.APIStatusError, match="--max-image-bytes") as caught:
            server.create([{"type": "image_url", "image_url": {"url": f"{listed}/a.png"}}])

        assert (caught.value.status_code, caught.value.param) == (413, "messages.0.content.0.image_url")
