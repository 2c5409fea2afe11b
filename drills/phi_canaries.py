"""Nothing of a patient in any log, metric, page or file, whatever happens to the request.

Promised: of the words that stand in every field of a request that can hold text, in the pixels and texts of its images,
in the answer and in the key, none is found in the server's output, its metrics, its OpenAPI page, its audit log, the
error that a request is answered with, or a file other than an upload. The requests are answered, streamed, refused for
every reason, hung up on, timed out, drained, and lose their image worker or their engine. An upload that is deleted
leaves nothing either. They are looked for as text, UTF-16, hexadecimal, base64, token ids, and pixels.

The long form asks the real engine too, and ends it by a segmentation fault in the middle of an answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills import keys
from drills.canaries import pictures
from drills.canaries.canary import Canaries
from drills.canaries.places import Rooms, pages
from drills.canaries.requests import Asked, Requests
from drills.http import CHAT, FILES, exchange, sent
from drills.question import TWIN
from drills.report import Promises, Report
from huatuo_server.tokenizer import Tokenizer
from tests.server.images import worker_processes
from tests.server.scripted_model import GOLDEN
from tests.service.real import MODEL, START_LIMIT_S
from tests.service.supervised import SupervisedServer, scripted, until

HARM = ((signal.SIGKILL, 500), (signal.SIGSEGV, 422), (signal.SIGSTOP, 504))
"""What is done to an image worker, and how its request is answered."""

SERVER = ("--image-timeout-s", "2", "--image-cache-bytes", "0", "--image-workers", "2")


@dataclass(slots=True)
class Found:
    """places: what was searched. errors: what requests were answered with that were refused or failed. kept, left: the
    uploads' files while there was one, and after it was deleted. astray: requests that took another path.
    """

    places: dict[str, bytes] = field(default_factory=dict)
    errors: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    left: dict[str, bytes] = field(default_factory=dict)
    astray: list[str] = field(default_factory=list)
    num_asked: int = 0

    def ask(self, url: str, asked: Iterable[Asked]) -> None:
        """One after the other."""
        for one in asked:
            self.note(one.name, one.status, exchange(url, one.request))

    def note(self, name: str, expected: int, answer: tuple[int, bytes]) -> None:
        status, body = answer
        self.num_asked += 1
        if status != expected:
            self.astray.append(f"{name}: {status}, not {expected}")
        if status != 200:
            self.errors[name] = body


def drill(short: bool) -> Report:
    """short: on the twin alone."""
    canaries, found = Canaries(), Found()
    began = time.time() - 1
    tokenizer = Tokenizer.load(GOLDEN)
    for name in ("prompt", "system", "answer"):
        # The first and the last token may be joined with their neighbours.
        canaries.other(f"token ids of the {name}", ", ".join(map(str, tokenizer.encode(canaries[name])[1:-1])))
    _on_the_twin(canaries, found, began)
    _on_a_failing_engine(canaries, found, began)
    if not short:
        _on_the_real_engine(canaries, found, began)
    return _report(canaries, found)


def _on_the_twin(canaries: Canaries, found: Found, began: float) -> None:
    answer = f"The patient is {canaries['answer']}. " * 30 + canaries["stop"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rooms = Rooms.made(folder)
        secret = keys.create(folder / "keys", "clinic", scopes="chat,metrics")
        canaries.other("key", secret.removeprefix("hgv-"))
        script = {"completions": [{"text": answer, "delay_s": 0.005}]}
        flags = (*rooms.flags, *SERVER, "--keys-file", str(folder / "keys"), "--drain-s", "0")
        with scripted(script, folder, *flags, environ=rooms.environ) as server:
            url = server.listening()
            server.until_ready()
            requests = Requests(canaries, TWIN, keys.bearer(secret))
            found.ask(url, requests.answered())
            found.ask(url, requests.refused())
            _strangers(url, Requests(canaries, TWIN, keys.bearer(canaries["wrong key"])), found)
            _deadline(url, requests, found)
            _hang_up(url, requests)
            _upload(url, requests, rooms, found)
            _harmed_workers(server, requests, rooms, found, began)
            found.places |= _named("twin", pages(url, keys.bearer(secret)))
            _drained(server, requests, found)
            assert server.ended() == 0
            _search("twin", server, rooms, found, began)


def _on_a_failing_engine(canaries: Canaries, found: Found, began: float) -> None:
    answer = {"text": f"The patient is {canaries['answer']}. " * 30, "fail_after": 8}
    script = {"completions": [answer, {**answer, "failure": "engine"}]}
    with tempfile.TemporaryDirectory() as name:
        rooms = Rooms.made(Path(name))
        with scripted(script, Path(name), *rooms.flags, environ=rooms.environ) as server:
            url = server.listening()
            server.until_ready()
            requests = Requests(canaries, TWIN, "")
            found.note("the engine fails a request", 500, exchange(url, requests.chat(pictures.png(canaries))))
            found.places |= _named("failing engine", pages(url, ""))
            found.note("the engine dies", 503, exchange(url, requests.chat(pictures.png(canaries))))
            assert server.ended() != 0
            _search("failing engine", server, rooms, found, began)


def _on_the_real_engine(canaries: Canaries, found: Found, began: float) -> None:
    with tempfile.TemporaryDirectory() as name:
        rooms = Rooms.made(Path(name))
        arguments = ["serve", "--model", str(GOLDEN), "--served-model-name", MODEL, "--port", "0", "--enforce-eager"]
        with SupervisedServer([*arguments, *rooms.flags, *SERVER], rooms.environ) as server:
            url = server.listening()
            server.until_ready(START_LIMIT_S)
            requests = Requests(canaries, MODEL, "")
            found.ask(url, requests.answered())
            found.ask(url, requests.refused())
            _hang_up(url, requests)
            found.places |= _named("real engine", pages(url, ""))
            long = requests.chat(pictures.png(canaries), max_tokens=2000, ignore_eos=True, stream=True)
            with sent(url, long) as connection:
                connection.recv(65536)
                found.places |= _named("real engine, answering", rooms.files(began))
                _crash_engine(server.pid)
                until(lambda: not connection.recv(65536))
            assert server.ended() != 0
            _search("real engine", server, rooms, found, began)


def _strangers(url: str, requests: Requests, found: Found) -> None:
    """A key that is none."""
    found.note("a wrong key", 401, exchange(url, requests.chat()))
    found.note("a wrong key for a page", 401, exchange(url, requests.raw("GET", "/metrics")))


def _deadline(url: str, requests: Requests, found: Found) -> None:
    body = json.loads(requests.chat().partition(b"\r\n\r\n")[2])
    found.note("a deadline", 504, exchange(url, requests.json(CHAT, {**body, "stop": None}, X_Request_Timeout="0.05")))


def _hang_up(url: str, requests: Requests) -> None:
    """In the middle of a stream."""
    with sent(url, requests.chat(stream=True)) as connection:
        connection.recv(1024)


def _upload(url: str, requests: Requests, rooms: Rooms, found: Found) -> None:
    """Kept, asked about, listed, fetched and deleted."""
    status, body = exchange(url, requests.upload(pictures.dicom(requests.canaries)))
    found.note("an upload", 200, (status, body))
    id_ = json.loads(body)["id"]
    image = {"type": "file", "file": {"file_id": id_}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": requests.canaries["prompt"]}]}]
    found.note("a question about it", 200, exchange(url, requests.chat(messages=messages)))
    found.note("the list", 200, exchange(url, requests.raw("GET", FILES)))
    found.note("its content", 200, exchange(url, requests.raw("GET", f"{FILES}/{id_}/content")))
    found.kept = rooms.kept()
    found.note("its end", 200, exchange(url, requests.raw("DELETE", f"{FILES}/{id_}")))
    found.left = rooms.kept()


def _harmed_workers(server: SupervisedServer, requests: Requests, rooms: Rooms, found: Found, began: float) -> None:
    """Each has a large picture at that moment; while one is stopped, what it may have written is looked at."""
    request = requests.chat(pictures.png(requests.canaries, pictures.LARGE, level=1))
    for number, status in HARM:
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(exchange, server.url, request)
            while not answer.done():
                for pid in worker_processes.pids(server.pid):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                found.places |= _named(f"worker with {number.name}", rooms.files(began))
                time.sleep(0.02)
            found.note(f"a worker with {number.name}", status, answer.result())


def _drained(server: SupervisedServer, requests: Requests, found: Found) -> None:
    """The server is told to end while it answers."""
    with sent(server.url, requests.chat(stream=True, stop=None, max_tokens=400)) as connection:
        connection.recv(65536)
        server.signal()
        told = b""
        while received := connection.recv(65536):
            told += received
    # An answer's chunks hold what the model said: only the error is looked at.
    found.errors["the drain"] = told[told.rfind(b'data: {"error"') :]


def _crash_engine(pid: int) -> None:
    """A segmentation fault of its processes."""
    children = [int(one) for tasks in Path(f"/proc/{pid}/task").glob("*/children") for one in tasks.read_text().split()]
    engines = [one for one in children if b"spawn_main" in _command(one) or b"VLLM" in _command(one)]
    assert engines, "the engine is a process of its own"
    for one in engines:
        os.kill(one, signal.SIGSEGV)


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _search(name: str, server: SupervisedServer, rooms: Rooms, found: Found, began: float) -> None:
    """After the end."""
    output = {"stdout": "\n".join(server.rest_of_stdout()), "stderr": "\n".join(server.said())}
    found.places |= _named(name, {place: text.encode() for place, text in output.items()})
    found.places |= _named(name, rooms.files(began))


def _named(name: str, places: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{name}: {place}": said for place, said in places.items()}


def _report(canaries: Canaries, found: Found) -> Report:
    hits, told, left = (canaries.hits(places) for places in (found.places, found.errors, found.left))
    stored = canaries.hits(found.kept)
    figures: dict[str, Any] = {
        "words": len(canaries),
        "requests": found.num_asked,
        "places": len(found.places),
        "megabytes": round(sum(map(len, found.places.values())) / 1e6, 1),
        "errors": len(found.errors),
        "hits": {**hits, **told, **left},
        "astray": found.astray,
        "seen_in_the_upload": sorted({one for fields in stored.values() for one in fields}),
    }
    promises: Promises = {
        "no output, page or file holds a word of a patient": not hits,
        "no error repeats what was sent": not told,
        "a deleted upload leaves nothing": not left,
        "every request took the path that it was to take": not found.astray,
        "words that are there are seen": "dicom pixels" in figures["seen_in_the_upload"],
    }
    return Report(figures, promises)
