"""Requests that hold a patient's data in every field that can hold text, good ones and bad ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drills.canaries import pictures
from drills.canaries.canary import Canaries
from drills.http import CHAT, FILES, RENDER
from drills.question import part

BOUNDARY = "drill"


@dataclass(frozen=True, slots=True)
class Asked:
    """name: of the path it takes. status: what it must be answered with, for it to have taken that path."""

    name: str
    status: int
    request: bytes


class Requests:
    """For one server. authorization: the header's value that lets a request in; empty where none is asked for."""

    def __init__(self, canaries: Canaries, model: str, authorization: str) -> None:
        self.canaries = canaries
        self._model = model
        self._authorization = authorization

    def chat(self, *images: bytes, **fields: Any) -> bytes:
        """A question with a patient in every field; `fields` replace or add some."""
        return self.json(CHAT, self._question([part(image) for image in images], **fields))

    def json(self, path: str, body: Any, **headers: str) -> bytes:
        return self.raw("POST", path, json.dumps(body).encode(), Content_Type="application/json", **headers)

    def raw(self, method: str, path: str, content: bytes = b"", **headers: str) -> bytes:
        """With a patient in the query and in headers; `headers`, with `_` for `-`, replace or add some."""
        word = self.canaries
        lines = {
            "Host": "localhost",
            "Connection": "close",
            "Authorization": self._authorization,
            "X-Request-Id": f"{word['X-Request-Id']} {word['X-Request-Id']}",
            "X-Patient-Name": word["header"],
            "User-Agent": word["User-Agent"],
            "Referer": f"https://viewer/{word['Referer']}",
            "Cookie": f"patient={word['Cookie']}",
            "Content-Length": str(len(content)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
        return f"{method} {path}?patient={word['query']} HTTP/1.1\r\n{head}\r\n".encode() + content

    def upload(self, file: bytes, purpose: str = "vision", field: str = "purpose") -> bytes:
        """A form."""
        word = self.canaries
        disposition = 'Content-Disposition: form-data; name="'
        named = f'{disposition}file"; filename="{word["upload filename"]}.dcm"\r\nContent-Type: {word["part type"]}/x'
        parts = [f'{disposition}{field}"\r\n\r\n{purpose}'.encode(), f"{named}\r\n\r\n".encode() + file]
        content = (
            b"".join(f"--{BOUNDARY}\r\n".encode() + one + b"\r\n" for one in parts) + f"--{BOUNDARY}--\r\n".encode()
        )
        return self.raw("POST", FILES, content, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")

    def answered(self) -> Iterator[Asked]:
        """Those that the model answers."""
        word = self.canaries
        yield Asked("png", 200, self.chat(pictures.png(word)))
        yield Asked("jpeg", 200, self.chat(pictures.jpeg(word)))
        yield Asked("dicom", 200, self.chat(pictures.dicom(word)))
        yield Asked("stream", 200, self.chat(pictures.png(word), stream=True))
        yield Asked("a file part", 200, self.json(CHAT, self._question([self._file_part()])))
        yield Asked("render", 200, self.json(RENDER, {"image": part(pictures.dicom(word))}))

    def refused(self) -> Iterator[Asked]:
        """Those that fail before the model is asked, for every reason that there is."""
        word = self.canaries
        yield from self._of_json()
        yield from self._of_images()
        yield Asked("no such path", 404, self.raw("GET", f"/v1/patients/{word['path']}"))
        yield Asked("no such file", 404, self.raw("GET", f"/v1/files/file-{word['file id']}"))
        yield Asked("no such method", 405, self.raw("PATCH", "/v1/models"))
        yield Asked("an unknown method", 400, self.raw(word["method"].upper(), "/v1/models"))
        yield Asked("another host", 400, self.raw("GET", "/v1/models", Host=word["Host"]))
        yield Asked("another origin", 403, self.raw("GET", "/v1/models", Origin=f"https://{word['Origin']}"))
        yield Asked("no HTTP", 400, f"{word['no HTTP']}\r\n\r\n".encode())
        yield Asked("a broken header", 400, f"GET / HTTP/1.1\r\n{word['broken header']}\r\n\r\n".encode())
        yield Asked("a long header", 431, self.raw("GET", "/v1/models", X_Long=word["long header"] * 10_000))
        yield Asked("a wrong deadline", 400, self.json(CHAT, self._question([]), X_Request_Timeout=word["deadline"]))
        yield Asked("an empty upload", 400, self.upload(b""))
        yield Asked("an upload of nothing known", 400, self.upload(word["upload content"].encode()))
        yield Asked("an upload for another purpose", 400, self.upload(pictures.png(word), purpose=word["purpose"]))
        yield Asked("an upload with another field", 400, self.upload(pictures.png(word), field=word["form field"]))
        yield Asked(
            "a broken form",
            400,
            self.raw("POST", FILES, word["broken form"].encode(), Content_Type="multipart/form-data; boundary=drill"),
        )
        yield Asked(
            "a form without a boundary",
            400,
            self.raw("POST", FILES, word["broken form"].encode(), Content_Type=f"multipart/{word['content type']}"),
        )

    def _of_json(self) -> Iterator[Asked]:
        word = self.canaries
        for name, status, fields in (
            ("another model", 404, {"model": word["model"]}),
            ("a number that is text", 400, {"temperature": word["temperature"]}),
            ("a field that is no object", 400, {"messages": word["messages"]}),
            ("a role that is none", 400, {"messages": [{"role": word["role"], "content": "x"}]}),
            ("a part that is none", 400, {"messages": [{"role": "user", "content": [{"type": word["part"]}]}]}),
            ("a grammar", 400, {"guided_regex": word["guided_regex"]}),
            ("a schema", 400, {"structured_outputs": {"json": {"type": word["schema"]}}}),
            ("tools", 400, {"tools": [{"type": "function", "function": {"name": word["tool"]}}]}),
            ("an id for the cache", 400, {"cache_salt": word["cache_salt"]}),
            ("logit_bias", 400, {"logit_bias": {word["logit_bias"]: 1}}),
            ("too long a stop string", 400, {"stop": [word["long stop"] * 100]}),
        ):
            yield Asked(name, status, self.chat(pictures.png(word), **fields))
        yield Asked(
            "too long a prompt",
            400,
            self.chat(messages=[{"role": "user", "content": f"{word['long prompt']} " * 5000}]),
        )
        yield Asked(
            "no JSON",
            400,
            self.raw("POST", CHAT, f'{{"a": {word["no JSON"]}'.encode(), Content_Type="application/json"),
        )
        yield Asked("JSON of another kind", 400, self.json(CHAT, [word["a list"]]))
        yield Asked(
            "no text",
            400,
            self.raw("POST", CHAT, b'"\xff' + word["no UTF-8"].encode(), Content_Type="application/json"),
        )

    def _of_images(self) -> Iterator[Asked]:
        word = self.canaries
        place = f"{word['URL host']}.example/{word['URL path']}?p={word['URL query']}"
        for name, url in (
            ("an image elsewhere", f"https://user:{word['URL password']}@{place}"),
            ("a file of this machine", f"file:///{word['file URL']}"),
            ("a data URL that is none", f"data:image/{word['media type']};base64,{word['base64']}!"),
        ):
            yield Asked(name, 400, self.json(CHAT, self._question([{"type": "image_url", "image_url": {"url": url}}])))
        yield Asked(
            "another's upload",
            404,
            self.json(CHAT, self._question([{"type": "file", "file": {"file_id": f"file-{word['file id']}"}}])),
        )
        yield Asked(
            "a field that a view lacks", 400, self.json(CHAT, self._question([self._viewed({word["view field"]: 1})]))
        )
        yield Asked(
            "a preset that there is not",
            400,
            self.json(CHAT, self._question([self._viewed({"preset": word["preset"]})])),
        )
        yield Asked("no image", 400, self.chat(word["no image"].encode() * 10))
        yield Asked("a format not read", 415, self.chat(b"%PDF-1.7\n" + word["pdf"].encode()))
        yield Asked("half a png", 400, self.chat(pictures.damaged(pictures.png(word))))
        yield Asked("half a jpeg", 400, self.chat(pictures.damaged(pictures.jpeg(word))))
        yield Asked("half a dicom", 400, self.chat(pictures.damaged(pictures.dicom(word))))

    def _viewed(self, view: dict[str, Any]) -> dict[str, Any]:
        image = part(pictures.png(self.canaries))
        image["image_url"]["view"] = view
        return image

    def _file_part(self) -> dict[str, Any]:
        word = self.canaries
        data = base64.b64encode(pictures.dicom(word)).decode()
        return {
            "type": "file",
            "file": {"file_data": f"data:application/dicom;base64,{data}", "filename": word["filename"]},
        }

    def _question(self, parts: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        word = self.canaries
        return {
            "model": self._model,
            "messages": [
                {"role": "system", "content": word["system"]},
                {"role": "user", "content": word["first question"]},
                {"role": "assistant", "content": word["first answer"]},
                {"role": "user", "name": word["name"], "content": [*parts, {"type": "text", "text": word["prompt"]}]},
            ],
            "max_tokens": 40,
            "stop": [word["stop"]],
            "user": word["user"],
            "metadata": {word["metadata key"]: word["metadata"]},
            "safety_identifier": word["safety_identifier"],
            "prompt_cache_key": word["prompt_cache_key"],
            word["unknown field"]: word["unknown value"],
            **fields,
        }
