"""`/v1/chat/choices` on the real engine: the reference's log-probabilities, to 0.001, and what the options cost."""

from __future__ import annotations

import io
import string
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.reference import Reference, Round
from tests import golden
from tests.service.asking import image_part
from tests.service.real import MODEL, RealServer, serving
from tests.service.served import image_part_of

pytestmark = pytest.mark.slow

TOLERANCE = 1e-3

LETTERS = list(string.ascii_uppercase)
SENTENCES = [
    "a fracture of the distal radius",
    "a fracture of the radius",
    "a fracture",
    "pneumonia of the left lower lobe, with a small effusion",
    "肺炎。",
    "骨折 🩻",
    "no",
]
"""Some begin alike, one begins another, and one is no piece of the vocabulary but bytes."""

QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Which of the options is right?", ()),
    ("What does the picture show?", ("ct_128_gray.png",)),
    ("请比较这些图像。", ("retina_land_1000x700.png", "tiny_5x7.png")),
)

SETS_OF_CHOICES: dict[str, list[str]] = {
    "2 of one token": ["A", "B"],
    "26 of one token": LETTERS,
    "2 of many": SENTENCES[:2],
    "7 of many, some the beginnings of others": SENTENCES,
    "26 of many": [f"{letter}. finding number {number}" for number, letter in enumerate(LETTERS)],
    "one and many": ["A", "A. Normal", "B", "B. Fracture of the radius"],
}

LONGEST = "26 of many"
"""Some 170 questions to the engine."""


def body(text: str, names: Sequence[str], choices: Sequence[str]) -> dict[str, Any]:
    content = [*map(image_part, names), {"type": "text", "text": text}]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], "choices": list(choices)}


def weigh(url: str, asked: dict[str, Any]) -> dict[str, Any]:
    response = httpx.post(f"{url}/v1/chat/choices", json=asked, timeout=120)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def largest_difference(reference: Reference, answer: dict[str, Any], text: str, names: Sequence[str]) -> float:
    """Of any token's log-probability, any sum, mean and probability; asserts that the tokens are the reference's."""
    images = [Image.open(golden.IMAGES / name) for name in names]
    prompt = reference.input_ids([Round(text, num_images=len(images))])
    differences, sums, means = [0.0], [], []
    for choice in answer["choices"]:
        expected = reference.option_log_probs(prompt, images, choice["text"])
        assert [token["id"] for token in choice["tokens"]] == [token_id for token_id, _ in expected]
        found = [token["logprob"] for token in choice["tokens"]]
        differences += [abs(one - log_prob) for one, (_, log_prob) in zip(found, expected, strict=True)]
        sums.append(sum(log_prob for _, log_prob in expected))
        means.append(sums[-1] / len(expected))
        differences += [abs(choice["logprob_mean"] - means[-1])]
        assert choice["logprob_sum"] == pytest.approx(sums[-1], abs=TOLERANCE * len(expected))
    for name, logs in (("probability", sums), ("probability_mean", means)):
        shares = np.exp(np.array(logs) - max(logs)) / np.exp(np.array(logs) - max(logs)).sum()
        given = [choice[name] for choice in answer["choices"]]
        differences += np.abs(shares - given).tolist()
        assert sum(given) == pytest.approx(1)
    best = max(range(len(sums)), key=lambda index: answer["choices"][index]["probability"])
    assert answer["best"] == best
    return max(differences)


def check_all(url: str, checkpoint: Path) -> None:
    """Every question with every set of choices, the longest but once; prints the largest difference."""
    reference = Reference.load(checkpoint, dtype="float32")
    found = {}
    for text, names in QUESTIONS:
        for name, choices in SETS_OF_CHOICES.items():
            if name == LONGEST and len(names) != 1:
                continue
            answer = weigh(url, body(text, names, choices))
            found[f"{len(names)} images, {name}"] = largest_difference(reference, answer, text, names)
    worst = max(found, key=found.__getitem__)
    print(f"{checkpoint.name}: largest difference {found[worst]:.1e} ({worst})")
    assert found[worst] < TOLERANCE


def test_the_34bs_layout_agrees_with_the_reference(real_server: RealServer) -> None:
    """Two to twenty-six options, of one token and of many, without a picture, with one and with two."""
    check_all(real_server.url, golden.CHECKPOINT)


@pytest.mark.long
def test_the_7bs_layout_agrees_with_the_reference(tmp_path: Path) -> None:
    """The same on the other tokenizer and the other language model."""
    checkpoint = tmp_path / "7b"
    write_demo_checkpoint(checkpoint, "7b", seed=1)

    with serving(checkpoint, "--dtype", "float32") as server:
        check_all(server.url, checkpoint)


def test_options_agree_beside_answers_that_are_sampled(real_server: RealServer) -> None:
    """In a batch with chats that are penalised, heated and want log-probabilities of their own, nothing changes."""
    text, names = QUESTIONS[1]
    asked = body(text, names, SENTENCES)
    chat = {
        "model": MODEL,
        "messages": asked["messages"],
        "max_tokens": 40,
        "temperature": 1.0,
        "repetition_penalty": 1.3,
        "ignore_eos": True,
        "logprobs": True,
        "top_logprobs": 5,
    }
    reference = Reference.load(golden.CHECKPOINT, dtype="float32")

    with ThreadPoolExecutor(10) as pool:
        chats = [
            pool.submit(httpx.post, f"{real_server.url}/v1/chat/completions", json={**chat, "seed": seed}, timeout=120)
            for seed in range(4)
        ]
        answers = list(pool.map(lambda _: weigh(real_server.url, asked), range(6)))

    assert all(one.result().status_code == 200 for one in chats)
    assert max(largest_difference(reference, answer, text, names) for answer in answers) < TOLERANCE


def test_no_option_reads_the_prompt_again(real_server: RealServer) -> None:
    """What a second request finds of the prompt in the cache is what the first one's options found, too."""
    asked = body("A question that nobody has asked yet, with words enough for a block or two. " * 20, (), SENTENCES[:4])

    first, second = weigh(real_server.url, asked), weigh(real_server.url, asked)

    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] > first["usage"]["prompt_tokens"] / 2
    assert second["choices"] == [
        {
            **choice,
            **{name: pytest.approx(choice[name], abs=TOLERANCE) for name in ("probability", "probability_mean")},
            **{name: pytest.approx(choice[name], abs=0.01) for name in ("logprob_sum", "logprob_mean")},
            "tokens": [
                {"id": one["id"], "logprob": pytest.approx(one["logprob"], abs=TOLERANCE)} for one in choice["tokens"]
            ],
        }
        for choice in first["choices"]
    ]


NUM_REPETITIONS = 7

SLACK = 1.5
"""Over the promise of twice an answer's first token: a busy machine is late now and then."""


def fresh_picture(seed: int) -> dict[str, Any]:
    """One that no cache has seen."""
    noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return image_part_of(buffer.getvalue())


def test_twenty_six_letters_cost_at_most_two_first_tokens(real_server: RealServer) -> None:
    """A picture that was never seen each time, in turns with an answer of one token; medians, printed."""
    took: dict[str, list[float]] = {"chat": [], "choices": []}
    for repetition in range(-1, NUM_REPETITIONS):
        for number, kind in enumerate(took):
            content = [fresh_picture(1000 + 2 * repetition + number), {"type": "text", "text": "Which one?"}]
            asked = {"model": MODEL, "messages": [{"role": "user", "content": content}]}
            path = "completions" if kind == "chat" else "choices"
            more: dict[str, Any] = {"max_tokens": 1} if kind == "chat" else {"choices": LETTERS}
            began = time.monotonic()
            response = httpx.post(f"{real_server.url}/v1/chat/{path}", json={**asked, **more}, timeout=120)
            seconds = time.monotonic() - began
            assert response.status_code == 200, response.text
            if repetition >= 0:
                took[kind].append(seconds)

    chat, choices = median(took["chat"]), median(took["choices"])
    print(
        f"one token {chat:.3f} s, 26 letters {choices:.3f} s: {choices / chat:.2f} times (medians of {NUM_REPETITIONS})"
    )
    assert choices <= 2 * SLACK * chat
