"""`GET /v1/models` and `/v1/models/{id}`, by the official SDK."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import openai
import pytest

from huatuo_server import __version__
from huatuo_server.demo.label import TRAINED
from huatuo_server.families import SamplingDefaults
from huatuo_server.images.identity import PREPARATION_VERSION
from huatuo_server.prompt import prompt_format
from tests.service.served import (
    DIGEST,
    EOS,
    MAX_MODEL_LEN,
    MODEL,
    TOKENIZER_DIGEST,
    TOKENS_PER_IMAGE,
    Served,
    ask,
    image_part,
    served,
)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    """As it is by default."""
    with served() as running:
        yield running


def test_the_one_model_is_listed_and_can_be_retrieved(server: Served) -> None:
    """With what a client wants to know of it before it asks."""
    (listed,) = server.client.models.list().data
    retrieved = server.client.models.retrieve(MODEL)
    fingerprint = server.create().system_fingerprint

    assert (listed.id, listed.object, listed.owned_by) == (MODEL, "model", "huatuo-server")
    extra = listed.model_extra or {}
    assert extra.pop("system_fingerprint").startswith("fp_")
    assert extra == {
        "family": "HuatuoGPT-Vision-34B",
        "max_model_len": MAX_MODEL_LEN,
        "max_images_per_request": 6,
        "max_images_in_context": 7,
        "tokens_per_image": TOKENS_PER_IMAGE,
        "image_side_pixels": 336,
        "vocab_size": 4096,
        "eos_token_ids": [EOS],
        "defaults": asdict(SamplingDefaults()),
        "prompt_format": prompt_format(),
        "digest": DIGEST,
        "tokenizer_digest": TOKENIZER_DIGEST,
        "preparation_version": PREPARATION_VERSION,
        "versions": {"huatuo_server": __version__},
    }
    assert retrieved.model_extra == {**extra, "system_fingerprint": fingerprint}


def test_a_demo_checkpoint_says_what_it_is() -> None:
    """In the list, and where it is retrieved; a real one has no such field."""
    with served(demo=TRAINED) as server:
        (listed,) = server.client.models.list().data
        retrieved = server.client.models.retrieve(MODEL)

    assert (listed.model_extra or {})["demo"] == (retrieved.model_extra or {})["demo"] == TRAINED


def test_another_model_is_not_found(server: Served) -> None:
    """Its name is not repeated."""
    with pytest.raises(openai.NotFoundError) as caught:
        server.client.models.retrieve("org/canary-7c1f")

    assert caught.value.code == "model_not_found"
    assert "canary" not in str(caught.value)


def test_a_hub_id_with_a_slash_can_be_retrieved() -> None:
    """Most models are named so."""
    with served(served_model_name="FreedomIntelligence/HuatuoGPT-Vision-7B") as server:
        retrieved = server.client.models.retrieve("FreedomIntelligence/HuatuoGPT-Vision-7B")

    assert retrieved.id == "FreedomIntelligence/HuatuoGPT-Vision-7B"


def test_as_many_images_fit_as_the_model_says() -> None:
    """One more is a prompt that leaves no room for an answer."""
    with served(max_images_per_request=8, max_image_bytes=2**20) as server:
        most = server.client.models.retrieve(MODEL).model_dump()["max_images_in_context"]
        answers = [server.post(ask([image_part("tiny_5x7.png")] * count)) for count in (most, most + 1)]

    assert answers[0].status_code == 200
    assert answers[1].json()["error"]["code"] == "context_length_exceeded"
