"""`GET /v1/models` and `/v1/models/{id}`, by the official SDK."""

from __future__ import annotations

import openai
import pytest

from huatuo_server import __version__
from huatuo_server.demo.label import TRAINED
from huatuo_server.images.identity import PREPARATION_VERSION
from tests.service.served import DIGEST, MAX_MODEL_LEN, MODEL, served


def test_the_one_model_is_listed_and_can_be_retrieved() -> None:
    """With what a client wants to know of it before it asks."""
    with served() as server:
        (listed,) = server.client.models.list().data
        retrieved = server.client.models.retrieve(MODEL)
        fingerprint = server.create().system_fingerprint

    assert (listed.id, listed.object, listed.owned_by) == (MODEL, "model", "huatuo-server")
    extra = listed.model_extra or {}
    assert extra.pop("system_fingerprint").startswith("fp_")
    assert extra == {
        "max_model_len": MAX_MODEL_LEN,
        "max_images_per_request": 6,
        "digest": DIGEST,
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


def test_another_model_is_not_found() -> None:
    """Its name is not repeated."""
    with served() as server, pytest.raises(openai.NotFoundError) as caught:
        server.client.models.retrieve("org/canary-7c1f")

    assert caught.value.code == "model_not_found"
    assert "canary" not in str(caught.value)


def test_a_hub_id_with_a_slash_can_be_retrieved() -> None:
    """Most models are named so."""
    with served(served_model_name="FreedomIntelligence/HuatuoGPT-Vision-7B") as server:
        retrieved = server.client.models.retrieve("FreedomIntelligence/HuatuoGPT-Vision-7B")

    assert retrieved.id == "FreedomIntelligence/HuatuoGPT-Vision-7B"
