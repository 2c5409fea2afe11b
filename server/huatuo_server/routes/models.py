"""`GET /v1/models` and `/v1/models/{id}`: the one model that is served."""

from __future__ import annotations

import time

from fastapi import APIRouter

from huatuo_server.errors import ModelNotFound, NotReady
from huatuo_server.families import SamplingDefaults
from huatuo_server.images.identity import PREPARATION_VERSION
from huatuo_server.prompt import max_images, prompt_format
from huatuo_server.protocol.model_object import Defaults, ModelList, ModelObject
from huatuo_server.routes.error_responses import error_responses
from huatuo_server.served_model import ServedModel
from huatuo_server.service import Service


def models_routes(service: Service) -> APIRouter:
    """The routes, over one service."""
    router = APIRouter(prefix="/v1/models", tags=["models"])
    created = int(time.time())

    @router.get("", summary="The models served here", responses=error_responses(NotReady))
    async def list_models() -> ModelList:
        """One; 503 until it is ready."""
        return ModelList(object="list", data=[model_object(service, service.startup.require_ready(), created)])

    @router.get("/{model:path}", summary="One model", responses=error_responses(NotReady, ModelNotFound))
    async def retrieve_model(model: str) -> ModelObject:
        """404 for any other name than the one that the list gives."""
        served = service.startup.require_ready()
        if model != service.model_name:
            raise ModelNotFound("This server serves another model: GET /v1/models names it.", param="model")
        return model_object(service, served, created)

    return router


def model_object(service: Service, model: ServedModel, created: int) -> ModelObject:
    """The one model. created: Unix time in seconds."""
    card, context = model.card, model.engine.facts.max_model_len
    described = ModelObject(
        id=service.model_name,
        object="model",
        created=created,
        owned_by="huatuo-server",
        family=card.family.name,
        max_model_len=context,
        max_images_per_request=service.limits.max_images,
        max_images_in_context=max_images(card.tokenizer, card.tokens_per_image, context),
        tokens_per_image=card.tokens_per_image,
        image_side_pixels=card.family.picture.size_pixels,
        vocab_size=card.vocab_size,
        eos_token_ids=list(card.eos_token_ids),
        defaults=_defaults(card.family.sampling),
        prompt_format=prompt_format(),
        system_fingerprint=model.fingerprint,
        digest=card.digest,
        tokenizer_digest=card.tokenizer_digest,
        preparation_version=PREPARATION_VERSION,
        versions=dict(model.versions),
    )
    if card.demo is not None:
        described["demo"] = card.demo
    return described


def _defaults(sampling: SamplingDefaults) -> Defaults:
    return Defaults(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        max_tokens=sampling.max_tokens,
        min_tokens=sampling.min_tokens,
    )
