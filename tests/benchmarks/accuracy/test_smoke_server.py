"""A server with planted bugs, over HTTP and with its own image workers; the scripted twin is its engine."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.accuracy.errors import RunError
from benchmarks.accuracy.smoke import films
from benchmarks.accuracy.smoke.bug import Bug, Switch
from benchmarks.accuracy.smoke.parity import Expected, agreeing
from benchmarks.accuracy.smoke.parity_questions import Question, Shown
from benchmarks.accuracy.smoke.server import serving
from huatuo_server.engine.base import PromptImage
from huatuo_server.families import PicturePolicy
from huatuo_server.images.prepare import prepare
from huatuo_server.prompt import Message, render
from huatuo_server.reference import Step
from huatuo_server.tokenizer import Tokenizer
from tests import golden

MODEL = "twin"
ANSWER_IDS = (70, 71)
EOS = 2
FILM = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Switch]]:
    """Its address, and what switches its bugs on."""
    folder = tmp_path_factory.mktemp("smoke-server")
    script, switch = folder / "script.json", Switch(folder / "bug")
    script.write_text(json.dumps({"completions": [{"token_ids": ANSWER_IDS}]}))
    switch.turn_to(None)
    flags = ("--scripted", str(script), "--model", str(golden.CHECKPOINT), "--served-model-name", MODEL)
    with serving(switch, folder / "log", *flags, "--image-workers", "1") as url:
        yield url, switch


def shown(url: str, film: bytes) -> NDArray[np.uint8]:
    """What the model would see of it."""
    source = {"type": "image_url", "image_url": {"url": f"data:;base64,{base64.b64encode(film).decode()}"}}
    headers = {"Accept": "image/png"}
    reply = httpx.post(f"{url}/v1/images/render", json={"image": source}, headers=headers, trust_env=False, timeout=60)
    assert reply.status_code == 200, reply.text
    return np.asarray(Image.open(io.BytesIO(reply.content)))


def test_bugs_reach_the_image_workers(running: tuple[str, Switch]) -> None:
    """On and off again, while the server runs."""
    url, switch = running
    right = prepare(Image.fromarray(FILM), PicturePolicy())
    bugs: list[Bug | None] = [None, "MONOCHROME1 not inverted", "centre crop", "16 bits clipped", None]

    found = []
    for bug in bugs:
        switch.turn_to(bug)
        found.append(np.array_equal(shown(url, films.monochrome1(FILM)), right))

    assert found == [True, False, False, True, True]


def test_parity_is_lost_with_the_template_and_comes_back_without_the_bug(running: tuple[str, Switch]) -> None:
    """Prompts are compared, and answers."""
    url, switch = running
    pictures = (PromptImage(prepare(Image.fromarray(FILM), PicturePolicy()), "wide"),)
    prompt = render([Message("user", "What is this?", pictures)], Tokenizer.load(golden.CHECKPOINT))
    steps = tuple(Step(token_id, {token_id: 0.0}) for token_id in (*ANSWER_IDS, EOS))
    question = Question("wide", "What is this?", (Shown(films.png(FILM), FILM),))
    expected = [Expected(question, prompt.token_ids, steps)]

    bugs: list[Bug | None] = [None, "wrong template", None]
    found = []
    for bug in bugs:
        switch.turn_to(bug)
        found.append(agreeing(url, MODEL, expected))

    assert found == [{"wide": True}, {"wide": False}, {"wide": True}]


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    """In one line."""
    with (
        pytest.raises(RunError, match=r"did not start: .*nowhere"),
        serving(Switch(tmp_path / "bug"), tmp_path / "log", "--model", str(tmp_path / "nowhere")),
    ):
        pass
