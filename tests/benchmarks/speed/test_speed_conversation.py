"""What is asked: the same on both sides, and new to every cache."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Any

from PIL import Image, ImageChops

from benchmarks.speed.conversation import conversations
from benchmarks.speed.measurement import Load
from benchmarks.speed.pictures import film, with_comment
from benchmarks.speed.workload import Step, Workload

WORKLOAD = Workload("study", "a study", 2, 100, 70, 2, 32, (Step(Load(2), 4),), 5, False)


def images(body: dict[str, Any]) -> list[bytes]:
    """The files of a body's first message."""
    urls = [part["image_url"]["url"] for part in body["messages"][0]["content"] if part["type"] == "image_url"]
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def test_the_same_seed_asks_the_same_and_another_one_nothing_of_it() -> None:
    """Both sides of a pair get one file; the next pair gets another."""
    asked, again, other = (list(conversations(WORKLOAD, 3, seed)) for seed in ("one", "one", "two"))

    assert asked == again
    assert not {file for (body, _) in asked for file in images(body)} & {
        file for (body, _) in other for file in images(body)
    }


def test_every_picture_of_a_run_is_another_file() -> None:
    """Two of each of eight conversations."""
    files = [file for (body, _) in conversations(WORKLOAD, 8, "seed") for file in images(body)]

    assert len(set(files)) == 16


def test_a_follow_up_turn_asks_about_the_first_ones_pictures() -> None:
    """The first messages stay as they were, so that a prefix can be found again."""
    ((first, second),) = conversations(WORKLOAD, 1, "seed")

    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert [message["role"] for message in second["messages"]] == ["user", "assistant", "user"]


def test_answers_are_greedy_and_as_long_as_the_workload_says() -> None:
    """Whatever the model would do by itself."""
    ((body, _),) = conversations(WORKLOAD, 1, "seed")

    assert (body["temperature"], body["repetition_penalty"]) == (0, 1.0)
    assert (body["max_tokens"], body["ignore_eos"], body["stream"]) == (32, True, True)


def test_a_comment_makes_another_file_of_the_same_picture() -> None:
    """No pixel changes."""
    plain = film(0, 100, 70)
    marked = with_comment(plain, "another")

    assert marked != plain
    with Image.open(BytesIO(plain)) as one, Image.open(BytesIO(marked)) as other:
        assert ImageChops.difference(one, other).getbbox() is None
