"""A recorder between a harness and a server sees what is asked and answered, and the driver believes it alone."""

from __future__ import annotations

import base64
import io
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.accuracy.chat import data_url
from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.harnesses import __main__ as driver
from benchmarks.accuracy.harnesses import wire
from benchmarks.accuracy.harnesses.harness import Call, Scored
from benchmarks.accuracy.harnesses.made_up import items
from benchmarks.accuracy.harnesses.recorder import Record, recording
from benchmarks.accuracy.item import Item
from tests.benchmarks.accuracy.chat_server import Said, chat_server, error


def reply(question: str, _before: int) -> Said:
    """What our own server adds to an answer; a refusal where the question asks for one."""
    if "refuse" in question:
        return error(400, "invalid_image", "no")
    return Said(body={"choices": [], "max_tokens_clamped_to": 7, "ignored_fields": ["user"]})


@contextmanager
def server() -> Iterator[str]:
    """Its address without `/v1`."""
    with chat_server(reply) as running:
        yield running.base_url.removesuffix("/v1")


def ask(record: Record, text: str, *pictures: bytes, **fields: Any) -> int:
    """The status of one question's answer."""
    images = [{"type": "image_url", "image_url": {"url": data_url(one)}} for one in pictures]
    body = {"messages": [{"role": "user", "content": [*images, {"type": "text", "text": text}]}], **fields}
    request = urllib.request.Request(f"{record.url}/v1/chat/completions", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def test_the_recorder_passes_on_and_keeps_no_picture() -> None:
    """Its digest, kind and size stay, so that a changed one is seen."""
    (item,) = items(1)
    content = item.pictures[0].read()
    with server() as url, recording(url) as record:
        status = ask(record, item.question, content, temperature=0.2)

    (chat,) = record.chats
    assert (status, chat.status, chat.answer["max_tokens_clamped_to"]) == (200, 200, 7)
    assert base64.b64encode(content).decode() not in json.dumps(chat.request)
    (picture,) = chat.pictures
    assert (picture.declared, picture.format, picture.size, picture.mode) == ("image/png", "PNG", (512, 512), "L")


def test_the_recorder_tells_of_a_server_that_does_not_answer() -> None:
    """As a gateway does: 502, and the request is in the record."""
    with server() as url:
        pass
    with recording(url) as record:
        status = ask(record, "is anybody there?")

    assert status == 502
    assert [one.status for one in record.chats] == [502]
    assert record.answered == []


@pytest.mark.parametrize("url", ["https://127.0.0.1:1", "http://127.0.0.1:1/v1", "127.0.0.1:1"])
def test_the_recorder_takes_no_other_form_of_address(url: str) -> None:
    """It would ask a path that is not there."""
    with pytest.raises(RunError), recording(url):
        pass


def test_the_summary_tells_what_became_of_questions_and_pictures() -> None:
    """A question whose request failed has not arrived; a picture is as on disk, or is described."""
    made = items(3)
    small = io.BytesIO()
    Image.new("RGB", (10, 20)).save(small, "JPEG")
    with server() as url, recording(url) as record:
        ask(record, made[0].question, made[0].pictures[0].read(), max_tokens=9)
        ask(record, made[1].question, small.getvalue(), max_tokens=9)
        ask(record, f"{made[2].question} refuse", max_tokens=9)

    told = wire.summary(made, record)
    assert wire.arrived(made, record) == 2
    assert "/v1/chat/completions 200 (2), /v1/chat/completions 400 (1); 1 at once" in told
    assert 'fields: {"max_tokens": 9} (3)' in told
    assert "max_tokens_clamped_to: 7 (2)" in told
    assert "errors: invalid_image (1)" in told
    assert "pictures: colour-jpeg: JPEG 10x20 RGB (1), grey-png: as on disk (1)" in told


ASKING = """
import json, sys, urllib.request as u
for text in json.load(open("questions.json"))[: int(sys.argv[2])]:
    body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
    u.urlopen(u.Request(sys.argv[1] + "/v1/chat/completions", body)).read()
"""


@dataclass
class CarelessHarness:
    """Asks so many of the questions, scores so many, and ends well whatever happens."""

    num_asked: int
    num_scored: int
    DISTRIBUTION: str = "pip"

    def write(self, items: Sequence[Item], folder: Path) -> None:
        (folder / "questions.json").write_text(json.dumps([item.question for item in items]))

    def command(self, call: Call) -> list[str]:
        return [sys.executable, "-c", ASKING, call.url, str(self.num_asked)]

    def environment(self, folder: Path) -> Mapping[str, str]:
        return {}

    def scored(self, folder: Path) -> Scored:
        return Scored(self.num_scored, 0.5)


def drive(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path) -> int:
    """The driver's exit code, of three questions."""
    given = ["evalscope", "--base-url", url, "--python", sys.executable, "--questions", "3", "--folder", str(folder)]
    monkeypatch.setattr(sys, "argv", ["harnesses", *given])
    return driver.main()


@pytest.mark.parametrize(("num_asked", "num_scored", "code"), [(3, 3, 0), (2, 3, 1), (3, 2, 1)])
def test_the_driver_fails_where_a_question_was_not_answered_or_not_scored(
    num_asked: int,
    num_scored: int,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Though the harness itself ends with 0."""
    monkeypatch.setitem(driver.HARNESSES, "evalscope", CarelessHarness(num_asked, num_scored))
    with server() as url:
        assert drive(monkeypatch, url, tmp_path) == code

    told = f"questions made: 3, answered: {num_asked}, scored: {num_scored}, accuracy 0.500"
    assert told in capsys.readouterr().out


def test_the_driver_says_so_where_no_server_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 1."""
    with server() as url:
        pass

    assert drive(monkeypatch, url, tmp_path) == 1
    assert f"{url}/v1/models names no model" in capsys.readouterr().err
