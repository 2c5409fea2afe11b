"""The other rival: Hugging Face's `generate`, one request at a time, as the reference's `cli.py` answers.

What users gain by coming here: requests a second of the server under load, to those of the reference's way on the same
machine, checkpoint, pictures and number of tokens. Both take turns; whichever does not work holds no core.
"""

from __future__ import annotations

import json
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.speed.bars import FILM
from benchmarks.speed.conversation import MODEL
from benchmarks.speed.finding import Finding
from benchmarks.speed.pictures import film, with_comment
from benchmarks.speed.workload import FOLDER, Workload
from drills.http import CHAT, exchange, post
from drills.load import Clients, Load
from drills.question import question

ROUNDS, REFERENCE_REQUESTS, REQUESTS, ROUND_S = 5, 6, 400, 5.0
TEXT = "What is to be seen in this film, and what follows from it?"


class ReferenceWay:
    """The released checkpoint in transformers, in this process, on all cores."""

    def __init__(self, checkpoint: Path) -> None:
        from huatuo_server.reference import Reference, Round

        self._reference = Reference.load(checkpoint)
        self._ids = self._reference.input_ids([Round(TEXT, num_images=1)])

    def answer(self, file: bytes, max_tokens: int) -> list[int]:
        """Token ids: the picture opened, padded and read, then `generate`, which has no eos to end at."""
        import torch

        # `Reference.greedy` shows each step; the reference itself calls `generate`, and so does this.
        model = self._reference._model
        with torch.inference_mode():
            embeds = model.embed(self._ids, [Image.open(BytesIO(file))])
            answer: Any = model._language_model.generate(
                inputs_embeds=embeds,
                do_sample=False,
                repetition_penalty=1.0,
                max_new_tokens=max_tokens,
                eos_token_id=None,
                pad_token_id=0,
                use_cache=True,
            )
        ids: list[int] = answer[0].tolist()
        return ids


def measure(url: str, checkpoint: Path, rounds: int = ROUNDS) -> Finding:
    """url: of a server in float32 on that checkpoint. Raises RuntimeError where the two answer differently."""
    workload, reference = Workload.read(FOLDER / f"{FILM}.toml"), ReferenceWay(checkpoint)
    _check_same_answer(url, workload, reference)
    asked = tuple(_request(workload, each, stream=True) for each in _pictures(workload, "ours", REQUESTS))
    theirs, ours = [], []
    with Load(url) as load:
        for number in range(rounds):
            theirs.append(_reference_per_s(reference, workload, f"reference {number}"))
            ours.append(_served_per_s(load, workload, asked[number * REQUESTS // rounds :][: REQUESTS // rounds]))
    return Finding(
        work="requests/s of the film workload, to the reference's way, one request at a time",
        rounds=tuple(round(mine / their, 2) for mine, their in zip(ours, theirs, strict=True)),
        unit="times",
        command=f"python -m benchmarks.speed.findings reference-way --rounds {rounds}",
        facts={
            "ours_requests_per_s": [round(each, 2) for each in ours],
            "reference_requests_per_s": [round(each, 3) for each in theirs],
        },
    )


def _pictures(workload: Workload, name: str, count: int) -> list[bytes]:
    whole = film(0, workload.width, workload.height)
    return [with_comment(whole, f"{name} {number}") for number in range(count)]


def _reference_per_s(reference: ReferenceWay, workload: Workload, name: str) -> float:
    pictures = _pictures(workload, name, REFERENCE_REQUESTS)
    began = time.perf_counter()
    for picture in pictures:
        reference.answer(picture, workload.answer_tokens)
    return len(pictures) / (time.perf_counter() - began)


def _served_per_s(load: Load, workload: Workload, requests: tuple[bytes, ...]) -> float:
    """Answers that were whole, over the time until the last one came."""
    span = load.run(ROUND_S, Clients(requests, workload.steps[0].load.concurrency))
    answers = span.exchanges[0]
    if not all(one.answered for one in answers):
        raise RuntimeError("a request to the server failed")
    return len(answers) / (max(one.ended for one in answers) - span.began)


def _check_same_answer(url: str, workload: Workload, reference: ReferenceWay) -> None:
    (picture,) = _pictures(workload, "check", 1)
    status, body = exchange(url, _request(workload, picture, return_token_ids=True))
    answer = json.loads(body)
    if status != 200 or answer["choices"][0]["token_ids"] != reference.answer(picture, workload.answer_tokens):
        raise RuntimeError(f"the server ({status}) and the reference do not answer the same")


def _request(workload: Workload, picture: bytes, **fields: Any) -> bytes:
    same = {"max_tokens": workload.answer_tokens, "ignore_eos": True, "temperature": 0, "repetition_penalty": 1.0}
    return post(CHAT, question(MODEL, picture, text=TEXT, **same, **fields))
