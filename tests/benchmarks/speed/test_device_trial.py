"""What is asked of a server, and the figures that come of it, over real sockets and the scripted twin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest

from benchmarks.speed.conversation import MODEL
from benchmarks.speed.device.trial import Size, Trial
from benchmarks.speed.roofline import DEVICES, MODELS, Roofline
from benchmarks.speed.server import Server
from tests.service.supervised import SupervisedServer, scripted

SIZE = Size((3,), 12, decode_rounds=2, ttft_rounds=2, in_flight=3, answer_tokens=6, saturated_s=1.0)
WORDS = "Four small words here and then a few more of them so that the answer is long."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedServer]:
    script = {"completions": [{"text": WORDS, "delay_s": 0.01}]}
    with scripted(script, tmp_path_factory.mktemp("script"), "--served-model-name", MODEL) as running:
        running.listening()
        running.until_ready()
        yield running


@dataclass(frozen=True)
class _Served:
    url: str
    pid: int


@pytest.fixture
def trial(server: SupervisedServer) -> Trial:
    known = cast("Server", _Served(server.url, server.pid))
    return Trial(known, Roofline(MODELS["34b"], DEVICES["h200"]), SIZE)


def test_decoding_is_timed_while_all_answers_are_under_way(trial: Trial) -> None:
    """Ten milliseconds a token, as the twin was told; its roofline is that of the sequences asked for."""
    step, _ = asyncio.run(trial.decode(3))
    assert step.name == "decode, batch 3"
    assert step.value >= 9.0
    assert step.roofline == pytest.approx(15.8, rel=0.05)


def test_a_first_token_is_timed_with_its_pictures(trial: Trial) -> None:
    """The note says of how many tokens the prompt was, 576 of them for each picture."""
    figure = asyncio.run(trial.ttft(2))
    assert figure.name == "TTFT, 2 images"
    assert figure.value > 0
    assert figure.note.endswith("1152 of them pictures")


def test_a_full_server_is_watched_for_as_long_as_was_asked(trial: Trial) -> None:
    """Requests a second, and the processor time of each group of processes beside them."""
    figures = {figure.name: figure for figure in asyncio.run(trial.saturated())}
    assert 0 < figures["requests/s, saturated"].value <= 3 / (6 * 0.01) * 1.2
    assert figures["tokens/s out, saturated"].value == pytest.approx(6 * figures["requests/s, saturated"].value)
    assert figures["processor, server, saturated"].value > 0
    assert figures["processor, image workers, saturated"].value > 0
    assert figures["processor, generator, saturated"].value > 0
