"""What the API says in every case that clients meet: JSON as it stood on the wire, by its kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from huatuo_server.demo.label import TRAINED
from huatuo_server.engine.scripted import Completion
from tests.clients.answers import PNG, PNG_URL, TEXT, Finding, Keys
from tests.service.served import MODEL, SMALLEST_CONTEXT, Served, image_part_of, scripted_engine, served

Serving = Callable[[Path], AbstractContextManager[Served]]
"""A server of its own; the folder is for what it keeps."""

SECRET = "hgv-conformance-conformance-conformance-confo"
BEARER = {"Authorization": f"Bearer {SECRET}"}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One request, and of which kinds the objects of its answer are.

    path: `{file_id}` in it stands for an upload's. options: httpx's. serving: None for the server that says TEXT.
    """

    name: str
    kinds: frozenset[str]
    method: str
    path: str
    status: int = 200
    options: Mapping[str, Any] = field(default_factory=dict)
    serving: Serving | None = None

    def said(self, server: Served) -> list[tuple[str, str]]:
        """Kind and JSON of each object of the answer.

        Raises AssertionError where it has another status, or its objects are of other kinds.
        """
        path = self.path
        if "{file_id}" in path:
            path = path.format(file_id=server.client.files.create(file=("film.png", PNG), purpose="vision").id)
        response = httpx.request(self.method, server.base_url + path, timeout=30, **self.options)
        assert response.status_code == self.status, response.text
        if response.headers["content-type"].startswith("text/event-stream"):
            found = [(_kind(json.loads(text)), text) for text in _data(response.text)]
        else:
            found = [(kind, response.text) for kind in self.kinds]
        assert {kind for kind, _ in found} == self.kinds
        return found


def _data(stream: str) -> Iterator[str]:
    """The JSON of server-sent events."""
    for line in stream.splitlines():
        text = line.removeprefix("data: ")
        if text != line and text != "[DONE]":
            yield text


def _kind(value: Mapping[str, Any]) -> str:
    """Of an object in a stream."""
    if value.get("object") == "chat.completion.chunk":
        return "chunk"
    return "event" if "type" in value else "error"


def chat(name: str, content: Any = "What is this?", kinds: str = "completion", **given: Any) -> Case:
    """A chat request. given: status and serving of the case, headers, and fields of the body."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": content}]}
    return _posting(name, kinds, "/v1/chat/completions", body, given)


def respond(name: str, asked: Any = "What is this?", kinds: str = "response", **given: Any) -> Case:
    """A request of the Responses API. given: as for `chat`."""
    return _posting(name, kinds, "/v1/responses", {"model": MODEL, "input": asked}, given)


def _posting(name: str, kinds: str, path: str, body: Mapping[str, Any], given: Mapping[str, Any]) -> Case:
    """kinds: separated by commas."""
    of_the_case = {one: given[one] for one in ("status", "serving") if one in given}
    fields = {one: value for one, value in given.items() if one not in {*of_the_case, "headers"}}
    options = {"json": {**body, **fields}, "headers": given.get("headers")}
    return Case(
        f"{path.split('/')[2]}: {name}", frozenset(kinds.split(",")), "POST", path, options=options, **of_the_case
    )


def other(name: str, kind: str, method: str, path: str, status: int = 200, **options: Any) -> Case:
    """Any other request."""
    return Case(name, frozenset([kind]), method, path, status, options)


def demo(_: Path) -> AbstractContextManager[Served]:
    """A server whose checkpoint is a demo."""
    return served(demo=TRAINED)


def failing(after: int) -> Serving:
    """An engine that fails each answer after so many tokens."""
    return lambda _: served(scripted_engine(Completion(text=TEXT, fail_after=after)))


def short(_: Path) -> AbstractContextManager[Served]:
    """A model with a small context."""
    return served(scripted_engine(max_model_len=SMALLEST_CONTEXT))


def starting(_: Path) -> AbstractContextManager[Served]:
    """A server that is not ready."""
    return served(scripted_engine(start_delay_s=60.0), ready=False)


def keyed(**given: Any) -> Serving:
    """A server with one key. given: fields of Key."""

    def serving(folder: Path) -> AbstractContextManager[Served]:
        keys = Keys(folder)
        keys.add(SECRET, **given)
        return served(keys_file=keys.path)

    return serving


SCHEMA = Finding.model_json_schema()
FORMAT = {"type": "json_schema", "json_schema": {"name": "finding", "strict": True, "schema": SCHEMA}}
TEXT_FORMAT = {"format": {"type": "json_schema", "name": "finding", "strict": True, "schema": SCHEMA}}
TEXT_PART = {"type": "text", "text": "What is this?"}
PICTURE = {"type": "image_url", "image_url": {"url": PNG_URL, "detail": "low"}}
INPUT = [
    {"role": "developer", "content": "Be brief."},
    {
        "role": "user",
        "content": [
            {"type": "input_image", "image_url": PNG_URL, "detail": "auto"},
            {"type": "input_text", "text": "What is this?"},
        ],
    },
]
TOOL = {"type": "function", "function": {"name": "look_up"}}
USAGE = {"include_usage": True}

CASES = [
    chat("text"),
    chat("picture", [PICTURE, TEXT_PART]),
    chat("cut off", max_tokens=3),
    chat("clamped", max_tokens=1_000_000),
    chat("stop string", stop=["fracture"]),
    chat("token ids", return_token_ids=True),
    chat("ignored fields", user="reader-3", metadata={"study": "17"}, unheard_of=True),
    chat("of a demo", serving=demo),
    chat("n", n=3),
    chat("logprobs", logprobs=True),
    chat("top_logprobs", logprobs=True, top_logprobs=20, n=2),
    chat("json_object", response_format={"type": "json_object"}),
    chat("json_schema", response_format=FORMAT),
    chat("stream", kinds="chunk", stream=True),
    chat("stream about a picture", [PICTURE, TEXT_PART], "chunk", stream=True, stream_options=USAGE),
    chat("stream cut off", kinds="chunk", stream=True, max_tokens=3, return_token_ids=True),
    chat("stream of a demo", kinds="chunk", stream=True, serving=demo),
    chat("stream of several", kinds="chunk", stream=True, n=3, stream_options=USAGE),
    chat("stream with logprobs", kinds="chunk", stream=True, logprobs=True, top_logprobs=5),
    chat("stream of JSON", kinds="chunk", stream=True, response_format=FORMAT),
    chat("stream that fails", kinds="chunk,error", stream=True, serving=failing(5)),
    chat("wrong field", kinds="error", status=400, temperature=3),
    chat("refused field", kinds="error", status=400, tools=[TOOL]),
    chat("too long", "word " * 2000, "error", status=400, serving=short),
    chat("no image", [{**PICTURE, "image_url": {"url": "data:image/png;base64,AAAA"}}], "error", status=400),
    chat("no format that is read", [image_part_of(b"\0\0\0\x18ftypheic" + b"\0" * 40)], "error", status=415),
    chat("no such model", kinds="error", status=404, model="gpt-5"),
    chat("no key", kinds="error", status=401, serving=keyed()),
    chat("no scope", kinds="error", status=403, serving=keyed(scopes=frozenset({"metrics"})), headers=BEARER),
    chat("no tokens left", kinds="error", status=429, serving=keyed(tokens_per_min=1), headers=BEARER),
    chat("failed engine", kinds="error", status=500, serving=failing(0)),
    chat("not ready", kinds="error", status=503, serving=starting),
    other("no JSON", "error", "POST", "/v1/chat/completions", 400, content=b"{"),
    other("no such path", "error", "GET", "/v1/engines", 404),
    other("no such method", "error", "GET", "/v1/chat/completions", 405),
    other("models", "models", "GET", "/v1/models"),
    other("model", "model", "GET", f"/v1/models/{MODEL}"),
    Case("model of a demo", frozenset(["model"]), "GET", f"/v1/models/{MODEL}", serving=demo),
    other("no such model", "error", "GET", "/v1/models/gpt-5", 404),
    other("upload", "file", "POST", "/v1/files", files={"file": ("film.png", PNG)}, data={"purpose": "vision"}),
    other(
        "upload of text", "error", "POST", "/v1/files", 400, files={"file": ("a.txt", b"a")}, data={"purpose": "batch"}
    ),
    other("file", "file", "GET", "/v1/files/{file_id}"),
    other("files", "files", "GET", "/v1/files?limit=1&after={file_id}&order=asc"),
    other("some files", "files", "GET", "/v1/files?limit=2&x={file_id}"),
    other("deleted file", "deleted file", "DELETE", "/v1/files/{file_id}"),
    other("no such file", "error", "GET", "/v1/files/file-0", 404),
    respond("text", instructions="Be brief.", temperature=0.5, max_output_tokens=64, user="reader-3"),
    respond("picture", INPUT),
    respond("cut off", max_output_tokens=3),
    respond("metadata", metadata={"study": "17"}),
    respond("json_schema", text=TEXT_FORMAT),
    respond("json_object", text={"format": {"type": "json_object"}}),
    respond("logprobs", include=["message.output_text.logprobs"], top_logprobs=3),
    respond("of a demo", serving=demo),
    respond("stream", kinds="event", stream=True),
    respond("stream about a picture", INPUT, "event", stream=True),
    respond("stream cut off", kinds="event", stream=True, max_output_tokens=3),
    respond(
        "stream with logprobs", kinds="event", stream=True, include=["message.output_text.logprobs"], top_logprobs=2
    ),
    respond("stream of JSON", kinds="event", stream=True, text=TEXT_FORMAT),
    respond("stream that fails", kinds="event", stream=True, serving=failing(5)),
    respond("wrong field", kinds="error", status=400, temperature=3),
    respond("refused field", kinds="error", status=400, previous_response_id="resp_1"),
    respond("failed engine", kinds="error", status=500, serving=failing(0)),
]
