"""The other layouts answer as the reference does: the 7B as released, both -hf conversions, tensor parallel."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import openai
import pytest
from PIL import Image

from huatuo_server.demo.checkpoint import write_demo_checkpoint
from huatuo_server.reference import Reference, Round
from huatuo_vllm.config import load_config
from tests import golden
from tests.conversions import to_hf, widen, with_two_clips
from tests.service.asking import check_concurrently, image_part
from tests.service.real import MODEL, serving

pytestmark = pytest.mark.slow

QUESTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What does the picture show?", ("ct_128_gray.png",)),
    ("请描述这张医学影像,并给出诊断意见。", ("retina_land_1000x700.png", "mr_64_gray.png")),
    ("Compare all of these images.", ("tiny_5x7.png", "logo_rgba.png", "wide_palette_1500x200.png")),
    ("Text alone.", ()),
)

REPORT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "finding": {"type": "string", "minLength": 1, "maxLength": 30},
        "side": {"enum": ["left", "right", "两侧"]},
        "slices": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 99},
            "minItems": 2,
            "maxItems": 3,
        },
    },
    "required": ["finding", "side", "slices"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the reference's arithmetic answers to one question."""

    text: str
    names: tuple[str, ...]
    penalty: float
    prompt: list[int]
    answer: list[int]


def expected_answers(checkpoint: Path) -> list[Expected]:
    """Every question with and without the penalty, greedy, 24 tokens."""
    reference = Reference.load(checkpoint, dtype="float32")
    found: list[Expected] = []
    for text, names in QUESTIONS:
        images = [Image.open(golden.IMAGES / name) for name in names]
        prompt = reference.input_ids([Round(text, num_images=len(images))])
        for penalty in (1.0, 1.2):
            answer = reference.greedy(prompt, images, max_new_tokens=24, repetition_penalty=penalty)
            found.append(Expected(text, names, penalty, prompt, answer))
    # Answers that are alike whatever one asks would prove nothing.
    assert len({tuple(expected.answer) for expected in found if expected.penalty == 1.0}) == len(QUESTIONS)
    assert any(plain.answer != penalised.answer for plain, penalised in zip(found[::2], found[1::2], strict=True))
    return found


def check_answers(checkpoint: Path, answers: list[Expected]) -> None:
    """Greedy answers through HTTP equal the expected ones, token by token, prompts included."""
    with serving(checkpoint, "--dtype", "float32") as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
        for expected in answers:
            asked: Any = [*map(image_part, expected.names), {"type": "text", "text": expected.text}]
            completion = client.chat.completions.create(
                model=MODEL,
                messages=[{"role": "user", "content": asked}],
                temperature=0,
                max_tokens=24,
                extra_body={"repetition_penalty": expected.penalty, "return_token_ids": True},
            )
            assert (completion.model_extra or {})["prompt_token_ids"] == expected.prompt
            assert (completion.choices[0].model_extra or {})["token_ids"] == expected.answer, expected
        check_schema(client)


def check_schema(client: openai.OpenAI) -> None:
    """An answer by a schema is JSON that obeys it: vLLM's tokenizer of this layout says what ours does."""
    for seed in range(3):
        completion = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "请描述。"}],
            temperature=1.0,
            seed=seed,
            max_tokens=400,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "report", "strict": True, "schema": REPORT},
            },
        )
        assert completion.choices[0].finish_reason == "stop"
        jsonschema.validate(json.loads(completion.choices[0].message.content or ""), REPORT)


@pytest.fixture(scope="module")
def released_7b(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint in the 7B's released layout: Qwen2 with the real one's rows, CLIP in the shards."""
    folder = tmp_path_factory.mktemp("checkpoints") / "7b"
    write_demo_checkpoint(folder, "7b", seed=1)
    widen(folder, 152064)
    return folder


@pytest.fixture(scope="module")
def answers_7b(released_7b: Path) -> list[Expected]:
    """The reference's, on the released layout; a conversion has the same weights, and so the same answers."""
    return expected_answers(released_7b)


def test_7b_as_released(released_7b: Path, answers_7b: list[Expected]) -> None:
    """Qwen2 with its CLIP in the shards; the placeholder is the first row that the real tokenizer leaves free."""
    assert load_config(released_7b).image_token_index == 151646

    check_answers(released_7b, answers_7b)


def test_7b_as_hf(released_7b: Path, answers_7b: list[Expected], tmp_path: Path) -> None:
    """The conversion's own image token, names as transformers wrote them before 4.52."""
    token = load_config(released_7b).image_token_index
    check_answers(to_hf(released_7b, tmp_path / "7b-hf", image_token=token, since_4_52=False), answers_7b)


def test_34b_as_hf(tmp_path: Path) -> None:
    """Names as transformers writes them since 4.52, and an image token just past the vocabulary, as the real one's.

    Every golden case is answered as before the conversion.
    """
    checkpoint = to_hf(golden.CHECKPOINT, tmp_path / "34b-hf", image_token=4096, since_4_52=True)
    with serving(checkpoint, "--dtype", "float32") as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)

        check_concurrently(client, golden.cases(), MODEL, at_once=8)
        check_schema(client)


def test_34b_with_two_clips_on_two_tensor_parallel_workers(tmp_path: Path) -> None:
    """Every golden case, alone and eight at once, the weights split over two processes.

    CLIP stands in the shards but for one tensor, and the vit folder, in safetensors, is wrong but for that one.
    """
    checkpoint = with_two_clips(golden.CHECKPOINT, tmp_path / "checkpoint")
    with serving(checkpoint, "--dtype", "float32", "--tensor-parallel-size", "2") as server:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)

        check_concurrently(client, golden.cases(), MODEL, at_once=1)
        check_concurrently(client, golden.cases(), MODEL, at_once=8)
