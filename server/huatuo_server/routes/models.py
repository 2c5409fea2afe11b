"""`GET /v1/models` and `/v1/models/{id}`: the one model that is served."""

from __future__ import annotations

import time
from typing import Literal, NotRequired

from fastapi import APIRouter
from typing_extensions import TypedDict

from huatuo_server.errors import ModelNotFound
from huatuo_server.images.identity import PREPARATION_VERSION
from huatuo_server.pipeline import Service
from huatuo_server.served_model import ServedModel


class ModelObject(TypedDict):
    """OpenAI's model, with what a client of ours wants to know.

    created: when this server was built up, Unix time in seconds. max_model_len: tokens of prompt and answer together.
    system_fingerprint: what answers carry. digest: of the checkpoint's files. preparation_version: another one prepares
    some image to other pixels. versions: of the software, by name.
    demo: only there for a demo checkpoint, and says what that is.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int
    max_images_per_request: int
    system_fingerprint: str
    digest: str
    preparation_version: int
    versions: dict[str, str]
    demo: NotRequired[str]


class ModelList(TypedDict):
    """OpenAI's list."""

    object: Literal["list"]
    data: list[ModelObject]


def models_routes(service: Service) -> APIRouter:
    """The routes, over one service."""
    router = APIRouter(prefix="/v1/models", tags=["models"])
    created = int(time.time())

    def described(model: ServedModel) -> ModelObject:
        """The one model, as OpenAI describes one, and what a client must know of its limits."""
        described = ModelObject(
            id=service.model_name,
            object="model",
            created=created,
            owned_by="huatuo-server",
            max_model_len=model.engine.facts.max_model_len,
            max_images_per_request=service.limits.max_images,
            system_fingerprint=model.fingerprint,
            digest=model.card.digest,
            preparation_version=PREPARATION_VERSION,
            versions=dict(model.versions),
        )
        if model.card.demo is not None:
            described["demo"] = model.card.demo
        return described

    @router.get("", summary="The models served here")
    async def list_models() -> ModelList:
        """One; 503 until it is ready."""
        return ModelList(object="list", data=[described(service.startup.require_ready())])

    @router.get("/{model:path}", summary="One model")
    async def retrieve_model(model: str) -> ModelObject:
        """404 for any other name than the one that the list gives."""
        served = service.startup.require_ready()
        if model != service.model_name:
            raise ModelNotFound("This server serves another model: GET /v1/models names it.", param="model")
        return described(served)

    return router
