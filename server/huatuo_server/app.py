"""The composition root: settings and a model's life become an app."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from huatuo_server import __version__
from huatuo_server.logs import AccessLog
from huatuo_server.metrics import Metrics
from huatuo_server.pipeline import Limits, Service
from huatuo_server.routes.chat import chat_routes
from huatuo_server.routes.failures import answer_failures
from huatuo_server.routes.health import health_routes
from huatuo_server.routes.metrics import metrics_routes
from huatuo_server.routes.models import models_routes
from huatuo_server.routes.request_id import RequestId
from huatuo_server.settings import Settings
from huatuo_server.startup import Startup


def create_app(settings: Settings, startup: Startup, metrics: Metrics) -> FastAPI:
    """Build the app. While it runs, the model of `startup` starts, is watched, and in the end is stopped.

    metrics: the process's own in a server, of a fresh registry in tests.
    """
    service = Service(
        model_name=settings.public_name,
        limits=_limits(settings),
        startup=startup,
        metrics=metrics,
        image_secret=secrets.token_bytes(32),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with startup.running():
            yield

    app = FastAPI(
        title="huatuo-server",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in (chat_routes(service), models_routes(service), health_routes(startup), metrics_routes(metrics)):
        app.include_router(router)
    answer_failures(app)
    # The last one added is the outermost.
    app.add_middleware(RequestId)
    app.add_middleware(AccessLog)
    return app


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_body_bytes=settings.max_body_bytes,
        max_images=settings.max_images_per_request,
        max_image_pixels=settings.max_image_pixels,
        max_image_side=settings.max_image_side,
    )
