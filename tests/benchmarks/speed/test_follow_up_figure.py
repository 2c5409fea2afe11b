"""The follow-up figure asks two turns about each picture, and none of them in vain."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from benchmarks.speed import follow_up, pictures
from benchmarks.speed.bars import FOLLOW_UP
from benchmarks.speed.conversation import MODEL
from huatuo_server.engine.scripted import Completion
from tests.service.served import scripted_engine, served


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One conversation a round, about a small picture: large ones take seconds to make."""
    jpeg = BytesIO()
    Image.new("RGB", (40, 30)).save(jpeg, "JPEG")
    monkeypatch.setattr(follow_up, "CONVERSATIONS", 1)
    monkeypatch.setattr(pictures, "film", lambda *_: jpeg.getvalue())


def test_each_conversation_has_two_turns_on_one_picture() -> None:
    """A ratio a round, and a warm-up before them; the second turn's prompt goes on from the first's."""
    engine = scripted_engine(Completion(text="All is calm."))
    with served(engine, served_model_name=MODEL) as server:
        finding = follow_up.measure(server.base_url, rounds=2)

    assert len(finding.rounds) == 2
    assert finding.bound == FOLLOW_UP
    turns = [generation.prompt for generation in engine.generations if generation.prompt.images][-2:]
    assert turns[0].images[0].identity == turns[1].images[0].identity
    assert len(turns[1].token_ids) > len(turns[0].token_ids)


def test_a_turn_that_is_refused_is_no_figure() -> None:
    """A server under another name."""
    with served() as server, pytest.raises(RuntimeError, match="404"):
        follow_up.measure(server.base_url, rounds=1)
