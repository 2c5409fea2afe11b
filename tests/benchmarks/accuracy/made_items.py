"""Items for tests, and a small official bundle of them on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.formats import Reader
from benchmarks.accuracy.item import Item, Picture

PNG = b"\x89PNG\r\n\x1a\n and so on"
JPEG = b"\xff\xd8\xff and so on"


def picture(content: bytes) -> Picture:
    """One in memory."""
    return Picture("some.png", lambda: content)


def item(number: int = 0, *pictures: bytes, **fields: Any) -> Item:
    """`Question 0?`, with two options; the first one is right."""
    made: dict[str, Any] = {
        "id": f"Made/{number}",
        "dataset": "Made",
        "subset": "",
        "question": f"Question {number}?",
        "options": ("Yes", "No"),
        "answer": "Yes",
        "pictures": tuple(map(picture, pictures)),
    }
    return Item(**{**made, **fields})


def reader(num: int, make: Callable[[int], Item] = item) -> Reader:
    """So many items, wherever they are said to be."""

    def items(_path: Path) -> Iterator[Item]:
        return map(make, range(num))

    return items


def answer(number: int = 0, **fields: Any) -> Answer:
    """To the item of that number."""
    made: dict[str, Any] = {
        "id": f"Made/{number}",
        "dataset": "Made",
        "subset": "",
        "label": "A",
        "options": ("Yes", "No"),
        "text": "A",
        "finish_reason": "stop",
        "prompt_tokens": 600,
        "completion_tokens": 2,
        "seconds": 0.25,
        "prompt_sha256": "0" * 64,
    }
    return Answer(**{**made, **fields})


def bundle(folder: Path, num: int, picture: bytes = PNG) -> Path:
    """The bundle's JSON file, with one picture for all its records."""
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "one.png").write_bytes(picture)
    records = [
        {
            "question": f"Question {number}?",
            "options": ["Yes", "No"],
            "answer": "Yes",
            "image": ["images/one.png"],
            "dataset": "VQA-RAD_test",
            "subset": "",
            "question_type": "closed",
        }
        for number in range(num)
    ]
    file = folder / "medical_multimodel_evaluation_data.json"
    file.write_text(json.dumps(records), encoding="utf-8")
    return file
