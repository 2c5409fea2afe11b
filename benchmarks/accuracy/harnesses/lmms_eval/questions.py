"""What huatuo_paper.yaml asks of a line of questions.jsonl; lmms-eval's own Python runs it.

A line: {"id", "text": the prompt, "pictures": [file, ...], "label"}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageOps

from benchmarks.accuracy.official import verdict

Line = Mapping[str, Any]

PNG_MODES = {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}


def text(line: Line) -> str:
    """The prompt as it is."""
    return str(line["text"])


def pictures(line: Line) -> list[Image.Image]:
    """Upright, in a mode that PNG has: lmms-eval writes each anew as PNG, and drops its EXIF orientation."""
    return [_upright(file) for file in line["pictures"]]


def _upright(file: str) -> Image.Image:
    with Image.open(file) as picture:
        upright = ImageOps.exif_transpose(picture)
    return upright if upright.mode in PNG_MODES else upright.convert("RGB")


def messages(line: Line) -> list[dict[str, Any]]:
    """One turn: the pictures, then the text."""
    images = [{"type": "image", "url": picture} for picture in pictures(line)]
    return [{"role": "user", "content": [*images, {"type": "text", "text": line["text"]}]}]


def results(line: Line, answers: Sequence[str]) -> dict[str, float]:
    """As the published scorer judges; what would have crashed it is wrong."""
    return {"accuracy": float(verdict(answers[0], line["label"]).outcome == "right")}
